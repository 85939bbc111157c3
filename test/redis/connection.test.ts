/** Our own connection in trouble: bounded in time, nothing sent too late, nothing left behind. */
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { createEvents } from '../../lib/events.js';
import { CREATE } from '../../lib/grants/redis-grant-scripts.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import { connectRedis } from '../../lib/redis-connection.js';
import type { RedisClient, RedisConnection } from '../../lib/redis-connection.js';
import { createSealer } from '../../lib/seal.js';
import { startAppProcess } from '../support/app-process.js';
import { startAuthorizationServer } from '../support/authorization-server.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { startRedisProxy } from '../support/redis-proxy.js';
import { freePort, startRedis } from '../support/redis-server.js';
import { quiet, versions } from './shapes.js';
import { bulk, clusterReply, startStandIn } from './stand-in.js';

type Reply = Parameters<typeof startStandIn>[0];

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
const later = <T>(thing: T, cleanUp: (thing: T) => unknown): T => {
  cleanUps.push(() => cleanUp(thing));
  return thing;
};

const timeout = { code: 'ERR_CODE_FLOW_STORE_TIMEOUT', status: 503, retryAfterSeconds: 2 };
const startedRedis = async () => later(await startRedis(), (server) => server.stop());
const startedStandIn = async (reply: Reply, port?: number) => later(await startStandIn(reply, port), (standIn) => standIn.stop());

