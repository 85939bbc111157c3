/** `req.oauth`: who is logged in, and how to get tokens and start the flows by hand. */
import type { LoginParameters } from './context.js';
import type { LoginRecord } from './session/login-record.js';
import type { LoginState } from './session/login-state.js';
import type { Claims } from './types.js';

interface OAuthMethods {
  /**
   * A usable access token, refreshed if need be. Rejects with AuthenticationRequiredError without a login, ProviderError
   * (503, with `retryAfterSeconds`) when it cannot be renewed right now, StoreError when the store cannot tell.
   * @param wish.resource RFC 8707: the token of that API instead of the login's own.
   */
  getAccessToken(wish?: { resource?: string }): Promise<string>;
  /** Answers this request with a redirect to the authorization server. Rejects with ProviderError if that cannot be found. */
  login(parameters?: LoginParameters): Promise<void>;
  /**
   * Ends the login here, revokes its refresh token, then answers with a redirect to the authorization server's logout. Rejects with
   * StoreError if it could not be ended. Where the request comes from is not looked at: that is your route's to check.
   * @param parameters.returnTo Where the browser ends up, on the app's own origin. Default `afterLogout`.
   */
  logout(parameters?: { returnTo?: string }): Promise<void>;
}

/** Somebody is logged in. */
export interface AuthenticatedOAuth extends OAuthMethods {
  readonly isAuthenticated: true;
  /** Empty where the authorization server does not tell who logged in. */
  readonly claims: Partial<Claims>;
  /** `sub`: identifies the user together with the provider; `undefined`: the authorization server does not tell. */
  readonly subject: string | undefined;
  /** The name of the provider in the options; `default` for a single one. */
  readonly provider: string;
  /** Names this login for `grant()` in background jobs. As good as a key to the user's tokens: never show or log it. */
  readonly grantId: string;
  /** Names this session in `listSessions()` and for `endSessions()`; opens nothing. */
  readonly sessionId: string;
  /** When the login ends at the latest, epoch seconds; without requests it ends earlier (`session.idleTimeoutSeconds`). */
  readonly expiresAt: number;
  /** The scope granted at login, space-separated; the one asked for where the server did not say. */
  readonly scope: string | undefined;
  /**
   * Aborts about a second after the login has ended, in whichever process that was, with an AuthenticationRequiredError as its reason: end a
   * stream of server-sent events then. It watches from its first use until this request's answer is closed, at one Redis command per second
   * and login; while Redis cannot tell, it waits.
   */
  readonly signal: AbortSignal;
}

/** Nobody is logged in. */
export interface AnonymousOAuth extends OAuthMethods {
  readonly isAuthenticated: false;
  readonly claims: undefined;
  readonly subject: undefined;
  readonly provider: undefined;
  readonly grantId: undefined;
  readonly sessionId: undefined;
  readonly expiresAt: undefined;
  readonly scope: undefined;
  readonly signal: undefined;
}

/** `req.oauth`. Reading any of its facts throws StoreError when the store cannot tell whether somebody is logged in. */
export type RequestOAuth = AuthenticatedOAuth | AnonymousOAuth;

/**
 * What the members do; wired by code-flow.
 * @internal
 */
export interface OAuthActions extends OAuthMethods {
  sessionId(): string | undefined;
  /** Begins to watch for the end of the login. */
  watch(): AbortSignal | undefined;
}

class RequestFacts implements OAuthMethods {
  readonly #state: LoginState;
  readonly #actions: OAuthActions;
  #signal: AbortSignal | undefined;

  constructor(state: LoginState, actions: OAuthActions) {
    this.#state = state;
    this.#actions = actions;
  }

  get #login(): LoginRecord | undefined {
    if (this.#state.kind === 'unknown') throw this.#state.error;
    return this.#state.kind === 'authenticated' ? this.#state.login : undefined;
  }

  get isAuthenticated(): boolean {
    return this.#login !== undefined;
  }
  get claims(): Partial<Claims> | undefined {
    return this.#login?.claims;
  }
  get subject(): string | undefined {
    return this.#login?.subject;
  }
  get provider(): string | undefined {
    return this.#login?.provider;
  }
  get grantId(): string | undefined {
    return this.#login?.grantId;
  }
  get sessionId(): string | undefined {
    return this.#login === undefined ? undefined : this.#actions.sessionId();
  }
  get expiresAt(): number | undefined {
    return this.#login?.expiresAt;
  }
  get scope(): string | undefined {
    return this.#login?.scope;
  }
  get signal(): AbortSignal | undefined {
    return this.#login === undefined ? undefined : (this.#signal ??= this.#actions.watch());
  }

  getAccessToken(wish?: { resource?: string }): Promise<string> {
    return this.#actions.getAccessToken(wish);
  }
  login(parameters?: LoginParameters): Promise<void> {
    return this.#actions.login(parameters);
  }
  logout(parameters?: { returnTo?: string }): Promise<void> {
    return this.#actions.logout(parameters);
  }
}

/** @internal */
export function createRequestOAuth(state: LoginState, actions: OAuthActions): RequestOAuth {
  return new RequestFacts(state, actions) as RequestOAuth; // `isAuthenticated` tells the two shapes apart, as #login does here
}
