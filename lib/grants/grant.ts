/** What the token manager is told and gives: a login, a wish, a token. */
import type { GrantProvider } from '../provider-registry.js';
import type { AccessToken } from './token-set.js';

/** A login, as far as its tokens go. */
export interface Grant {
  readonly grantId: string;
  readonly provider: GrantProvider;
  /** Stands for the server that the login was made at. */
  readonly registration?: string | undefined;
  /** Whose login it is: a refreshed ID Token must name nobody else. */
  readonly subject: string | undefined;
  /** The end of the login, epoch seconds. */
  readonly expiresAt: number;
  /** Epoch seconds. */
  readonly loginAt: number;
  /** When the session store last vouched for the login, monotonic milliseconds. */
  readonly confirmedAt: number;
}

export interface TokenWish {
  /** The only provider whose token will do. Default: any. */
  readonly provider?: string | undefined;
  /** RFC 8707; default: the login's own token. */
  readonly resource?: string | undefined;
  /** Asked for with a resource's token. */
  readonly scope?: string | undefined;
  /** An API refused the token of this version: an older or equal one will not do (THREATS F7). */
  readonly refusedVersion?: number | undefined;
  /** Cancels this caller's waiting, never the refresh. */
  readonly signal?: AbortSignal | undefined;
}

export interface UsableToken extends AccessToken {
  readonly version: number;
}
