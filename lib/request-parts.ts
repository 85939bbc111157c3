/** What one request gets from codeFlow(). A class, and made when it is asked for where that is possible: each request pays for its closures. */
import { inheritedContextOf, setContext } from './context.js';
import type { LoginParameters, RequestContext, StepUpParameters } from './context.js';
import { createOAuthFetch } from './oauth-fetch.js';
import type { OAuthFetch } from './oauth-fetch.js';
import { refuseProtocolParameter } from './options/authorization-params.js';
import { createRequestOAuth } from './request-oauth.js';
import type { OAuthActions, RequestOAuth } from './request-oauth.js';
import { RequestTokens } from './request-tokens.js';
import type { RequestTokensSettings } from './request-tokens.js';
import { startLogin } from './routes/login.js';
import type { LoginSettings } from './routes/login.js';
import { logout } from './routes/logout.js';
import type { SignOutSettings } from './routes/logout.js';
import type { LoginState } from './session/login-state.js';
import type { RequestSession } from './session/opened-session.js';
import type { Request, ResolvedOptions, Response } from './types.js';

type Settings = RequestTokensSettings & LoginSettings & SignOutSettings;

class RequestParts implements RequestContext, OAuthActions {
  loginProvider?: string;
  readonly #settings: Settings;
  readonly #session: RequestSession;
  readonly #req: Request;
  readonly #res: Response;
  readonly #tokens: RequestTokens;
  #oauthFetch: OAuthFetch | undefined;

  constructor(settings: Settings, session: RequestSession, req: Request, res: Response) {
    this.#settings = settings;
    this.#session = session;
    this.#req = req;
    this.#res = res;
    this.#tokens = new RequestTokens(settings, session);
  }

  get options(): ResolvedOptions {
    return this.#settings.options;
  }
  get state(): LoginState {
    return this.#session.state;
  }
  get oauthFetch(): OAuthFetch {
    const { apis, fetch } = this.#settings.options;
    return (this.#oauthFetch ??= createOAuthFetch({ apis, fetch, accessToken: (wish) => this.#tokens.accessToken(wish) }));
  }

  async ensureAccessToken(): Promise<void> {
    await this.#tokens.accessToken({});
  }
  grantedScope(): Promise<string | undefined> {
    return this.#tokens.grantedScope();
  }
  startLogin(parameters: LoginParameters | StepUpParameters): Promise<void> {
    return startLogin(this.#settings, this.#req, this.#res, this.#session, parameters);
  }

  async getAccessToken(wish?: { resource?: string }): Promise<string> {
    return (await this.#tokens.accessToken({ resource: wish?.resource })).token;
  }
  async login(parameters: LoginParameters = {}): Promise<void> {
    for (const name of Object.keys(parameters.authorizationParams ?? {})) refuseProtocolParameter(name, 'authorizationParams');
    return this.startLogin(parameters);
  }
  logout(parameters: { returnTo?: string } = {}): Promise<void> {
    return logout(this.#settings, this.#res, this.#session, parameters.returnTo);
  }
  sessionId(): string | undefined {
    return this.#session.handle;
  }
  watch(): AbortSignal | undefined {
    return this.#session.watch(this.#res)?.signal;
  }
}

/** Shared by all requests. What an app puts in its place stays there. */
const oauthFetchMember: PropertyDescriptor & ThisType<Request> = {
  configurable: true,
  enumerable: true,
  get(): OAuthFetch | undefined {
    return inheritedContextOf(this)?.oauthFetch;
  },
  set(value: unknown) {
    Object.defineProperty(this, 'oauthFetch', { configurable: true, enumerable: true, writable: true, value });
  },
};

/** Puts `oauth` and `oauthFetch` on the request, and what the guards need beside it. */
export function attachParts(settings: Settings, session: RequestSession, req: Request, res: Response): void {
  const parts = new RequestParts(settings, session, req, res);
  setContext(req, parts);
  (req as Request & { oauth?: RequestOAuth }).oauth = createRequestOAuth(session.state, parts);
  Object.defineProperty(req, 'oauthFetch', oauthFetchMember);
}
