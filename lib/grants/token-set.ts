/** The tokens of one login. Pure data and the rules of RFC 6749 §5.1 and §6 for replacing them. */
import type { TokenResponse } from '../types.js';

/** The key of the access token that came without a resource indicator. */
export const DEFAULT_RESOURCE = '';

export interface AccessToken {
  readonly token: string;
  /** Seconds, as the server said; absent: it did not say. The remaining time is kept by the store's clock. */
  readonly lifetimeSeconds?: number;
  /** Absent: as requested. */
  readonly scope?: string;
}

/** Whose tokens these are: what a background job needs that knows the grant id alone. */
export interface GrantLogin {
  /** The key of the provider in the options. */
  readonly provider: string;
  /** As in the login record. */
  readonly registration?: string;
  readonly subject?: string;
  /** Epoch seconds. */
  readonly loginAt: number;
  /** The end of the login, epoch seconds. */
  readonly expiresAt: number;
}

export interface TokenSet {
  readonly login?: GrantLogin;
  /** By RFC 8707 resource; `''` is the token of the login itself. */
  readonly accessTokens: Readonly<Record<string, AccessToken>>;
  readonly refreshToken?: string;
  /** The newest one, for `id_token_hint` and for comparing the next one. */
  readonly idToken?: string;
}

function accessToken(response: TokenResponse, previous: AccessToken | undefined): AccessToken {
  const scope = response.scope ?? previous?.scope; // absent: unchanged (RFC 6749 §6)
  return {
    token: response.accessToken,
    ...(response.expiresInSeconds === undefined ? {} : { lifetimeSeconds: response.expiresInSeconds }),
    ...(scope === undefined ? {} : { scope }),
  };
}

/** An app may ask for any name: what every object inherits is no token. */
export function accessTokenFor(tokens: TokenSet | undefined, resource: string): AccessToken | undefined {
  return tokens !== undefined && Object.hasOwn(tokens.accessTokens, resource) ? tokens.accessTokens[resource] : undefined;
}

/**
 * What is held after this answer: the new access token in place of its predecessor, and the old refresh token and ID
 * Token where the answer has none (RFC 6749 §6, OpenID Connect Core §12.2).
 */
export function nextTokenSet(response: TokenResponse, previous: TokenSet | undefined, resource: string): TokenSet {
  const refreshToken = response.refreshToken ?? previous?.refreshToken;
  const idToken = response.idToken ?? previous?.idToken;
  return {
    ...(previous?.login === undefined ? {} : { login: previous.login }),
    accessTokens: { ...previous?.accessTokens, [resource]: accessToken(response, accessTokenFor(previous, resource)) },
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(idToken === undefined ? {} : { idToken }),
  };
}

/** The same tokens with a newer refresh token: for an answer of which nothing else could be trusted yet. */
export function withRefreshToken(previous: TokenSet, refreshToken: string | undefined): TokenSet {
  return refreshToken === undefined ? previous : { ...previous, refreshToken };
}
