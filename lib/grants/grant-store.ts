/**
 * Where grants live: one record per login, holding the versioned token set and the refresh lock.
 *
 * Every operation is one atomic step on one record and may be carried out twice, late, or after its caller died.
 * All instants are the store's own; callers deal in durations.
 */
import type { TokenSet } from './token-set.js';

/** A version of the token set. `leftMs` is for the resource that was asked for: absent when the server named no lifetime. */
export interface VersionedTokens {
  readonly version: number;
  readonly tokens: TokenSet;
  readonly leftMs?: number;
}

/** The record does not exist: never created, logged out, expired or evicted. */
interface Gone {
  readonly kind: 'gone';
}
/** The authorization server refused the refresh token for good. */
interface Ended {
  readonly kind: 'ended';
}

export type ReadAnswer = ({ readonly kind: 'alive' } & VersionedTokens) | Gone | Ended;

export type AcquireAnswer =
  /** The lock is ours. `takeover`: its last holder never let go. `failures`: refreshes that failed in a row. `resourceFailures`: those of the resource alone. */
  | ({ readonly kind: 'acquired'; readonly takeover: boolean; readonly failures: number; readonly resourceFailures: number } & VersionedTokens)
  | ({ readonly kind: 'newer' } & VersionedTokens)
  | { readonly kind: 'busy'; readonly leftMs: number }
  | { readonly kind: 'backing off'; readonly leftMs: number }
  | Gone
  | Ended;

export type CommitAnswer =
  | { readonly kind: 'committed'; readonly version: number }
  /** Somebody else was first: theirs is the truth, ours must not be revoked (it may be the same grant at the server). */
  | ({ readonly kind: 'stale' } & VersionedTokens)
  /** Logged out meanwhile: ours must be revoked. */
  | Gone;

export type FailAnswer =
  | { readonly kind: 'recorded' }
  /** The grant has ended: refused for good, or refused probably for the second time. */
  | Ended
  | ({ readonly kind: 'newer' } & VersionedTokens)
  /** The lock was lost to another process: what it does counts. */
  | { readonly kind: 'lost' }
  | Gone;

/** One attempt at a refresh, named in all its steps. */
export interface Attempt {
  readonly grantId: string;
  /** RFC 8707; `''` for the login's own token. */
  readonly resource: string;
  /** Unique to the attempt; makes its steps repeatable. */
  readonly owner: string;
  /** The version that it starts from. */
  readonly version: number;
  /** The resource whose pause counts beside the login's. Default `resource`; `''` where no server is asked. */
  readonly pausing?: string;
}

export interface Commit {
  readonly tokens: TokenSet;
  /** The version to write; above `attempt.version`. */
  readonly newVersion: number;
  /** The access token's remaining time; `undefined`: unknown; `keep`: the access token is still the old one. */
  readonly leftMs: number | 'keep' | undefined;
  /** No new attempt before this time, for answers that were kept without being complete. */
  readonly backOffMs: number;
  /** How long the record lives without being touched. */
  readonly keepMs: number;
}

/**
 * `refused`: for good. `doubtful`: probably refused; ends the grant when it comes again for the same version. `resource`: refused for what was
 * asked with the resource, so that only this resource backs off. `failed`: anything else.
 */
export type Failure = 'refused' | 'doubtful' | 'resource' | 'failed';

/**
 * Refusals of further resources count as `failed`: an app that takes resources from its users must not let them keep the server busy. One is
 * forgotten when that very resource is renewed, or with the grant.
 */
export const MOST_RESOURCE_PAUSES = 20;

export interface GrantStore {
  create(grantId: string, tokens: TokenSet, leftMs: number | undefined, keepMs: number): Promise<void>;
  read(grantId: string, resource: string): Promise<ReadAnswer>;
  /** Grants the lock for `attempt.version`, or says why not. */
  acquire(attempt: Attempt, leaseMs: number): Promise<AcquireAnswer>;
  /** The first commit for a version wins. Does not ask for the lock: a late answer may hold the only living refresh token. */
  commit(attempt: Attempt, commit: Commit): Promise<CommitAnswer>;
  /** Lets go of the lock. */
  fail(attempt: Attempt, failure: Failure, backOffMs: number): Promise<FailAnswer>;
  /** Lets the record live for this time from now on. */
  renew(grantId: string, keepMs: number): Promise<void>;
  /** Deletes the record; answers what it held. */
  destroy(grantId: string): Promise<TokenSet | undefined>;
  /** Deletes by the hashes of the ids, for those who must not know the ids: what the records held stays closed. */
  destroyHashed(hashes: readonly string[]): Promise<void>;
}
