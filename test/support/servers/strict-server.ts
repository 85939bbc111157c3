/**
 * What the emulators share: browsers log in on a page, codes and tokens are remembered, an API takes the tokens, and every
 * request that departs from the system's document is refused and recorded. What a document leaves open is as in RFC 6749.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, sendJson, type ListeningServer } from '../http.js';
import { Departure, Fields, bearerToken, readForm, wrongGrant } from './fields.js';
import { isAlive, verifies, type ApiCall, type Authorization, type IssuedCode, type IssuedToken, type Login } from './logins.js';
import { loginForm, page } from './pages.js';

export type { ApiCall, Authorization, Login } from './logins.js';

export type Handler = (req: IncomingMessage, res: ServerResponse, url: URL) => Promise<void> | void;

/** A departure from the document. Names and reasons only, never a value. */
export interface Refusal {
  /** Method and path. */
  endpoint: string;
  reason: string;
}

type Visitor = Pick<Login, 'account' | 'browserSession'>;

/** May be changed while the server runs. */
export interface Settings {
  accessTokenSeconds: number;
  refreshTokenSeconds: number;
  /** The user says no, or the server does: `error` of the callback (RFC 6749 §4.1.2.1). */
  refuseLogin: string | undefined;
}

export abstract class StrictServer {
  readonly clientId = 'web';
  readonly settings: Settings;
  readonly refusals: Refusal[] = [];
  readonly apiCalls: ApiCall[] = [];
  readonly counters = { authorizations: 0, loginForms: 0, exchanges: 0, refreshes: 0, revocations: 0 };
  protected readonly accessTokens = new Map<string, IssuedToken>();
  protected readonly refreshTokens = new Map<string, IssuedToken>();
  readonly #codes = new Map<string, IssuedCode>();
  /** The accounts that are logged in at the server, by the cookie of their browser. */
  readonly #browserSessions = new Map<string, string>();
  readonly #redirectUris = new Set<string>();
  #listening: ListeningServer | undefined;

  constructor(settings: Partial<Settings> & Pick<Settings, 'accessTokenSeconds'>) {
    this.settings = { refreshTokenSeconds: 30 * 86_400, refuseLogin: undefined, ...settings };
  }

  /** Where the emulator stands in for the system's host, without a trailing slash. */
  get origin(): string {
    return `http://127.0.0.1:${this.#listening?.port ?? 0}`;
  }

  /** An API that takes this server's tokens; what belongs into `apis`. */
  get apiUrl(): string {
    return `${this.origin}/api/`;
  }

  protected abstract readonly authorizePaths: readonly string[];
  /** Every endpoint of the document but the authorization endpoint, by method and path. */
  protected abstract readonly endpoints: Readonly<Record<string, Handler>>;
  /** Throws Departure for a request that the document does not allow. */
  protected abstract checkAuthorization(fields: Fields, path: string): Authorization;

  async start(): Promise<this> {
    this.#listening = await listen(() => (req, res) => {
      this.#serve(req, res).catch((error: unknown) => this.#refuse(req, res, error));
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.#listening?.close();
  }

  registerRedirectUri(redirectUri: string): void {
    this.#redirectUris.add(redirectUri);
  }

  /** From now on the API refuses every access token that was given out. */
  expireAccessTokens(): void {
    for (const token of this.accessTokens.values()) token.endsAt = 0;
  }

  expireRefreshTokens(): void {
    for (const token of this.refreshTokens.values()) token.endsAt = 0;
  }

  /** Everybody has to log in at the server again. */
  closeBrowserSessions(): void {
    this.#browserSessions.clear();
  }

