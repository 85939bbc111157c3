/** One authorization server, as the rest of the package sees it: plain data in, plain data or our own errors out. */
import type { ProviderError } from '../errors.js';
import type { TokenResponse } from '../types.js';
import type { LogoutTokenVerdict } from './logout-token.js';

/** What a callback must match (RFC 6749 §10.12, RFC 7636 §4.6, OpenID Connect Core §3.1.3.7). */
export interface CodeChecks {
  state: string;
  nonce: string;
  codeVerifier: string;
  /** The `max_age` that was asked for: `auth_time` is then required and checked. */
  maxAgeSeconds?: number;
}

/** How a refresh ended, by what has to be done about it. */
export type RefreshOutcome =
  /** A complete, verified answer. */
  | { kind: 'tokens'; tokens: TokenResponse }
  /** A usable answer whose ID Token could not be checked (keys out of reach, bad signature): its refresh token must be kept all the same. `tokens` has no ID Token. */
  | { kind: 'unverified'; tokens: TokenResponse; error: ProviderError; retryAfterSeconds?: number | undefined }
  /** The refreshed ID Token has another `iss`, `sub` or `aud` (OpenID Connect Core §12.2): the login must end. */
  | { kind: 'foreign'; refreshToken: string | undefined }
  /** The server refused the refresh token. `certain`: it said `invalid_grant` (RFC 6749 §5.2). */
  | { kind: 'refused'; certain: boolean }
  /**
   * Anything else: the login goes on. It may be unknown whether the server carried the refresh out. `retryAfterSeconds`: what the server asked
   * for (RFC 9110 §10.2.3), not what `error` advises where it said nothing. `aboutResource`: it refuses the resource or its scope, and may well
   * give other tokens for this refresh token.
   */
  | { kind: 'failed'; error: ProviderError; retryAfterSeconds?: number | undefined; aboutResource?: boolean };

export interface RefreshContext {
  /** The newest one that we hold. */
  readonly idToken?: string | undefined;
  readonly resource?: string | undefined;
  readonly scope?: string | undefined;
  /** After it the token is not sent any more, however long it took to find the server or to load what asks it. Default: `httpTimeoutSeconds` from then on. */
  readonly deadline?: AbortSignal | undefined;
}

/** The tokens of a login that ended, as far as they are known. */
export interface EndedTokens {
  accessToken?: string | undefined;
  refreshToken?: string | undefined;
  idToken?: string | undefined;
}

/** What is asked of the server itself, for which openid-client is loaded. */
export interface AuthorizationServer {
  /** Whether the server promises to name itself in every answer (RFC 9207 §3). Throws ProviderError while the server cannot be found. */
  promisesIssuer(): Promise<boolean>;
  /** The authorization request. Protocol parameters come from us, the rest from `parameters` over the configured ones. */
  authorizationUrl(request: { state: string; nonce: string; codeVerifier: string; redirectUri: string; parameters: Readonly<Record<string, string>> }): Promise<URL>;
  /**
   * Redeems the code of `callback`: the redirect URI that we sent, and as its query what came back, in the query or in the body of a form_post.
   * Refusing an answer by the wrong way (`responseMode`) is the caller's part. `claims` may be absent. Throws LoginError or ProviderError.
   */
  exchangeCode(callback: URL, checks: CodeChecks): Promise<TokenResponse>;
  /** Redeems a refresh token; never throws. */
  refresh(refreshToken: string, context: RefreshContext): Promise<RefreshOutcome>;
  /** RFC 7009. `false`: the server has no revocation endpoint, or it does not take this kind of token. Throws ProviderError. */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<boolean>;
  /** Ends what the server keeps of a login: its own logout call if it has one, and the revocation. Tries both. Throws ProviderError. */
  logout(tokens: EndedTokens): Promise<void>;
  /**
   * OpenID Connect RP-Initiated Logout §2. `undefined`: the server has no such endpoint. A hint that makes the address longer than servers take is
   * left out. Whoever adds a `state` gets it back at the post-logout redirect URI.
   */
  endSessionUrl(request: { idTokenHint?: string | undefined; postLogoutRedirectUri: string }): Promise<URL | undefined>;
  /** The server's `issuer`, in its own spelling. Throws ProviderError while the server cannot be found. */
  issuer(): Promise<string>;
  /** OpenID Connect Back-Channel Logout §2.6, without the part that needs a memory: a `jti` counts once. Throws ProviderError. */
  verifyLogoutToken(token: string): Promise<LogoutTokenVerdict>;
}

export interface Provider extends AuthorizationServer {
  readonly name: string;
  /** `query`: the answer is a GET. `form_post`: it is a cross-site POST, so that the login transaction's cookie needs SameSite=None. */
  readonly responseMode: 'query' | 'form_post';
  /** A callback route of its own, under `baseUrl`; absent: the common one. */
  readonly callbackPath: string | undefined;
  /** What is asked for at login, space-separated; `''`: nothing. */
  readonly scope: string;
  /** Whether this may be the server that calls itself so: as configured, without asking it. */
  mayBe(issuer: string): boolean;
}
