/** A Redis that is there and says no: nobody is logged out by it, and nothing needs a restart when it is over. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { createEvents } from '../../lib/events.js';
import { connectRedis } from '../../lib/redis-connection.js';
import { invalidToken } from '../support/api-server.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { freePort, startRedis } from '../support/redis-server.js';
import type { RedisServer } from '../support/redis-server.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';
import { callApi, quiet, versions } from './shapes.js';

let world: World;
let redis: RedisServer;
let admin: Redis;
let nobody: number;
beforeAll(async () => {
  [world, redis, nobody] = await Promise.all([startWorld(), startRedis(), freePort()]);
  admin = redis.client();
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>first', '~*', '+@all');
});
afterAll(async () => {
  await world.close();
  await redis.stop();
});

/** How Redis comes to say this, and how it stops. `reads`: they still work. */
interface Refusal {
  word: string;
  reads: boolean;
  /** What it says to writes, if that is another word. */
  toWrites?: string;
  begin: () => Promise<unknown>;
  end: () => Promise<unknown>;
}

const set = (name: string, value: string) => admin.config('SET', name, value);
const killApps = () => admin.call('CLIENT', 'KILL', 'USER', 'app');
let busy: Redis | undefined;

const refusals: Refusal[] = [
  { word: 'READONLY', reads: true, begin: () => admin.replicaof('127.0.0.1', nobody), end: () => admin.replicaof('NO', 'ONE') },
  {
    word: 'MASTERDOWN',
    reads: false,
    toWrites: 'READONLY',
    begin: async () => {
      await set('replica-serve-stale-data', 'no');
      await admin.replicaof('127.0.0.1', nobody);
    },
    end: async () => {
      await admin.replicaof('NO', 'ONE');
      await set('replica-serve-stale-data', 'yes');
    },
  },
  { word: 'NOREPLICAS', reads: true, begin: () => set('min-replicas-to-write', '1'), end: () => set('min-replicas-to-write', '0') },
  { word: 'OOM', reads: true, begin: () => set('maxmemory', '1'), end: () => set('maxmemory', '0') },
  {
    word: 'MISCONF',
    reads: true,
    async begin() {
      const [, directory] = (await admin.config('GET', 'dir')) as [string, string];
      await mkdir(join(directory, 'dump.rdb'), { recursive: true }); // in the way of the file of that name
      await set('save', '3600 1');
      await admin.bgsave();
      await eventually(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'));
    },
    end: () => set('save', ''),
  },
  {
    word: 'BUSY',
    reads: false,
    async begin() {
      await set('busy-reply-threshold', '1');
      busy = redis.client();
      busy.eval('while true do end', 0).catch(() => undefined);
      await eventually(() => admin.ping().then(() => false, (error: unknown) => String(error).includes('BUSY')));
    },
    end: () => admin.script('KILL'),
  },
  { word: 'NOPERM', reads: false, begin: () => admin.call('ACL', 'SETUSER', 'app', '-@all', '+info', '+hello'), end: () => admin.call('ACL', 'SETUSER', 'app', '+@all') },
  {
    word: 'WRONGPASS',
    reads: false,
    async begin() {
      await admin.call('ACL', 'SETUSER', 'app', 'resetpass', '>second');
      await killApps();
    },
    end: () => admin.call('ACL', 'SETUSER', 'app', '>first'),
  },
];

describe.each(versions)('%s', (_version, { Redis }) => {
  const clients: Redis[] = [];
  const servers: RedisServer[] = [];
  let app: TestApp;
  const open = (): Redis => {
    const client = quiet(new Redis({ host: '127.0.0.1', port: redis.port, username: 'app', password: 'first', lazyConnect: true }));
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    app = await world.app('express5', { options: { redis: open(), redisTimeoutSeconds: 0.25 } });
  });
  afterAll(async () => {
    clients.forEach((client) => client.disconnect());
    await Promise.all(servers.map((server) => server.stop()));
  });

  it.each(refusals)('FAULTS 11, 13 to 15: $word means "unknown": nobody is logged out, and it is over when Redis says so', async ({ word, reads, toWrites = word, begin, end }) => {
    const browser = await world.loggedIn(app);
    const connection = connectRedis(open(), 0.25, createEvents());
    await connection.ready();
    const { authorizations } = world.authorizationServer.counters;
    await begin();
    try {
      const page = await browser.get(`${app.baseUrl}/private`, { navigate: false });
      expect([page.status, page.setCookies]).toEqual([reads ? 200 : 503, []]);
      const navigation = await browser.get(`${app.baseUrl}/private`);
      expect([navigation.status, navigation.setCookies, navigation.hops.length]).toEqual([reads ? 200 : 503, [], 1]);
      const refused = await createBrowser({ login: 'bob' }).get(`${app.baseUrl}/private`);
      expect([refused.status, refused.setCookies.filter((cookie) => cookie.startsWith('session='))]).toEqual([503, []]);
      const error = await connection.run('write', (client) => client.set('ecf:key-of-somebody', 'what nobody may see')).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_STORE_UNAVAILABLE', status: 503, message: `Redis could not write (${toWrites})` });
      expect(Object.values(error as Error).join()).not.toContain('nobody may see');
    } finally {
      await end();
    }
    await eventually(async () => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200);
    world.api.plan.push(invalidToken);
    await eventually(async () => (await callApi(app, browser)).status === 200);
    world.api.plan.length = 0;
    expect(world.authorizationServer.counters.authorizations).toBe(authorizations + 1); // bob's
    await connection.close();
  });

  it('FAULTS 21: NOSCRIPT goes unnoticed', async () => {
    const browser = await world.loggedIn(app);
    await admin.script('FLUSH');
    world.api.plan.push(invalidToken);
    expect((await callApi(app, browser)).status).toBe(200);
    await admin.script('FLUSH');
    expect((await browser.post(`${app.baseUrl}/logout`)).status).toBe(200);
  });

  it('FAULTS 7, 14: a refresh that cannot be stored is served from memory and stored later', async () => {
    const browser = await world.loggedIn(app);
    const committed: unknown[] = [];
    app.auth.on('refresh.committed', (event) => committed.push(event));
    let release = (): void => undefined;
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: new Promise<void>((resolve) => (release = resolve)) });
    world.api.plan.push(invalidToken);
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const answer = callApi(app, browser);
    await arrived;
    await set('maxmemory', '1');
    try {
      release();
      expect((await answer).status).toBe(200);
      expect(committed).toEqual([]);
    } finally {
      await set('maxmemory', '0');
    }
    await eventually(() => committed.length === 1);
    const before = world.authorizationServer.tokenRequests.refresh_token;
    const other = await world.app('express5', { baseUrl: app.baseUrl, options: { redis: open() } });
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const elsewhere = await createBrowser().get(`${other.origin}/api`, { navigate: false, headers: { Cookie: cookie } });
    expect([elsewhere.status, elsewhere.json().jti]).toEqual([200, (await answer).json().jti]);
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(before);
  });

  it('FAULTS 13: LOADING means "unknown" until everything is loaded', async () => {
    const slow = await startRedis({ arguments: ['--appendonly', 'yes', '--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'] });
    servers.push(slow);
    const client = quiet(new Redis({ host: '127.0.0.1', port: slow.port, lazyConnect: true }));
    const loading = await world.app('express5', { options: { redis: client, redisTimeoutSeconds: 0.25 } });
    const browser = await world.loggedIn(loading);
    const filler = slow.client().pipeline();
    for (let index = 0; index < 300; index += 1) filler.set(`filler:${index}`, 'x'.repeat(64));
    await filler.exec();
    const loaded = slow.restart().then(() => performance.now());
    const statuses: number[] = [];
    await eventually(async () => statuses.push((await browser.get(`${loading.baseUrl}/private`, { navigate: false })).status) > 0 && statuses.at(-1) !== 503);
    expect(performance.now() - (await loaded)).toBeLessThan(1000);
    expect(new Set(statuses)).toEqual(new Set([503, 200]));
  });
});
