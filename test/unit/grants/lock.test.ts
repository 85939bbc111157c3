import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AcquireAnswer, GrantStore } from '../../../lib/grants/grant-store.js';
import { createLocks } from '../../../lib/grants/lock.js';
import type { RefreshRequest } from '../../../lib/grants/refresh-request.js';
import { HandClock } from '../../support/hand-clock.js';

const request: RefreshRequest = {
  grantId: 'grant',
  provider: { name: 'default', refresh: () => Promise.reject(new Error('not asked')), revoke: () => Promise.resolve(true) },
  subject: 'alice',
  resource: 'https://api.example',
  scope: undefined,
  version: 7,
  keepMs: 1000,
  wait: true,
};
const acquired: AcquireAnswer = { kind: 'acquired', version: 7, tokens: { accessTokens: {} }, takeover: false, failures: 0, resourceFailures: 0 };
const leaseMs = 10_000;

/** Locks over a store that gives these answers, the last one for ever; and how long it was waited for each. */
function stage(answers: readonly AcquireAnswer[]) {
  const clock = new HandClock();
  const asked: unknown[] = [];
  const slept: number[] = [];
  const acquire: GrantStore['acquire'] = (...given) => {
    asked.push(given);
    return Promise.resolve(answers[Math.min(asked.length, answers.length) - 1]!);
  };
  const sleep = (ms: number): Promise<void> => {
    slept.push(ms);
    return clock.sleep(ms);
  };
  const locks = createLocks({ acquire } as GrantStore, { now: clock.now, monotonic: clock.monotonic, sleep }, leaseMs); // it is asked for nothing else
  return { locks, asked, slept };
}
const busy = (leftMs: number): AcquireAnswer => ({ kind: 'busy', leftMs });

beforeEach(() => {
  jest.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => void jest.restoreAllMocks());

describe('the way to the lock', () => {
  it.each([[undefined, 'https://api.example'], ['', '']])('asks for the version, the resource, the lease and whose pause counts (%p), and is over with the first answer', async (given, pausing) => {
    const { locks, asked } = stage([acquired]);
    expect(await locks.acquire(request, 'me', given)).toBe(acquired);
    expect(asked).toEqual([[{ grantId: 'grant', resource: 'https://api.example', owner: 'me', version: 7, pausing }, leaseMs]]);
  });

  it.each<[string, AcquireAnswer]>([
    ['a newer version', { kind: 'newer', version: 8, tokens: { accessTokens: {} } }],
    ['the end', { kind: 'ended' }],
    ['that it is gone', { kind: 'gone' }],
  ])('is over with %s, too', async (_name, answer) => {
    const { locks, asked } = stage([busy(5000), answer]);
    expect(await locks.acquire(request, 'me')).toBe(answer);
    expect(asked).toHaveLength(2);
  });

  it('asks more rarely the longer it lasts, from 10 to 75 ms, and never later than the lease of another ends', async () => {
    const { locks, slept } = stage([...Array.from({ length: 40 }, () => busy(5000)), busy(3), acquired]);
    await locks.acquire(request, 'me');
    expect(slept.slice(0, 2)).toEqual([10, 10]);
    const waited = slept.slice(0, 10).reduce((sum, ms) => sum + ms, 0);
    expect(slept[10]).toBeCloseTo(waited * 0.15);
    expect(slept[39]).toBe(75);
    expect(slept.at(-1)).toBe(3);
  });

  it('is up to a fifth quicker, so that processes do not come together', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const { locks, slept } = stage([busy(5000), acquired]);
    await locks.acquire(request, 'me');
    expect(slept).toEqual([8]);
  });

  it('E11: ends at a back-off, and says how long it lasts', async () => {
    const { locks, asked } = stage([{ kind: 'backing off', leftMs: 4200 }]);
    await expect(locks.acquire(request, 'me')).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 5 });
    expect(asked).toHaveLength(1);
  });

  it('is not waited for by who need not, nor after close', async () => {
    const { locks, asked } = stage([busy(2500)]);
    await expect(locks.acquire({ ...request, wait: false }, 'me')).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 3 });
    locks.close();
    await expect(locks.acquire(request, 'me')).rejects.toMatchObject({ retryAfterSeconds: 3 });
    expect(asked).toHaveLength(2);
  });

  it('gives up after two leases: somebody takes it over again and again', async () => {
    const { locks, slept } = stage([busy(5000)]);
    await expect(locks.acquire(request, 'me')).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 10 });
    const waited = slept.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThanOrEqual(2 * leaseMs);
    expect(waited).toBeLessThan(2 * leaseMs + 76);
  });
});
