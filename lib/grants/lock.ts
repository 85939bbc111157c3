/** The way to a grant's lock: whoever needs it asks until it is free, or until somebody else's answer makes it needless. */
import type { Clock } from '../clock.js';
import type { AcquireAnswer, GrantStore } from './grant-store.js';
import { attemptOf } from './refresh-request.js';
import type { RefreshRequest } from './refresh-request.js';
import { tokenUnavailable } from './refresh-outcomes.js';

type SettledAnswer = Exclude<AcquireAnswer, { kind: 'busy' | 'backing off' }>;

export interface Locks {
  /**
   * Asks for the lock of `request.version` as this owner. Rejects with ProviderError (503) while nobody may refresh, and with StoreError.
   * @param pausing The resource whose pause counts beside the login's. Default that of the request.
   */
  acquire(request: RefreshRequest, owner: string, pausing?: string): Promise<SettledAnswer>;
  /** Waits for nobody any more. */
  close(): void;
}

/** Nobody waits much longer than the refresh itself takes, and a slow one is not asked about too often. */
const pollMs = (waitedMs: number): number => Math.min(75, Math.max(10, waitedMs * 0.15)) * (0.8 + Math.random() * 0.2);

export function createLocks(store: GrantStore, clock: Clock, leaseMs: number): Locks {
  let closed = false;
  return {
    async acquire(request, owner, pausing = request.resource) {
      const attempt = { ...attemptOf(request, owner), pausing };
      const since = clock.monotonic();
      for (let waitedMs = 0; waitedMs < leaseMs * 2; waitedMs = clock.monotonic() - since) {
        const answer = await store.acquire(attempt, leaseMs);
        if (answer.kind === 'backing off') throw tokenUnavailable(answer.leftMs);
        if (answer.kind !== 'busy') return answer;
        if (!request.wait || closed) throw tokenUnavailable(answer.leftMs);
        await clock.sleep(Math.min(pollMs(waitedMs), answer.leftMs));
      }
      throw tokenUnavailable(leaseMs);
    },
    close() {
      closed = true;
    },
  };
}