describe.each(versions)('%s', (_version, { Redis, Cluster }) => {
  /** Ours, and what it made of the app's client. */
  function connect<C extends RedisClient>(client: C, timeoutSeconds = 0.2, events = createEvents()): { connection: RedisConnection; inner: C } {
    const duplicate = jest.spyOn(client as Redis, 'duplicate');
    const connection = later(connectRedis(quiet(client), timeoutSeconds, events), (opened) => opened.close());
    return { connection, inner: duplicate.mock.results[0]!.value as C };
  }
  const single = (port: number): Redis => new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  const cluster = (port: number): Cluster => new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true });

  it('FAULTS 9: a Redis that hangs is given up at the deadline, and its connection is replaced', async () => {
    const standIn = await startedStandIn(() => bulk('value'));
    const { connection } = connect(single(standIn.port), 0.25);
    await connection.ready();
    standIn.holds();
    const begin = performance.now();
    await expect(connection.run('read', (client) => client.get('key'))).rejects.toMatchObject(timeout);
    expect(performance.now() - begin).toBeLessThan(450);
    await eventually(() => standIn.connections > 1);
    standIn.answers();
    await eventually(() => connection.run('read', (client) => client.get('key')).then((value) => value === 'value', () => false));
  });

  it('sends what is asked for in one turn with one write, and the next turn does not wait for the answers', async () => {
    const standIn = await startedStandIn(() => bulk('value'));
    const { connection, inner } = connect(single(standIn.port), 5);
    await connection.ready();
    const writes = jest.spyOn(inner.stream, 'write');
    const [one, many] = [jest.spyOn(inner.stream, '_write'), jest.spyOn(inner.stream as unknown as { _writev: () => void }, '_writev')];
    const read = () => connection.run('read', (client) => client.get('key'));
    standIn.holds();
    const first = Array.from({ length: 20 }, read);
    await new Promise(setImmediate);
    expect([writes.mock.calls.length, one.mock.calls.length, many.mock.calls.length]).toEqual([20, 0, 1]);
    const second = read();
    await new Promise(setImmediate);
    expect(one.mock.calls.length + many.mock.calls.length).toBe(2);
    standIn.answers();
    expect(new Set(await Promise.all([...first, second]))).toEqual(new Set(['value']));
  });

  it('FAULTS 10: a request whose time is over is not sent when Redis comes', async () => {
    const port = await freePort();
    const { connection } = connect(single(port));
    const unconnected = { ...timeout, message: expect.stringContaining('no connection to it within 0.2 s; is it running') };
    await expect(connection.run('write', (client) => client.set('late', 'yes'))).rejects.toMatchObject(unconnected);
    const standIn = await startedStandIn(() => '+OK\r\n', port);
    standIn.holds();
    await eventually(() => standIn.connections > 0);
    await expect(connection.run('write', (client) => client.set('late', 'yes'))).rejects.toMatchObject(timeout);
    standIn.answers();
    await eventually(() => connection.run('write', (client) => client.set('in time', 'yes')).then(() => true, () => false));
    expect(standIn.commands.filter((command) => command.includes('late'))).toEqual([]);
  });

  it('FAULTS 10: nor by the queues of a cluster client, when one node takes long to come back', async () => {
    const moved: Reply = () => `-MOVED 1 127.0.0.1:${slow.port}\r\n`;
    const fast = await startedStandIn(clusterReply(() => slow.port, moved, () => fast.port));
    const slow = await startedStandIn(clusterReply(() => slow.port, () => '+OK\r\n', () => fast.port));
    const { connection, inner } = connect(cluster(fast.port));
    const works = () => connection.run('write', (client) => client.set('in time', 'yes')).then(() => true, () => false);
    await eventually(works);
    slow.holds();
    slow.cut();
    await eventually(() => inner.nodes().length === 1);
    await expect(connection.run('write', (client) => client.set('late', 'yes'))).rejects.toMatchObject(timeout);
    slow.answers();
    await eventually(works);
    expect(inner.status).toBe('ready');
    expect(slow.commands.filter((command) => command.includes('late'))).toEqual([]);
  });

  it('a connection that is lost with a command under way is made anew within the deadline, and the command repeated', async () => {
    let answered = false;
    const standIn = await startedStandIn((_words, socket) => {
      if (answered) return bulk('value');
      answered = true;
      socket.destroy();
      return undefined;
    });
    const { connection } = connect(single(standIn.port), 2);
    await connection.ready();
    await expect(connection.run('read', (client) => client.get('key'))).resolves.toBe('value');
    expect(standIn.commands).toEqual(['get key', 'get key']);
    expect(standIn.connections).toBe(2);
  });

  it('nothing of a lost connection cuts the one after it', async () => {
    let lost = false;
    const standIn = await startedStandIn((_words, socket) => {
      if (!lost) socket.destroy();
      lost = true;
      return bulk('value');
    });
    const { connection } = connect(single(standIn.port), 0.25);
    await eventually(() => connection.run('read', (client) => client.get('key')).then(() => true, () => false));
    await new Promise((resolve) => setTimeout(resolve, 1300)); // beyond its `socketTimeout` of 1 s
    expect(standIn.connections).toBe(2);
  });

  it('E6: a grant whose storing was repeated after a lost answer is no clash', async () => {
    const redis = await startedRedis();
    const proxy = later(await startRedisProxy(redis.port), (started) => started.stop());
    const { connection } = connect(new Redis(proxy.url, { lazyConnect: true }), 2);
    const grants = createRedisGrantStore(connection, createSealer(['a secret for tests only, of more than enough length']));
    await redis.client().script('LOAD', CREATE.lua);
    const lost = proxy.next('CREATE', 'lose the reply');
    await Promise.all([lost, grants.create('grant', { accessTokens: {} }, undefined, 60_000)]);
    expect(proxy.count('CREATE')).toBe(2);
    expect(await grants.read('grant', '')).toMatchObject({ kind: 'alive', version: 1 });
  });

  it('FAULTS 15: what a cluster says to strangers is why a request fails', async () => {
    const standIn = await startedStandIn(() => '-NOAUTH Authentication required.\r\n');
    const events = createEvents();
    const problems: string[] = [];
    events.on('configuration.problem', ({ message }) => problems.push(message.slice(0, 13)));
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { connection, inner } = connect(cluster(standIn.port), 0.2, events);
    await expect(connection.run('read', (client) => client.get('key'))).rejects.toMatchObject({ message: 'Redis could not read (NOAUTH)' });
    inner.emit('node error', new Error('WRONGPASS invalid username-password pair'), '127.0.0.1:1'); // as one node of many does
    expect(problems).toEqual(['Redis wants a', 'Redis refuses']);
    warned.mockRestore();
  });

  it('FAULTS 12: ASK to a node that dies is an error like any other, and ends no process', async () => {
    const standIn = await startedStandIn(clusterReply(() => standIn.port, ([, key]) => (key === 'moving' ? `-ASK 1 127.0.0.1:${dying.port}\r\n` : '+OK\r\n')));
    const dying = await startedStandIn((_words, socket) => void socket.destroy());
    const { connection } = connect(cluster(standIn.port));
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    await expect(connection.run('read', (client) => client.get('moving'))).rejects.toMatchObject(timeout);
    await eventually(() => connection.run('write', (client) => client.set('staying', 'yes')).then(() => true, () => false));
    process.off('unhandledRejection', unhandled);
    expect(dying.connections).toBeGreaterThan(0);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('FAULTS 11: when a name leads to a new primary, a write follows it within its deadline; reads never stop', async () => {
    const [first, second] = [await startedRedis(), await startedRedis()];
    let target = first.port;
    const name = later(createServer((socket) => {
      const upstream = createConnection({ host: '127.0.0.1', port: target });
      socket.pipe(upstream).pipe(socket);
      for (const end of [socket, upstream]) end.on('error', () => end.destroy());
      later([socket, upstream], (ends) => ends.forEach((end) => end.destroy()));
    }).listen(0, '127.0.0.1'), (server) => server.close());
    await once(name, 'listening');
    const { connection } = connect(single((name.address() as AddressInfo).port), 2);
    await connection.run('write', (client) => client.set('key', 'value'));
    await first.client().replicaof('127.0.0.1', second.port);
    target = second.port;
    await expect(connection.run('write', (client) => client.set('key', 'newer'))).resolves.toBe('OK');
    expect(await second.client().get('key')).toBe('newer');
  });

  it('FAULTS 11: a replica that stays one is not left at every answer', async () => {
    const standIn = await startedStandIn(([command]) => (command === 'get' ? bulk('value') : "-READONLY You can't write against a read only replica.\r\n"));
    const { connection } = connect(single(standIn.port), 2);
    await connection.ready();
    for (let index = 0; index < 200; index += 1) {
      await connection.run('read', (client) => client.getex('key', 'EX', 1).catch(() => client.get('key')));
    }
    expect(standIn.connections).toBeLessThanOrEqual(3);
  });

  it('FAULTS 13: a Redis that thinks it needs long to load is used as soon as it has loaded', async () => {
    const standIn = await startedStandIn(() => '+OK\r\n');
    const loaded = standIn.info;
    standIn.info = 'loading:1\r\nloading_eta_seconds:30\r\n';
    const { connection } = connect(single(standIn.port));
    await expect(connection.run('write', (client) => client.set('key', 'value'))).rejects.toMatchObject(timeout);
    standIn.info = loaded;
    const begin = performance.now();
    await connection.ready();
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('an outage leaves no listeners and none of those who gave up behind', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    const redis = await startedRedis();
    const { connection, inner } = connect(single(redis.port), 0.05);
    await connection.ready();
    expect(inner.listenerCount('error')).toBeGreaterThan(0); // else ioredis prints each of them
    const listeners = (): number => inner.eventNames().reduce((sum, event) => sum + inner.listenerCount(event), 0);
    const before = listeners();
    await redis.kill();
    const gaveUp: WeakRef<object>[] = [];
    const giveUp = async (): Promise<void> => {
      const send = (client: RedisClient) => client.get('key');
      gaveUp.push(new WeakRef(send));
      await connection.run('read', send).catch(() => undefined);
    };
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 50 }, giveUp));
    expect(listeners()).toBeLessThanOrEqual(before + 2); // a reconnection may be on its way
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await eventually(() => {
      collect();
      return gaveUp.filter((ref) => ref.deref() !== undefined).length <= 50;
    });
    await redis.restart();
    await eventually(() => connection.run('read', (client) => client.ping()).then(() => true, () => false));
    expect(listeners()).toBe(before);
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  });

  it.each(['standalone', 'cluster'])('close() ends everything at once, also while reconnecting: %s', async (shape) => {
    const port = await freePort();
    const { connection } = connect(shape === 'cluster' ? cluster(port) : single(port), 5);
    const waiting = connection.run('read', (client) => client.get('key'));
    await new Promise((resolve) => setTimeout(resolve, 120)); // in the middle of it: no fact tells
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_CLOSED', status: 503 }), connection.close()]);
    await expect(connection.run('read', (client) => client.get('key'))).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_CLOSED' });
    const standIn = await startedStandIn(() => '+OK\r\n', port);
    await new Promise((resolve) => setTimeout(resolve, 700)); // longer than the longest pause between two attempts
    expect(standIn.connections).toBe(0);
  });
});

describe('the process', () => {
  it.each(['is there', 'is gone', 'hangs'])('ends after close(), when Redis %s', async (state) => {
    const redis = await startedRedis();
    const authorizationServer = later(await startAuthorizationServer(), (server) => server.stop());
    const app = later(await startAppProcess({ authorizationServer, options: { redis: redis.url } }), (child) => child.kill());
    await eventually(() => app.events.some(({ event }) => event === 'store.ready'));
    const browser = createBrowser({ login: 'alice' });
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    if (state === 'is gone') await redis.kill();
    if (state === 'hangs') process.kill(redis.pid, 'SIGSTOP');
    expect((await browser.get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(state === 'is there' ? 200 : 503);
    const begin = performance.now();
    expect(await app.stop()).toBe(0);
    expect(performance.now() - begin).toBeLessThan(1500);
    if (state === 'hangs') process.kill(redis.pid, 'SIGCONT');
  });
});
