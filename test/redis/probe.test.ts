/** The round trip at start-up: what is set up wrongly shows before the first user does. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { createEvents } from '../../lib/events.js';
import type { CodeFlowEvents } from '../../lib/events.js';
import { codeFlow } from '../../lib/index.js';
import { createProblemTeller } from '../../lib/problems.js';
import { createReplyListener } from '../../lib/redis-replies.js';
import { testSecret } from '../support/apps.js';
import { eventually } from '../support/eventually.js';
import { freePort, startRedis } from '../support/redis-server.js';
import { quiet, versions } from './shapes.js';
import { startStandIn } from './stand-in.js';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  jest.restoreAllMocks();
});
const later = <T>(thing: T, cleanUp: (thing: T) => unknown): T => {
  cleanUps.push(() => cleanUp(thing));
  return thing;
};
const startedRedis = async () => later(await startRedis(), (server) => server.stop());

interface Start {
  ready: number;
  failures: number;
  readonly problems: CodeFlowEvents['configuration.problem'][];
  readonly warnings: unknown[][];
}

/** What an app hears that is started with this Redis. */
function start(redis: Redis | Cluster | string): Start {
  const heard: Start = { ready: 0, failures: 0, problems: [], warnings: [] };
  jest.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => void heard.warnings.push(args));
  const options = { baseUrl: 'http://127.0.0.1:3000', secret: testSecret, provider: { issuer: 'http://127.0.0.1:9', clientId: 'web' } };
  const auth = later(codeFlow({ ...options, redis }), (flow) => flow.close());
  auth.on('store.ready', () => (heard.ready += 1));
  auth.on('store.failed', () => (heard.failures += 1));
  auth.on('configuration.problem', (problem) => heard.problems.push(problem));
  return heard;
}

async function problemOf(redis: Redis | Cluster | string): Promise<string> {
  const heard = start(redis);
  await eventually(() => heard.problems.length > 0);
  const [{ code, message }] = heard.problems as [CodeFlowEvents['configuration.problem']];
  expect(code).toBe('ERR_CODE_FLOW_REDIS_INCOMPATIBLE');
  expect(heard.warnings).toContainEqual([message, { code }]);
  return message;
}

describe('a Redis that can do everything', () => {
  it('is asked for everything once, and keeps nothing of it', async () => {
    const redis = await startedRedis();
    const counter = await redis.commandCounter();
    const heard = start(redis.url);
    await eventually(() => heard.ready === 1);
    expect([heard.problems, heard.warnings, await redis.client().keys('*')]).toEqual([[], [], []]);
    const { evalsha = 0, eval: evals = 0, ...counts } = await counter.byName();
    expect(counts).toMatchObject({ getex: 1, set: 3, getdel: 2, lrange: expect.any(Number), lpos: 1, lrem: 1, time: expect.any(Number), hset: expect.any(Number) });
    expect([evalsha, evals]).toEqual([11, 10]); // every script with its text for the first time, and one twice
  });

  it.each(['allkeys-lru', 'volatile-ttl'])('J6: that drops keys by %s is told of, by its code', async (policy) => {
    const redis = await startedRedis();
    await redis.client().config('SET', 'maxmemory-policy', policy);
    const heard = start(redis.url);
    await eventually(() => heard.ready === 1);
    const [problem, ...more] = heard.problems;
    expect([problem?.code, more]).toEqual(['ERR_CODE_FLOW_REDIS_EVICTS', []]);
    expect(problem?.message).toContain(`maxmemory-policy ${policy}`);
    expect(heard.warnings).toContainEqual([problem!.message, { code: problem!.code }]);
  });

  it('J6: that keeps nothing on disk is none: it may be meant so, and is not asked about', async () => {
    const redis = await startedRedis();
    const settings = await Promise.all(['save', 'appendonly'].map((name) => redis.client().config('GET', name)));
    expect(settings).toEqual([['save', ''], ['appendonly', 'no']]);
    const counter = await redis.commandCounter();
    const heard = start(redis.url);
    await eventually(() => heard.ready === 1);
    expect([heard.problems, heard.warnings]).toEqual([[], []]);
    expect(await counter.byName()).not.toHaveProperty('config');
  });

  it('J6: that may not be asked for its settings is as good as any', async () => {
    const redis = await startedRedis();
    const client = redis.client();
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await client.call('ACL', 'SETUSER', 'somebody', 'on', '>the-password', '~*', '+@all', '-info', '-config');
    jest.spyOn(console, 'warn').mockImplementation(() => undefined); // ioredis misses INFO too
    const heard = start(`redis://somebody:the-password@127.0.0.1:${redis.port}`);
    await eventually(() => heard.ready === 1);
    expect([heard.problems, heard.warnings]).toEqual([[], []]);
  });

  it('FAULTS 1: may come later than the app', async () => {
    const redis = await startedRedis();
    await redis.kill();
    const heard = start(redis.url);
    await new Promise((resolve) => setTimeout(resolve, 300)); // some attempts fail
    expect([heard.problems, heard.warnings, heard.ready]).toEqual([[], [], 0]);
    await redis.restart();
    await eventually(() => heard.ready === 1);
    expect(heard.problems).toEqual([]);
  });

  it('FAULTS 11: may be a replica just now, which is no problem of the setup', async () => {
    const redis = await startedRedis();
    await redis.client().replicaof('127.0.0.1', await freePort());
    const heard = start(redis.url);
    await eventually(() => heard.failures > 0);
    expect([heard.problems, heard.ready]).toEqual([[], 0]);
  });
});

