/** What a refresh is asked for, and what it gives. */
import type { GrantProvider } from '../provider-registry.js';
import type { TokenResponse } from '../types.js';
import type { Attempt, Commit, VersionedTokens } from './grant-store.js';

/** What is to be refreshed, and from which version on. */
export interface RefreshRequest {
  readonly grantId: string;
  readonly provider: GrantProvider;
  readonly subject: string | undefined;
  readonly resource: string;
  readonly scope: string | undefined;
  /** The version that is too old. */
  readonly version: number;
  readonly keepMs: number;
  /** Whether to wait while another process refreshes; a refresh in the background need not. */
  readonly wait: boolean;
}

/** For logins whose first answer had no ID Token to compare with. Where nobody knows who logged in, there is nobody to be another. */
export const namesAnother = ({ claims }: TokenResponse, { subject }: RefreshRequest): boolean =>
  claims !== undefined && subject !== undefined && claims.sub !== subject;

export const attemptOf = ({ grantId, resource, version }: RefreshRequest, owner: string): Attempt => ({ grantId, resource, owner, version });

/**
 * `redeemed`: by this very call, so that the access token is as new as can be. `owner`: of the commit that it was stored with. `spent`: the
 * refresh token that it was redeemed for.
 */
export type Refreshed = VersionedTokens & { readonly redeemed: boolean; readonly owner?: string; readonly spent?: string | undefined };

/** What a commit stored, as a reader would see it. */
export function versioned(version: number, { tokens, leftMs }: Commit): VersionedTokens {
  return { version, tokens, ...(typeof leftMs === 'number' ? { leftMs } : {}) };
}

/** The same commit, so much later: its access token has less time left. */
export function aged(commit: Commit, elapsedMs: number): Commit {
  const { leftMs } = commit;
  return typeof leftMs === 'number' ? { ...commit, leftMs: Math.max(0, Math.round(leftMs - elapsedMs)) } : commit;
}
