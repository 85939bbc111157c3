/**
 * The errors of this package, classified by who can mend them.
 *
 * `code` is the contract and never changes its meaning; the message is for people and may change.
 * No message, property or `cause` holds a token, code, verifier, cookie, secret or session id.
 */

/** What an error may carry besides its code and message. */
interface CodeFlowErrorOptions {
  /** Seconds after which trying again makes sense; sent as `Retry-After` (RFC 9110 §10.2.3). */
  retryAfterSeconds?: number;
  /** A cause that was checked to hold nothing secret. Errors of openid-client and ioredis never qualify. */
  cause?: Error;
}

/** The base of every error that this package creates. */
export abstract class CodeFlowError extends Error {
  /** Stable, for programs: `ERR_CODE_FLOW_…`. */
  readonly code: CodeFlowErrorCode;
  /** The HTTP status that `handleAuthErrors()` answers with; Express' own error handler reads it too. */
  abstract readonly status: number;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number;

  constructor(code: CodeFlowErrorCode, message: string, options: CodeFlowErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    if (options.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The app is set up wrongly: its developer can mend it. Thrown at start-up wherever possible. */
export class ConfigurationError extends CodeFlowError {
  readonly status = 500;
}

/** A login could not be finished: the user can start it again. */
export class LoginError extends CodeFlowError {
  readonly status = 400;
  /** The authorization server's `error` (RFC 6749 §4.1.2.1), if it is a registered one. Its description is never kept. */
  readonly providerError?: string;

  constructor(code: CodeFlowErrorCode, message: string, options: CodeFlowErrorOptions & { providerError?: string } = {}) {
    super(code, message, options);
    if (options.providerError !== undefined) this.providerError = options.providerError;
  }
}

/** What a step-up asks of the authorization server (OpenID Connect Core §3.1.2.1, RFC 9470 §4). */
export interface StepUp {
  /** Acceptable authentication context classes, best first. */
  acrValues?: readonly string[];
  /** The login may be at most this old, in seconds. */
  maxAgeSeconds?: number;
}

/** There is no login, or it has ended, or it is not strong or fresh enough: the user can mend it by logging in. */
export class AuthenticationRequiredError extends CodeFlowError {
  readonly status = 401;
  /** Present when the user is logged in, but has to authenticate again or better. */
  readonly stepUp?: StepUp;
  /** Present when only a login at this provider will do. */
  readonly provider?: string;

  constructor(code: CodeFlowErrorCode, message: string, options: CodeFlowErrorOptions & { stepUp?: StepUp; provider?: string | undefined } = {}) {
    super(code, message, options);
    if (options.stepUp !== undefined) this.stepUp = options.stepUp;
    if (options.provider !== undefined) this.provider = options.provider;
  }
}

/** The user is logged in and lacks a right, or the request came from a foreign origin. */
export class AccessDeniedError extends CodeFlowError {
  readonly status = 403;
}

/** The authorization server is down, slow, wrong, or refuses our registration: its operator or ours can mend it. Signs out nobody. */
export class ProviderError extends CodeFlowError {
  readonly status: 502 | 503 | 504;

  constructor(code: CodeFlowErrorCode, status: 502 | 503 | 504, message: string, options: CodeFlowErrorOptions = {}) {
    super(code, message, options);
    this.status = status;
  }
}

/** The session store cannot tell: whoever runs Redis can mend it. Signs out nobody. */
export class StoreError extends CodeFlowError {
  readonly status = 503;

  constructor(code: CodeFlowErrorCode, message: string, options: CodeFlowErrorOptions = {}) {
    super(code, message, { retryAfterSeconds: 2, ...options });
  }
}

/** Every code, with the class that carries it. `docs/errors.md` says of each how it comes about and what to do. */
export type CodeFlowErrorCode =
  // ConfigurationError
  | 'ERR_CODE_FLOW_OPTION_MISSING'
  | 'ERR_CODE_FLOW_OPTION_UNKNOWN'
  | 'ERR_CODE_FLOW_OPTION_INVALID'
  | 'ERR_CODE_FLOW_OPTION_CONFLICT'
  | 'ERR_CODE_FLOW_SECRET_WEAK'
  | 'ERR_CODE_FLOW_HTTP_REFUSED'
  | 'ERR_CODE_FLOW_MEMORY_IN_PRODUCTION'
  | 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE'
  | 'ERR_CODE_FLOW_REDIS_EVICTS'
  | 'ERR_CODE_FLOW_BASE_URL_MISMATCH'
  | 'ERR_CODE_FLOW_COOKIE_LOST'
  | 'ERR_CODE_FLOW_COOKIE_AMBIGUOUS'
  | 'ERR_CODE_FLOW_NOT_MOUNTED'
  | 'ERR_CODE_FLOW_MOUNTED_TWICE'
  | 'ERR_CODE_FLOW_API_NOT_LISTED'
  | 'ERR_CODE_FLOW_AUTHORIZATION_HEADER'
  // LoginError
  | 'ERR_CODE_FLOW_PROVIDER_UNKNOWN'
  | 'ERR_CODE_FLOW_CALLBACK_INVALID'
  | 'ERR_CODE_FLOW_STATE_MISSING'
  | 'ERR_CODE_FLOW_STATE_UNKNOWN'
  | 'ERR_CODE_FLOW_LOGIN_USED'
  | 'ERR_CODE_FLOW_LOGIN_REFUSED'
  | 'ERR_CODE_FLOW_CODE_REFUSED'
  | 'ERR_CODE_FLOW_ISSUER_MISMATCH'
  | 'ERR_CODE_FLOW_ID_TOKEN_INVALID'
  | 'ERR_CODE_FLOW_CLOCK_SKEW'
  | 'ERR_CODE_FLOW_SUBJECT_MISMATCH'
  | 'ERR_CODE_FLOW_ACR_NOT_MET'
  | 'ERR_CODE_FLOW_NOT_A_NAVIGATION'
  | 'ERR_CODE_FLOW_LOGIN_LOOP'
  | 'ERR_CODE_FLOW_SIGNED_OUT'
  // AuthenticationRequiredError
  | 'ERR_CODE_FLOW_LOGIN_REQUIRED'
  | 'ERR_CODE_FLOW_LOGIN_ENDED'
  | 'ERR_CODE_FLOW_STEP_UP_REQUIRED'
  // AccessDeniedError
  | 'ERR_CODE_FLOW_SCOPE_MISSING'
  | 'ERR_CODE_FLOW_CLAIMS_REFUSED'
  | 'ERR_CODE_FLOW_CROSS_ORIGIN'
  | 'ERR_CODE_FLOW_SESSION_UNKNOWN'
  // ProviderError
  | 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'
  | 'ERR_CODE_FLOW_PROVIDER_TIMEOUT'
  | 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'
  | 'ERR_CODE_FLOW_CLIENT_REFUSED'
  | 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE'
  // StoreError
  | 'ERR_CODE_FLOW_STORE_UNAVAILABLE'
  | 'ERR_CODE_FLOW_STORE_TIMEOUT'
  | 'ERR_CODE_FLOW_LOGOUT_INCOMPLETE'
  | 'ERR_CODE_FLOW_CLOSED';
