/** A primary with two replicas under three sentinels: fail-overs under load, ordered and by a crash. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { invalidToken } from '../support/api-server.js';
import { primaryName, startSentinel } from '../support/redis-sentinel.js';
import type { RedisServer } from '../support/redis-server.js';
import type { SentinelWorld } from '../support/redis-sentinel.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';
import { callApi, quiet, underLoad, until, versions, wholeLife } from './shapes.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const failOvers = [
  ['hands over', (sentinel: SentinelWorld) => sentinel.failOver()],
  ['dies', (_sentinel: SentinelWorld, primary: RedisServer) => primary.kill()],
] as const;

describe.each(versions)('%s', (_version, { Redis }) => {
  it.each(failOvers)('FAULTS 11: the primary %s: 503 until there is a new one, nobody is logged out', async (_how, failOver) => {
    const sentinel = await startSentinel();
    // What the app's client is for is its business: ours wants the primary, and never gives up.
    const own = { role: 'slave', sentinelRetryStrategy: () => null, lazyConnect: true } as const;
    const client = quiet(new Redis({ sentinels: sentinel.sentinels, name: primaryName, ...own }));
    const app = await world.app('express5', { options: { redis: client } });
    await wholeLife(world, app);
    const browser = await world.loggedIn(app);
    await sentinel.replicated();
    const primary = await sentinel.primary();
    let recoveryMs = Infinity;
    const load = await underLoad(app, [browser], async () => {
      await failOver(sentinel, primary);
      await until(async () => (await sentinel.primary()) !== primary);
      const begin = performance.now();
      await until(async () => (await world.loggedIn(app, 'bob').catch(() => undefined)) !== undefined);
      recoveryMs = performance.now() - begin;
      const before = world.authorizationServer.tokenRequests.refresh_token;
      world.api.plan.push(invalidToken);
      await until(() => world.authorizationServer.tokenRequests.refresh_token === before + 1);
      await primary.restart();
    });
    expect(load.loggedOut).toBe(0);
    expect(Object.keys(load.statuses).filter((status) => status !== '200' && status !== '503')).toEqual([]);
    expect(recoveryMs).toBeLessThan(3000);
    expect((await callApi(app, browser)).status).toBe(200);
    await app.close();
    client.disconnect();
    await sentinel.stop();
  }, 30_000);
});