  /** What is still good for something. */
  get live(): { accessTokens: number; refreshTokens: number; browserSessions: number } {
    const alive = (tokens: ReadonlyMap<string, IssuedToken>): number => [...tokens.values()].filter(isAlive).length;
    return { accessTokens: alive(this.accessTokens), refreshTokens: alive(this.refreshTokens), browserSessions: this.#browserSessions.size };
  }

  /** The wrong password: by default the form again. */
  protected wrongCredentials(res: ServerResponse, { loginHint }: Authorization): void {
    page(res, 200, loginForm(loginHint));
  }

  /** What a right password alone does not open. */
  protected accepts(_request: Authorization): boolean {
    return true;
  }

  /** The endpoint found a departure in an authorization request whose redirect URI is good (RFC 6749 §4.1.2.1). */
  protected refuseAuthorization(res: ServerResponse, departure: Departure, redirectUri: string, state: string | undefined): void {
    goBack(res, redirectUri, { error: departure.code, state });
  }

  protected checkRedirectUri(fields: Fields): string {
    fields.expect('client_id', this.clientId);
    return fields.expect('redirect_uri', ...this.#redirectUris);
  }

  protected get firstRedirectUri(): string | undefined {
    return [...this.#redirectUris][0];
  }

  protected checkS256(fields: Fields): string {
    fields.expect('code_challenge_method', 'S256');
    const challenge = fields.need('code_challenge');
    if (!/^[\w-]{43}$/.test(challenge)) throw new Departure('code_challenge is no SHA-256');
    return challenge;
  }

  /** Takes the code once (RFC 6749 §4.1.2), with the verifier of its challenge (RFC 7636 §4.6). */
  protected redeem(fields: Fields): Login {
    const issued = this.#codes.get(fields.need('code'));
    if (issued === undefined) throw wrongGrant('code was never given out');
    if (issued.redeemed) throw wrongGrant('code was redeemed before');
    issued.redeemed = true;
    const { codeChallenge } = issued.login;
    const verifier = fields.optional('code_verifier');
    if (codeChallenge !== undefined && (verifier === undefined || !verifies(verifier, codeChallenge))) throw wrongGrant('code_verifier does not fit');
    this.counters.exchanges += 1;
    return issued.login;
  }

  /** `undefined`: the token has ended, which no client can know before. */
  protected refreshed(fields: Fields): Login | undefined {
    const token = this.refreshTokens.get(fields.need('refresh_token'));
    if (token === undefined) throw wrongGrant('refresh_token was never given out');
    if (token.spent) throw wrongGrant('refresh_token was replaced before');
    if (!isAlive(token)) return undefined;
    this.counters.refreshes += 1;
    return token.login;
  }

  protected newAccessToken(login: Login, text: string = randomUUID()): string {
    this.accessTokens.set(text, { login, spent: false, endsAt: Date.now() + this.settings.accessTokenSeconds * 1000 });
    return text;
  }

  protected newRefreshToken(login: Login): string {
    const text = randomUUID();
    this.refreshTokens.set(text, { login, spent: false, endsAt: Date.now() + this.settings.refreshTokenSeconds * 1000 });
    return text;
  }

  /** The login behind an access token that still works. */
  protected loginOf(req: IncomingMessage): Login | undefined {
    const token = this.accessTokens.get(bearerToken(req) ?? '');
    return token !== undefined && isAlive(token) ? token.login : undefined;
  }

  protected endBrowserSession({ browserSession }: Login): void {
    this.#browserSessions.delete(browserSession);
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', this.origin);
    if (this.authorizePaths.includes(url.pathname)) return this.#authorize(req, res, url);
    if (url.pathname.startsWith('/api/')) return this.#answerApi(req, res, url);
    const handler = this.endpoints[`${req.method} ${url.pathname}`];
    if (handler === undefined) throw new Departure('the document has no such endpoint', { status: 404 });
    return handler(req, res, url);
  }

  #refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    const departure = error instanceof Departure ? error : new Departure(`unreadable: ${String(error)}`);
    this.refusals.push({ endpoint: `${req.method} ${new URL(req.url ?? '/', this.origin).pathname}`, reason: departure.message });
    if (req.headers['sec-fetch-mode'] === 'navigate') page(res, departure.status, '<h1>Bad Request</h1>');
    else sendJson(res, departure.status, { error: departure.code });
  }

  async #authorize(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    if (req.method === 'GET') this.counters.authorizations += 1;
    const fields = new Fields(url.searchParams);
    let request: Authorization;
    try {
      request = this.checkAuthorization(fields, url.pathname);
    } catch (error) {
      if (!(error instanceof Departure) || !this.#redirectUris.has(fields.optional('redirect_uri') ?? '')) throw error;
      this.refusals.push({ endpoint: `${req.method} ${url.pathname}`, reason: error.message });
      return this.refuseAuthorization(res, error, fields.need('redirect_uri'), fields.optional('state'));
    }
    const visitor = req.method === 'POST' ? await this.#submitted(req, res, url, request) : this.#returning(req, request);
    if (visitor === undefined) return this.#askWhoIsThere(req, res, request);
    if (this.settings.refuseLogin !== undefined) return goBack(res, request.redirectUri, { error: this.settings.refuseLogin, state: request.state });
    const code = randomUUID();
    this.#codes.set(code, { login: { ...request, ...visitor, ended: false }, redeemed: false });
    goBack(res, request.redirectUri, { code, state: request.state });
  }

  #askWhoIsThere(req: IncomingMessage, res: ServerResponse, request: Authorization): void {
    if (req.method === 'POST') return this.wrongCredentials(res, request);
    if (request.prompt === 'none') return goBack(res, request.redirectUri, { error: 'login_required', state: request.state });
    page(res, 200, loginForm(request.loginHint));
  }

  /** Everybody has an account but `stranger`. */
  async #submitted(req: IncomingMessage, res: ServerResponse, url: URL, request: Authorization): Promise<Visitor | undefined> {
    this.counters.loginForms += 1;
    const account = (await readForm(req)).need('username');
    if (account === 'stranger' || !this.accepts(request)) return undefined;
    const browserSession = randomUUID();
    this.#browserSessions.set(browserSession, account);
    res.setHeader('Set-Cookie', `server_session=${browserSession}; Path=${url.pathname}; HttpOnly`);
    return { account, browserSession };
  }

  #returning(req: IncomingMessage, request: Authorization): Visitor | undefined {
    if (request.prompt === 'login') return undefined;
    const browserSession = /(?:^|; )server_session=([^;]+)/.exec(req.headers.cookie ?? '')?.[1] ?? '';
    const account = this.#browserSessions.get(browserSession);
    return account === undefined || !this.accepts(request) ? undefined : { account, browserSession };
  }

  /** RFC 6750 §3.1. */
  #answerApi(req: IncomingMessage, res: ServerResponse, { pathname }: URL): void {
    const login = this.loginOf(req);
    const status = login === undefined ? 401 : 200;
    this.apiCalls.push({ path: pathname, status, account: login?.account });
    if (login === undefined) sendJson(res, status, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    else sendJson(res, status, { sub: login.account, scope: login.scope, ...login.detail });
  }
}

function goBack(res: ServerResponse, redirectUri: string, parameters: Readonly<Record<string, string | undefined>>): void {
  const location = new URL(redirectUri);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) location.searchParams.set(name, value);
  res.writeHead(302, { Location: location.href }).end();
}
