/**
 * When Redis lost an acknowledged commit in a fail-over (FAULTS 19), the process that still knows it puts it back. Others may have refreshed
 * from the older state meanwhile: then their tokens are the later ones, and only get a version above all that was served, so that
 * versions never go back for anybody.
 */
import { randomUUID } from 'node:crypto';
import type { GrantStore, VersionedTokens } from './grant-store.js';
import type { Known } from './held-tokens.js';
import type { Locks } from './lock.js';
import { loginEnded, loginRequired } from './refresh-outcomes.js';
import { attemptOf } from './refresh-request.js';
import type { RefreshRequest } from './refresh-request.js';

export interface Healer {
  /** `request.version`: the one that the store shows. Resolves when it shows `newest`, or something later. */
  heal(request: RefreshRequest, newest: Known): Promise<void>;
}

interface HealerSettings {
  readonly store: GrantStore;
  readonly locks: Locks;
  readonly healed: (request: RefreshRequest, version: number) => void;
  /** Logged out meanwhile: what only this process knew must not live on at the server. */
  readonly revoke: (request: RefreshRequest, refreshToken: string | undefined) => void;
}

/** Whether the store shows another past than the one that this process knows. */
export function wentBack(shown: VersionedTokens, { version, tokens }: VersionedTokens, resource: string): boolean {
  if (shown.version !== version) return shown.version < version;
  return shown.tokens.refreshToken !== tokens.refreshToken || shown.tokens.accessTokens[resource]?.token !== tokens.accessTokens[resource]?.token;
}

/** Of two lines that parted, the one whose token ends later was redeemed later. */
function isLater({ leftMs, version }: VersionedTokens, known: VersionedTokens): boolean {
  return version === known.version || (leftMs !== undefined && known.leftMs !== undefined && leftMs > known.leftMs);
}

export function createHealer({ store, locks, healed, revoke }: HealerSettings): Healer {
  return {
    async heal(request, newest) {
      // The lock, because whoever holds it redeems the token that is there now; if it is still ours, this is the same commit again.
      const owner = newest.owner ?? randomUUID();
      const shown = await locks.acquire(request, owner);
      if (shown.kind === 'gone') {
        revoke(request, newest.tokens.refreshToken);
        throw loginRequired();
      }
      if (shown.kind === 'ended') throw loginEnded();
      if (shown.kind === 'newer') {
        if (wentBack(shown, newest, request.resource)) await this.heal({ ...request, version: shown.version }, newest);
        return;
      }
      const commit = isLater(shown, newest)
        ? { tokens: shown.tokens, newVersion: newest.version + 1, leftMs: 'keep' as const }
        : { tokens: newest.tokens, newVersion: newest.version, leftMs: newest.leftMs === undefined ? undefined : Math.max(0, Math.round(newest.leftMs)) };
      const answer = await store.commit(attemptOf(request, owner), { ...commit, backOffMs: 0, keepMs: request.keepMs });
      if (answer.kind === 'committed') healed(request, answer.version);
      if (answer.kind === 'gone') {
        revoke(request, newest.tokens.refreshToken);
        throw loginRequired();
      }
    },
  };
}
