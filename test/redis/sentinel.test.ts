/** A primary with two replicas under three sentinels: fail-overs under load, ordered and by a crash. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { invalidToken } from '../support/api-server.js';
import { eventually } from '../support/eventually.js';
import { primaryName, startSentinel } from '../support/redis-sentinel.js';
import type { RedisServer } from '../support/redis-server.js';
import type { SentinelWorld } from '../support/redis-sentinel.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';
import { callApi, quiet, underLoad, versions, wholeLife } from './shapes.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

let sentinel: SentinelWorld | undefined;
afterEach(async () => {
  await sentinel?.stop();
  sentinel = undefined;
});

const failOvers = [
  ['hands over', (redis: SentinelWorld) => redis.failOver()],
  ['dies', (_redis: SentinelWorld, primary: RedisServer) => primary.kill()],
] as const;

describe.each(versions)('%s', (_version, { Redis }) => {
  it.each(failOvers)('FAULTS 11: the primary %s: 503 until there is a new one, nobody is logged out', async (_how, failOver) => {
    const redis = (sentinel = await startSentinel());
    // What the app's client is for is its business: ours wants the primary, and never gives up.
    const own = { role: 'slave', sentinelRetryStrategy: () => null, lazyConnect: true } as const;
    const client = quiet(new Redis({ sentinels: redis.sentinels, name: primaryName, ...own }));
    await redis.killSentinel(); // two of three are enough
    const app = await world.app('express5', { options: { redis: client } });
    await wholeLife(world, app);
    const browser = await world.loggedIn(app);
    await redis.replicated();
    const primary = await redis.primary();
    let recoveryMs = Infinity;
    const load = await underLoad(app, [browser], async () => {
      await failOver(redis, primary);
      const successor = await redis.replaced(primary);
      const admin = successor.client();
      const begin = performance.now();
      // The old primary may not know yet that it is none any more, and takes what it is sent.
      const before = await admin.dbsize();
      await eventually(async () => (await world.loggedIn(app, 'bob').catch(() => undefined)) !== undefined && (await admin.dbsize()) > before);
      recoveryMs = performance.now() - begin;
      const refreshes = world.authorizationServer.tokenRequests.refresh_token;
      world.api.plan.push(invalidToken);
      await eventually(() => world.authorizationServer.tokenRequests.refresh_token === refreshes + 1);
      await primary.restart();
    });
    expect(load.loggedOut).toBe(0);
    expect(Object.keys(load.statuses).filter((status) => status !== '200' && status !== '503')).toEqual([]);
    // Nobody is left behind at the old primary. A busy machine alone takes two seconds.
    expect(recoveryMs).toBeLessThan(5000);
    expect((await callApi(app, browser)).status).toBe(200);
    client.disconnect();
  }, 360_000);
});
