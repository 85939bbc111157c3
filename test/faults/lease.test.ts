/** E3: the lease of the refresh lock is longer than the call that it covers, whatever the options say. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '../../lib/clock.js';
import { createEvents } from '../../lib/events.js';
import { createMemoryGrantStore } from '../../lib/grants/memory-grant-store.js';
import { createRefresher } from '../../lib/grants/refresh.js';
import type { Provider } from '../../lib/provider/provider.js';
import { eventually } from '../support/eventually.js';
import { startFaultWorld } from '../support/fault-world.js';
import type { FaultWorld } from '../support/fault-world.js';

const store = createMemoryGrantStore(systemClock);
const acquire = store.acquire.bind(store);
let asked = 0;
store.acquire = (attempt, leaseMs) => {
  asked = leaseMs;
  return acquire(attempt, leaseMs);
};

/** What a refresher with these options asks the store for. */
const refuse: Provider['refresh'] = () => Promise.resolve({ kind: 'refused', certain: true });

async function leaseFor(httpTimeoutSeconds: number, redisTimeoutSeconds: number, refresh = refuse): Promise<number> {
  asked = 0;
  await store.create('grant', { accessTokens: {}, refreshToken: 'rt' }, 1, 60_000);
  const refresher = createRefresher({ store, clock: systemClock, events: createEvents(), httpTimeoutSeconds, redisTimeoutSeconds });
  const provider = { name: 'none', refresh } as unknown as Provider;
  const request = { grantId: 'grant', provider, subject: 'alice', resource: '', scope: undefined, version: 1, keepMs: 60_000, wait: true };
  await refresher.refresh(request).catch(() => undefined);
  return asked;
}

it('E3: any options: the lease is the token call, two store operations, and seconds to spare', async () => {
  const seconds = (min: number, max: number) => fc.double({ min, max, noNaN: true });
  await fc.assert(
    fc.asyncProperty(seconds(0.05, 60), seconds(0.01, 30), async (http, redis) => {
      expect(await leaseFor(http, redis)).toBeGreaterThanOrEqual((http + 2 * redis) * 1000 + 3999);
    }),
    { numRuns: 200 },
  );
});

it('E3: what finds the server, loads what asks it, and sends the token has one deadline from the lock on, the time of a token call', async () => {
  const refreshed = await new Promise<AbortSignal>((resolve, reject) => {
    const refresh: Provider['refresh'] = async (_token, { deadline }) => (resolve(deadline!), { kind: 'refused', certain: true });
    leaseFor(0.3, 1, refresh).catch(reject);
  });
  expect(refreshed.aborted).toBe(false);
  await eventually(() => refreshed.aborted);
});

describe('E3: a holder that takes long', () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await startFaultWorld({ timeouts: { httpTimeoutSeconds: 6, redisTimeoutSeconds: 3 } });
  });
  afterAll(() => world.close());

  it('has the token endpoint to itself, however many processes ask', async () => {
    const { tokenEndpoint, plan, tokenRequests } = world.authorizationServer;
    const apps = await Promise.all(Array.from({ length: 4 }, () => world.fresh()));
    const login = await world.expired();
    tokenEndpoint.concurrencyPeak = 0;
    plan.push({ grantType: 'refresh_token', delayMs: 3000 });
    const answers = await Promise.all(apps.flatMap((app) => Array.from({ length: 10 }, () => app.call(login))));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect([tokenEndpoint.concurrencyPeak, tokenRequests.refresh_token]).toEqual([1, 1]);
  });

  it('and when it fails in the end, the next one comes after it, never beside it', async () => {
    const { tokenEndpoint, plan, tokenRequests } = world.authorizationServer;
    const apps = await Promise.all(Array.from({ length: 4 }, () => world.fresh()));
    const login = await world.expired();
    const before = tokenRequests.refresh_token;
    tokenEndpoint.concurrencyPeak = 0;
    plan.push({ grantType: 'refresh_token', delayMs: 700, status: 503 });
    const answers = await Promise.all(apps.flatMap((app) => Array.from({ length: 10 }, () => app.call(login))));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
    await login.record.pass(60);
    const later = await Promise.all(apps.flatMap((app) => Array.from({ length: 10 }, () => app.call(login))));
    expect(later.map(({ status }) => status)).toEqual(later.map(() => 200));
    expect([tokenEndpoint.concurrencyPeak, tokenRequests.refresh_token]).toEqual([1, before + 2]);
  });
});
