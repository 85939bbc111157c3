/** One Redis server, reached in each way that ioredis knows, with ioredis 6 and 5. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { codeFlow } from '../../lib/index.js';
import { testSecret } from '../support/apps.js';
import type { TestApp } from '../support/apps.js';
import { certificate, certificateKey } from '../support/certificate.js';
import { eventually } from '../support/eventually.js';
import { freePort, startRedis } from '../support/redis-server.js';
import type { RedisServer } from '../support/redis-server.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';
import { quiet, versions, wholeLife } from './shapes.js';

let world: World;
let redis: RedisServer;
let admin: ReturnType<RedisServer['client']>;
beforeAll(async () => {
  [world, redis] = await Promise.all([startWorld(), startRedis()]);
  admin = redis.client();
  await admin.call('ACL', 'SETUSER', 'sessions', 'on', '>its-own-password', '~ecf:*', '+@all', '-@dangerous', '+info');
});
afterAll(async () => {
  await world.close();
  await redis.stop();
});

const appWith = (client: Redis | Cluster | string): Promise<TestApp> => world.app('express5', { options: { redis: client } });

describe.each(versions)('%s', (_version, { Redis }) => {
  const clients: Redis[] = [];
  const open = (options: Omit<RedisOptions, 'replyMapping'>): Redis => {
    const client = quiet(new Redis({ disconnectTimeout: 100, ...options }));
    clients.push(client);
    return client;
  };
  afterAll(() => clients.forEach((client) => client.disconnect()));
  const here = () => ({ host: '127.0.0.1', port: redis.port });

  it('a client', async () => {
    await wholeLife(world, await appWith(open(here())));
  });

  it('a lazy client stays unconnected: ours is another', async () => {
    const client = open({ ...here(), lazyConnect: true });
    await wholeLife(world, await appWith(client));
    expect(client.status).toBe('wait');
  });

  it('a key prefix and a database number', async () => {
    const client = open({ ...here(), keyPrefix: 'shop:', db: 3 });
    const third = redis.client({ db: 3 });
    await wholeLife(world, await appWith(client), async () => {
      const keys = await third.keys('*');
      expect(keys.length).toBeGreaterThan(1);
      expect(keys.filter((key) => !key.startsWith('shop:ecf:'))).toEqual([]);
    });
  });

  it('a user who may touch our keys only', async () => {
    const app = await appWith(open({ ...here(), username: 'sessions', password: 'its-own-password' }));
    await wholeLife(world, app, async () => {
      expect(String(await admin.call('CLIENT', 'LIST'))).toContain('user=sessions');
    });
  });

  it('a password', async () => {
    const guarded = await startRedis();
    await guarded.client().config('SET', 'requirepass', 'the-only-password');
    await wholeLife(world, await appWith(open({ host: '127.0.0.1', port: guarded.port, password: 'the-only-password' })));
    await guarded.stop();
  });

  it('a Unix socket', async () => {
    const local = await startRedis({ unixSocket: true });
    await wholeLife(world, await appWith(open({ path: local.url })));
    await local.stop();
  });

  it('options of the app that would make requests hang, pile up or see replicas are not ours', async () => {
    const client = open({
      ...here(),
      enableAutoPipelining: true,
      maxRetriesPerRequest: null,
      commandTimeout: 1,
      retryStrategy: () => null,
      role: 'slave',
      stringNumbers: true,
    });
    const app = await appWith(client);
    await wholeLife(world, app);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(() => client.status === 'end');
    await wholeLife(world, app);
  });
});

describe('a URL', () => {
  it('alone', async () => {
    await wholeLife(world, await appWith(redis.url));
  });

  it('with user, password, database, and parameters, none of which makes a request wait longer', async () => {
    const url = `redis://sessions:its-own-password@127.0.0.1:${redis.port}/4?enableOfflineQueue=true&lazyConnect=true&retryStrategy=`;
    const fourth = redis.client({ db: 4 });
    await wholeLife(world, await appWith(url), async () => {
      expect(await fourth.dbsize()).toBeGreaterThan(1);
    });
  });
});

describe('TLS', () => {
  let directory: string;
  let server: RedisServer;
  let port: number;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'redis-tls-'));
    await writeFile(join(directory, 'cert.pem'), certificate.trim());
    await writeFile(join(directory, 'key.pem'), certificateKey.trim(), { mode: 0o600 });
    port = await freePort();
    const files = ['--tls-cert-file', join(directory, 'cert.pem'), '--tls-key-file', join(directory, 'key.pem')];
    server = await startRedis({ arguments: ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files] });
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  describe.each(versions)('%s', (_version, { Redis }) => {
    it('with the certificate of its authority', async () => {
      const client = quiet(new Redis({ host: '127.0.0.1', port, disconnectTimeout: 100, tls: { ca: certificate.trim(), servername: 'localhost' } }));
      await wholeLife(world, await appWith(client));
      client.disconnect();
    });
  });

  it('rediss:// with a certificate that nobody vouches for is told as a problem of the setup', async () => {
    const auth = codeFlow({ baseUrl: 'http://127.0.0.1', secret: testSecret, provider: world.authorizationServer.provider, redis: `rediss://127.0.0.1:${port}` });
    const told = await new Promise((resolve) => auth.on('configuration.problem', resolve));
    await auth.close();
    expect(told).toEqual({ code: 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE', message: 'there is no TLS connection to Redis (DEPTH_ZERO_SELF_SIGNED_CERT)' });
  });
});