describe.each(versions)('FAULTS 15: a Redis that is set up wrongly is named at start-up, with %s', (_version, { Redis, Cluster }) => {
  it.each([
    ['no GETEX', ['~*', '+@all', '-getex'], /^the Redis user may not run the command GETEX\. Needed are GETEX, /],
    ['no EVALSHA', ['~*', '+@all', '-evalsha'], /^the Redis user may not run the command EVALSHA\./],
    ['no HSET in scripts', ['~*', '+@all', '-hset'], /^a script may not run a command, .*HSET/],
    ['no LREM', ['~*', '+@all', '-lrem'], /^a script may not run a command, .*LREM/],
    ['other keys only', ['~cache:*', '+@all'], /^the Redis user may not read and write our keys: allow the pattern ecf:\*/],
  ])('a user with %s', async (_rule, rules, message) => {
    const redis = await startedRedis();
    await redis.client().call('ACL', 'SETUSER', 'somebody', 'on', '>the-password', ...rules);
    const client = quiet(new Redis({ port: redis.port, username: 'somebody', password: 'the-password', lazyConnect: true }));
    const told = await problemOf(client);
    expect(told).toMatch(message);
    expect(told).not.toMatch(/somebody|the-password|ecf:[sgi]/);
  });

  it('no password, and the wrong one', async () => {
    const redis = await startedRedis();
    await redis.client().config('SET', 'requirepass', 'the-password');
    const client = (password?: string) => quiet(new Redis({ port: redis.port, lazyConnect: true, ...(password === undefined ? {} : { password }) }));
    expect(await problemOf(client())).toBe('Redis wants a password, and the client or URL that was passed as `redis` has none');
    expect(await problemOf(client('a-wrong-one'))).toBe('Redis refuses the user name or password of the client or URL that was passed as `redis`');
  });

  it('a database that is not there', async () => {
    const redis = await startedRedis();
    expect(await problemOf(quiet(new Redis({ port: redis.port, db: 99, lazyConnect: true })))).toMatch(/^Redis has no database of the number/);
  });

  it('a client for one server at a cluster, and the other way round', async () => {
    const node = later(await startStandIn(() => '-MOVED 866 10.0.0.7:6379\r\n'), (standIn) => standIn.stop());
    expect(await problemOf(quiet(new Redis({ port: node.port, lazyConnect: true })))).toMatch(/^Redis is a cluster, .*pass a `Cluster`/);
    const redis = await startedRedis();
    expect(await problemOf(quiet(new Cluster([{ host: '127.0.0.1', port: redis.port }], { lazyConnect: true })))).toMatch(/^Redis is no cluster, .*pass a `Redis`/);
  });

  it('an old Redis', async () => {
    const old = later(await startStandIn(([command, ...words]) => {
      if (command === 'set') return '+OK\r\n';
      return `-ERR unknown command \`${command!.toUpperCase()}\`, with args beginning with: ${words.map((word) => `\`${word}\`, `).join('')}\r\n`;
    }), (standIn) => standIn.stop());
    expect(await problemOf(quiet(new Redis({ port: old.port, lazyConnect: true })))).toBe('Redis does not know the command GETEX: Redis 6.2 or later is needed');
  });

  it('a proxy that knows SET by another grammar', async () => {
    const odd = later(await startStandIn(() => '-ERR syntax error\r\n'), (standIn) => standIn.stop());
    expect(await problemOf(quiet(new Redis({ port: odd.port, lazyConnect: true })))).toMatch(/^Redis does not understand a command of ours/);
  });
});

describe('a problem', () => {
  const noPermission = (command: string) => new Error(`NOPERM this user has no permissions to run the '${command}' command`);

  it('is told once a minute as an event, and once as a warning', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const events = createEvents();
    const told: string[] = [];
    events.on('configuration.problem', ({ message }) => told.push(message.slice(0, 48)));
    let now = 0;
    const tell = createReplyListener(createProblemTeller(events, () => now));
    const tellAll = () => ['getex', 'getex', 'set'].forEach((command) => tell(noPermission(command)));
    tellAll();
    now = 59_999;
    tellAll();
    expect(told).toHaveLength(2);
    now = 60_000;
    tellAll();
    expect(told).toHaveLength(4);
    expect(warned).toHaveBeenCalledTimes(2);
  });

  it.each(['READONLY You cannot', 'OOM command not allowed', 'LOADING Redis is loading', 'ERR max number of clients reached', 'Connection is closed.', 'connect ECONNREFUSED 127.0.0.1:1'])(
    '%s is none',
    (message) => {
      const events = createEvents();
      const told = jest.fn();
      events.on('configuration.problem', told);
      createReplyListener(createProblemTeller(events, () => 0))(new Error(message));
      expect(told).not.toHaveBeenCalled();
    },
  );

  it('names every command that we use', () => {
    const sources = ['grants/redis-grant-scripts.ts', 'session/session-keys.ts'].map((name) => readFileSync(new URL(`../../lib/${name}`, import.meta.url), 'utf8')).join('\n');
    const inScripts = [...sources.matchAll(/redis\.call\('(\w+)'/g)].map(([, command]) => command!);
    const direct = [...sources.matchAll(/client\.(\w+?)(?:Buffer)?\(/g)].map(([, command]) => command!.toUpperCase());
    const told: string[] = [];
    const events = createEvents();
    jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    events.on('configuration.problem', ({ message }) => told.push(...message.split(/[ ,]+/)));
    createReplyListener(createProblemTeller(events, () => 0))(noPermission('ping'));
    expect(direct.length).toBeGreaterThan(3);
    expect([...inScripts, ...direct].filter((command) => !told.includes(command))).toEqual([]);
  });
});
