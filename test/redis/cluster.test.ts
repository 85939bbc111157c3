/** A Redis Cluster of three masters with a replica each, through resharding, fail-over and the loss of a third of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { createEvents } from '../../lib/events.js';
import { connectRedis } from '../../lib/redis-connection.js';
import { invalidToken } from '../support/api-server.js';
import type { TestApp } from '../support/apps.js';
import type { Browser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { startRedisCluster } from '../support/redis-cluster.js';
import type { RedisCluster } from '../support/redis-cluster.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';
import { callApi, quiet, underLoad, versions, wholeLife } from './shapes.js';

let world: World;
let cluster: RedisCluster;
beforeAll(async () => {
  [world, cluster] = await Promise.all([startWorld(), startRedisCluster({ replicas: 1, arguments: ['--appendonly', 'yes'] })]);
}, 360_000);
afterAll(async () => {
  await world.close();
  await cluster.stop();
});

const deadlineSeconds = 0.5;
/** A busy machine's own share of a request. */
const slackMs = 2000;

describe.each(versions)('%s', (_version, { Cluster }) => {
  let client: Cluster;
  let app: TestApp;
  beforeAll(async () => {
    // What the app wants for itself would keep ours at dead nodes, or let it give up.
    const own = { scaleReads: 'slave', clusterRetryStrategy: () => null, clusterNodeRetryStrategy: () => 3000, enableAutoPipelining: true } as const;
    client = quiet(new Cluster(cluster.startupNodes, { ...own, lazyConnect: true, redisOptions: { disconnectTimeout: 100 } }));
    app = await world.app('express5', { options: { redis: client, redisTimeoutSeconds: deadlineSeconds } });
  });
  afterAll(() => client.disconnect());

  const refreshes = (): number => world.authorizationServer.tokenRequests.refresh_token;
  const authorizations = (): number => world.authorizationServer.counters.authorizations;

  async function onlyLogin(): Promise<{ browser: Browser; sessionKey: string; grantKey: string }> {
    await cluster.forget('ecf:*');
    const browser = await world.loggedIn(app);
    const keys = await cluster.keys('ecf:*');
    return { browser, sessionKey: keys.find((key) => key.startsWith('ecf:s:'))!, grantKey: keys.find((key) => key.startsWith('ecf:g:'))! };
  }

  it('carries logins on every node', async () => {
    for (let index = 0; index < 8; index += 1) await wholeLife(world, app);
  });

  it('carries logins behind a key prefix', async () => {
    const prefixed = quiet(new Cluster(cluster.startupNodes, { keyPrefix: 'shop:', lazyConnect: true }));
    await wholeLife(world, await world.app('express5', { options: { redis: prefixed } }), async () => {
      expect(await cluster.keys('shop:ecf:*')).not.toEqual([]);
    });
  });

  it('FAULTS 12: a login\'s slots move to other masters while it is used and renewed: no error, one refresh', async () => {
    const { browser, sessionKey, grantKey } = await onlyLogin();
    const [before, logins] = [refreshes(), authorizations()];
    const counters = await Promise.all(cluster.servers.map((server) => server.commandCounter()));
    const load = await underLoad(app, [browser], async () => {
      // Half way every command for the key is answered by ASK.
      await cluster.moveSlot(await cluster.slotOf(sessionKey), () => callApi(app, browser));
      await cluster.moveSlot(await cluster.slotOf(grantKey), async () => {
        world.api.plan.push(invalidToken);
        await eventually(() => refreshes() === before + 1);
        await callApi(app, browser);
      });
      await cluster.moveSlot(await cluster.slotOf(grantKey));
    });
    expect(Object.keys(load.statuses)).toEqual(['200']);
    expect(load.loggedOut).toBe(0);
    expect(load.slowestMs).toBeLessThan(deadlineSeconds * 1000 + slackMs);
    expect([refreshes(), authorizations()]).toEqual([before + 1, logins]);
    const counts = await Promise.all(counters.map((counter) => counter.byName()));
    expect(Math.max(...counts.map(({ asking = 0 }) => asking))).toBeGreaterThan(0);
    await browser.post(`${app.baseUrl}/logout`);
    expect(await cluster.keys('ecf:[sg]:*')).toEqual([]);
  });

  it('FAULTS 13: a master dies and its replica takes over: 503 until then, nobody is logged out', async () => {
    const { browser, sessionKey } = await onlyLogin();
    await cluster.settled();
    const logins = authorizations();
    const master = await cluster.masterOf(sessionKey);
    const load = await underLoad(app, [browser], async () => {
      await master.kill();
      await eventually(async () => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 503);
      await eventually(async () => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200);
    });
    expect(Object.keys(load.statuses)).toEqual(['200', '503']);
    expect(load.loggedOut).toBe(0);
    expect(load.slowestMs).toBeLessThan(2 * deadlineSeconds * 1000 + slackMs); // `/api` may ask for the session and for the grant
    world.api.plan.push(invalidToken);
    await eventually(async () => (await callApi(app, browser)).status === 200);
    expect(authorizations()).toBe(logins);
    await master.restart();
    await cluster.whole();
  }, 360_000);

  it('FAULTS 13: a third of the cluster is gone for a while: CLUSTERDOWN means "unknown", and it is over when it is back', async () => {
    const { browser, sessionKey } = await onlyLogin();
    const logins = authorizations();
    // The master that died in the test before comes back as a replica, in its own time.
    const shard = await eventually(async () => {
      const found = await cluster.shardOf(sessionKey);
      return found.length === 2 ? found : undefined;
    });
    const connection = connectRedis(client, deadlineSeconds, createEvents());
    const load = await underLoad(app, [browser], async () => {
      await Promise.all(shard.map((server) => server.kill()));
      await eventually(() =>
        connection.run('read', (redis) => redis.get(sessionKey)).then(
          () => false,
          (error: unknown) => (error as Error).message === 'Redis could not read (CLUSTERDOWN)',
        ),
      );
      await Promise.all(shard.map((server) => server.restart()));
      await eventually(async () => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200);
    });
    expect(Object.keys(load.statuses)).toEqual(['200', '503']);
    expect(load.loggedOut).toBe(0);
    await cluster.whole();
    expect((await callApi(app, browser)).status).toBe(200);
    expect(authorizations()).toBe(logins);
    await connection.close();
  }, 360_000);

  it('all of the cluster is gone for a while', async () => {
    const { browser } = await onlyLogin();
    await Promise.all(cluster.servers.map((server) => server.kill()));
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status, page.setCookies]).toEqual([503, []]);
    await Promise.all(cluster.servers.map((server) => server.restart()));
    await cluster.whole();
    await eventually(async () => (await browser.get(`${app.baseUrl}/private`)).status === 200);
  }, 360_000);
});
