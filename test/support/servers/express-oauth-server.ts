/** A server that is not ours: @node-oauth/express-oauth-server, plain OAuth 2.0. It brings the protocol; accounts and memory are here. */
import { randomUUID } from 'node:crypto';
import OAuthServer from '@node-oauth/express-oauth-server';
import type { AuthorizationCode, AuthorizationCodeModel, Client, RefreshToken, RefreshTokenModel, Token, User } from '@node-oauth/oauth2-server';
import express, { type Express, type Request, type Response } from 'express';
import { listen, type ListeningServer } from '../http.js';
import { loginForm, page } from './pages.js';

type Model = AuthorizationCodeModel & RefreshTokenModel;

export class ExpressOAuthServer {
  readonly clientId = 'web';
  readonly settings = { accessTokenSeconds: 3600, clientSecret: 'a-secret_with.marks~' };
  readonly counters = { authorizations: 0, exchanges: 0, refreshes: 0 };
  readonly #redirectUris: string[] = [];
  readonly #codes = new Map<string, AuthorizationCode>();
  readonly #accessTokens = new Map<string, Token>();
  readonly #refreshTokens = new Map<string, RefreshToken>();
  #listening: ListeningServer | undefined;

  async start(): Promise<this> {
    this.#listening = await listen(() => this.#app());
    return this;
  }

  async stop(): Promise<void> {
    await this.#listening?.close();
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#listening?.port ?? 0}`;
  }

  /** Takes this server's tokens. */
  get apiUrl(): string {
    return `${this.origin}/api/`;
  }

  registerRedirectUri(redirectUri: string): void {
    this.#redirectUris.push(redirectUri);
  }

  /** The API and the profile refuse what was given out until now. */
  expireAccessTokens(): void {
    for (const token of this.#accessTokens.values()) token.accessTokenExpiresAt = new Date(0);
  }

  /** What an administrator does. */
  forgetRefreshTokens(): void {
    this.#refreshTokens.clear();
  }

  #app(): Express {
    const oauth = new OAuthServer({ model: this.#model(), allowEmptyState: false });
    const app = express().use(express.urlencoded({ extended: false }));
    app.get('/authorize', (_req, res) => {
      this.counters.authorizations += 1;
      page(res, 200, loginForm());
    });
    // `allowed` is how this server learns that the user refuses; it then says so on a page of its own, with status 400.
    const authenticateHandler = { handle: (req: Request) => ({ id: (req.body as { username: string }).username }) };
    app.post('/authorize', (req, res, next) => {
      const form = req.body as { username: string; allowed?: string };
      if (form.username === 'stranger') form.allowed = 'false';
      return oauth.authorize({ authenticateHandler })(req, res, next);
    });
    app.post('/token', (req, res, next) => {
      this.counters[(req.body as { grant_type: string }).grant_type === 'refresh_token' ? 'refreshes' : 'exchanges'] += 1;
      return oauth.token({ accessTokenLifetime: this.settings.accessTokenSeconds })(req, res, next);
    });
    app.get(['/api/whoami', '/profile'], oauth.authenticate(), (_req: Request, res: Response) => {
      const { user } = (res.locals['oauth'] as { token: Token }).token;
      res.json({ sub: user['id'], login: user['id'] });
    });
    return app;
  }

  #model(): Model {
    const client = (): Client => ({ id: this.clientId, grants: ['authorization_code', 'refresh_token'], redirectUris: this.#redirectUris });
    return {
      // Without a secret where a browser asks, whatever the types say.
      getClient: async (id: string, secret: string | null) => id === this.clientId && (secret === null || secret === this.settings.clientSecret) && client(),
      generateAuthorizationCode: async () => randomUUID(),
      saveAuthorizationCode: async (code, of, user) => remember(this.#codes, code.authorizationCode, { ...code, client: of, user }),
      getAuthorizationCode: async (code) => this.#codes.get(code),
      revokeAuthorizationCode: async ({ authorizationCode }) => this.#codes.delete(authorizationCode),
      saveToken: async (token, of, user) => this.#saveToken(token, of, user),
      getAccessToken: async (token) => this.#accessTokens.get(token),
      getRefreshToken: async (token) => this.#refreshTokens.get(token),
      revokeToken: async ({ refreshToken }) => this.#refreshTokens.delete(refreshToken),
    };
  }

  #saveToken(token: Token, client: Client, user: User): Token {
    const saved = { ...token, client, user };
    const { refreshToken } = saved;
    if (refreshToken !== undefined) this.#refreshTokens.set(refreshToken, { ...saved, refreshToken });
    return remember(this.#accessTokens, saved.accessToken, saved);
  }
}

function remember<T>(memory: Map<string, T>, key: string, value: T): T {
  memory.set(key, value);
  return value;
}
