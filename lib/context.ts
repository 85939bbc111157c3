/** What codeFlow() knows of a request, for the guards and the error handler; out of the app's reach. */
import type { IncomingMessage } from 'node:http';
import { hidden } from './hidden.js';
import type { LoginState } from './session/login-state.js';
import type { ResolvedOptions } from './types.js';

/** How a login starts by hand; `req.oauth.login()` takes the same. */
export interface LoginParameters {
  /** Where the browser goes afterwards; kept only if it lies on our origin. Default: `afterLogin`. */
  returnTo?: string;
  /** Added to the authorization request. Protocol parameters (`state`, `redirect_uri`, …) are left out. */
  authorizationParams?: Readonly<Record<string, string>>;
  /** One of `providers`. Default: the first. */
  provider?: string;
}

/**
 * A login that must come back as the same user, and as strong as was asked for.
 * @internal
 */
export interface StepUpParameters extends LoginParameters {
  /** `undefined`: nobody knows who that is. */
  subject: string | undefined;
  acrValues?: readonly string[];
  maxAgeSeconds?: number;
}

/** @internal */
export interface RequestContext {
  readonly options: ResolvedOptions;
  readonly state: LoginState;
  /** Makes sure of a usable access token. */
  ensureAccessToken(): Promise<void>;
  /** The scope of the current access token, after refreshes; `undefined` when the server never said. */
  grantedScope(): Promise<string | undefined>;
  /** `req.oauthFetch`, made at its first use. */
  readonly oauthFetch?: typeof fetch;
  /** The provider of the login that this request was to begin or to finish, once that is known: for starting it again. */
  loginProvider?: string;
  /** Answers with a redirect to the authorization server. */
  startLogin(parameters: LoginParameters | StepUpParameters): Promise<void>;
}

const contexts = hidden<RequestContext>();

/** @internal */
export function setContext(req: IncomingMessage, context: RequestContext): void {
  contexts.set(req, context);
}

/**
 * `undefined`: codeFlow() did not run on this request.
 * @internal
 */
export function contextOf(req: IncomingMessage): RequestContext | undefined {
  return contexts.get(req);
}

/**
 * The same for an object that inherits from the request.
 * @internal
 */
export function inheritedContextOf(req: object): RequestContext | undefined {
  return contexts.inherited(req);
}
