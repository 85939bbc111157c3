/** Aidbox's `/auth` endpoints, as in their document: JSON token requests, the user in the token response, a session that `DELETE /Session` closes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from '../http.js';
import { Departure, readJson, wrongClient, wrongGrant, type Fields } from './fields.js';
import { StrictServer, type Authorization, type Handler, type Login } from './strict-server.js';

export interface AidboxClient {
  /** `secret_required`; without it the client is a `pkce` one and has no secret. */
  secretRequired: boolean;
  /** `refresh_token`. */
  refreshToken: boolean;
  /** `first_party`: the client's session and Aidbox's own are one. */
  firstParty: boolean;
}

export class AidboxAuth extends StrictServer {
  readonly clientSecret = 'aidbox-secret_for.tests';
  readonly client: AidboxClient;
  closedSessions = 0;
  protected readonly authorizePaths = ['/auth/authorize'];
  protected readonly endpoints: Readonly<Record<string, Handler>> = {
    'POST /auth/token': (req, res) => this.#token(req, res),
    'DELETE /Session': (req, res) => this.#closeSession(req, res),
  };

  constructor(client: Partial<AidboxClient> = {}) {
    super({ accessTokenSeconds: 3600 });
    this.client = { secretRequired: true, refreshToken: true, firstParty: true, ...client };
  }

  protected checkAuthorization(fields: Fields): Authorization {
    const redirectUri = this.checkRedirectUri(fields);
    fields.only('response_type', 'client_id', 'redirect_uri', 'state', 'code_challenge', 'code_challenge_method', 'login_hint');
    fields.expect('response_type', 'code');
    const usesPkce = !this.client.secretRequired || fields.optional('code_challenge') !== undefined;
    const codeChallenge = usesPkce ? this.checkS256(fields) : undefined;
    return { redirectUri, codeChallenge, state: fields.optional('state'), loginHint: fields.optional('login_hint') };
  }

  async #token(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.headers.authorization !== undefined) throw wrongClient('the request has no Authorization header');
    const fields = await readJson(req);
    this.#authenticate(fields);
    if (fields.expect('grant_type', 'authorization_code', 'refresh_token') === 'refresh_token') return this.#refresh(res, fields);
    fields.only('client_id', 'client_secret', 'code_verifier', 'code', 'grant_type');
    const login = this.redeem(fields);
    if (login.codeChallenge === undefined) fields.without('code_verifier', 'the authorization request had no challenge');
    sendJson(res, 200, {
      token_type: 'Bearer',
      expires_in: this.settings.accessTokenSeconds,
      access_token: this.newAccessToken(login),
      ...(this.client.refreshToken ? { refresh_token: this.newRefreshToken(login) } : {}),
      userinfo: { id: login.account, email: `${login.account}@example.org`, resourceType: 'User' },
    });
  }

  #refresh(res: ServerResponse, fields: Fields): void {
    if (!this.client.refreshToken) throw wrongGrant('the client has no refresh tokens');
    fields.only('grant_type', 'client_id', 'client_secret', 'refresh_token');
    const login = this.refreshed(fields);
    if (login === undefined) return sendJson(res, 400, { error: 'invalid_grant' });
    sendJson(res, 200, { access_token: this.newAccessToken(login), token_type: 'Bearer', expires_in: this.settings.accessTokenSeconds });
  }

  #authenticate(fields: Fields): void {
    if (fields.need('client_id') !== this.clientId) throw wrongClient('client_id is wrong');
    if (!this.client.secretRequired) return fields.without('client_secret', 'a pkce client has no secret');
    if (fields.need('client_secret') !== this.clientSecret) throw wrongClient('client_secret is wrong');
  }

  #closeSession(req: IncomingMessage, res: ServerResponse): void {
    const login: Login | undefined = this.loginOf(req);
    if (login === undefined) throw new Departure('no access token that works', { status: 401, code: 'invalid_token' });
    login.ended = true;
    this.closedSessions += 1;
    if (this.client.firstParty) this.endBrowserSession(login);
    sendJson(res, 200, {});
  }
}
