/** How long others wait for a refresh that one process makes, in time that jumps. */
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../lib/clock.js';
import { createEvents } from '../../lib/events.js';
import { createMemoryGrantStore } from '../../lib/grants/memory-grant-store.js';
import { createRefresher } from '../../lib/grants/refresh.js';
import type { RefreshRequest } from '../../lib/grants/refresh-request.js';
import type { GrantProvider } from '../../lib/provider-registry.js';
import { Random } from './random.js';
import { VirtualTime } from './virtual-time.js';

const unused = (): never => {
  throw new Error('not part of this test');
};

/** Eight processes ask at random moments of one token call; answers how long after its commit each of the others had the result. */
async function waits(seed: number): Promise<{ calls: number; waitedMs: number[] }> {
  const random = new Random(seed);
  const time = new VirtualTime(random);
  const clock: Clock = { now: () => time.now, monotonic: () => time.now, sleep: (milliseconds) => new Promise((resolve) => time.after(milliseconds, resolve)) };
  const store = createMemoryGrantStore(clock);
  const settings = { store, clock, events: createEvents(), httpTimeoutSeconds: 5, redisTimeoutSeconds: 0.5 };
  await store.create('grant', { accessTokens: {}, refreshToken: 'first' }, 1, 3_600_000);
  const callMs = random.between(1, 3000);
  let [calls, committedAt] = [0, 0];
  const refresh: GrantProvider['refresh'] = async () => {
    calls += 1;
    await clock.sleep(callMs);
    committedAt = time.now;
    return { kind: 'tokens', tokens: { accessToken: 'new', refreshToken: 'second', expiresInSeconds: 60 } };
  };
  const provider: GrantProvider = { name: 'default', refresh, revoke: unused };
  const request: RefreshRequest = { grantId: 'grant', provider, subject: 'alice', resource: '', scope: undefined, version: 1, keepMs: 3_600_000, wait: true };
  const doneAt: number[] = [];
  const waiting: Promise<void>[] = [];
  for (let index = 0; index < 8; index += 1) {
    time.after(random.between(0, callMs), () => {
      const refreshed = createRefresher(settings).refresh(request);
      waiting.push(
        refreshed.then(({ version }) => {
          expect(version).toBe(2);
          doneAt.push(time.now);
        }),
      );
    });
  }
  await time.runAll();
  await Promise.all(waiting);
  return { calls, waitedMs: doneAt.map((at) => at - committedAt) };
}

describe('while one process refreshes', () => {
  it('E1: the others have its result within 100 ms of its commit, and make no call of their own', async () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const { calls, waitedMs } = await waits(seed);
      expect({ seed, calls, processes: waitedMs.length }).toEqual({ seed, calls: 1, processes: 8 });
      expect(Math.max(...waitedMs)).toBeLessThanOrEqual(100);
    }
  });
});
