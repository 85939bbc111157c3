/** One authorization server, as the rest of the package sees it: plain data in, plain data or our own errors out. */
import type { ProviderError } from '../errors.js';
import type { ResolvedProvider, TokenResponse } from '../types.js';
import { authorizationUrl } from './authorization-url.js';
import { exchangeCode } from './code-exchange.js';
import { connect, type ProviderDependencies } from './connection.js';
import { endSessionUrl, revoke } from './logout.js';
import { refresh } from './refresh.js';

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
  | { kind: 'unverified'; tokens: TokenResponse; error: ProviderError }
  /** The refreshed ID Token has another `iss`, `sub` or `aud` (OpenID Connect Core §12.2): the login must end. */
  | { kind: 'foreign'; refreshToken: string | undefined }
  /** The server refused the refresh token. `certain`: it said `invalid_grant` (RFC 6749 §5.2). */
  | { kind: 'refused'; certain: boolean }
  /** Anything else: the login goes on. It may be unknown whether the server carried the refresh out. */
  | { kind: 'failed'; error: ProviderError };

export interface Provider {
  readonly name: string;
  /** The authorization request. Protocol parameters come from us, the rest from `parameters` over the configured ones. */
  authorizationUrl(request: { state: string; nonce: string; codeVerifier: string; redirectUri: string; parameters: Readonly<Record<string, string>> }): Promise<URL>;
  /** Redeems the code of `callback`, the callback URL rebuilt from `baseUrl` with the query as it came. Throws LoginError or ProviderError. */
  exchangeCode(callback: URL, checks: CodeChecks): Promise<TokenResponse>;
  /** Redeems a refresh token; never throws. `idToken`: the newest one that we hold. */
  refresh(refreshToken: string, context: { idToken?: string | undefined; resource?: string | undefined; scope?: string | undefined }): Promise<RefreshOutcome>;
  /** RFC 7009. `false`: the server has no revocation endpoint. Throws ProviderError. */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<boolean>;
  /** OpenID Connect RP-Initiated Logout §2. `undefined`: the server has no such endpoint. */
  endSessionUrl(request: { idTokenHint?: string | undefined; postLogoutRedirectUri: string }): Promise<URL | undefined>;
}

/** Sends nothing yet. Throws ConfigurationError for options that can never work. */
export function createProvider(options: ResolvedProvider, deps: ProviderDependencies): Provider {
  const connection = connect(options, deps);
  return {
    name: options.name,
    authorizationUrl: (request) => authorizationUrl(connection, request),
    exchangeCode: (callback, checks) => exchangeCode(connection, callback, checks),
    refresh: (refreshToken, context) => refresh(connection, refreshToken, context),
    revoke: (token, hint) => revoke(connection, token, hint),
    endSessionUrl: (request) => endSessionUrl(connection, request),
  };
}
