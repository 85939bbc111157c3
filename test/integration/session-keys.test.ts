/** The commands on keys that sessions need, in a real Redis. test/unit/session/memory-session-keys.test.ts shows the same of the memory. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createEvents } from '../../lib/events.js';
import { connectRedis, type RedisConnection } from '../../lib/redis-connection.js';
import { redisSessionKeys, type SessionKeys } from '../../lib/session/session-keys.js';
import { eventually } from '../support/eventually.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';

let redis: RedisServer;
let connection: RedisConnection;
let keys: SessionKeys;
beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 2, createEvents());
  keys = redisSessionKeys(connection);
});
afterAll(async () => {
  await connection.close();
  await redis.stop();
});

const ttl = (key: string): Promise<number> => redis.client().ttl(key);
const now = (): number => Date.now() / 1000;
const bytes = (text: string): Buffer => Buffer.from(text);
const texts = (members: readonly Buffer[]): string[] => members.map(String).sort();

it('a key is written where the condition holds, and not where it does not', async () => {
  const key = randomUUID();
  expect([await keys.set(key, bytes('late'), 10, 'XX'), await keys.getAndRenew(key, 10)]).toEqual([false, undefined]);
  expect([await keys.set(key, bytes('first'), 10, 'NX'), await keys.set(key, bytes('second'), 10, 'NX'), await keys.getAndRenew(key, 10)]).toEqual([true, false, bytes('first')]);
  expect([await keys.set(key, bytes('third'), 50, 'XX'), await keys.getAndRenew(key, 10)]).toEqual([true, bytes('third')]);
});

it('a key lives as long as it was told at last, by a write or a read, and is looked at without that', async () => {
  const key = randomUUID();
  await keys.set(key, bytes('value'), 10, 'NX');
  expect(await ttl(key)).toBe(10);
  await keys.getAndRenew(key, 500);
  expect(await ttl(key)).toBe(500);
  expect(await keys.peek(key)).toEqual({ value: bytes('value'), leftSeconds: 500 });
  expect(await keys.timesLeft([key, 'unknown'])).toEqual([expect.any(Number), undefined]);
  expect((await keys.timesLeft([key]))[0]).toBeGreaterThan(498_000);
  expect(await ttl(key)).toBe(500);
  expect([await keys.peek('unknown'), await keys.exist(['unknown', key])]).toEqual([undefined, [false, true]]);
  expect([await keys.swap(key, bytes('other'), 700), await ttl(key), await keys.swap(randomUUID(), bytes('new'), 5)]).toEqual([bytes('value'), 700, undefined]);
});

it('a key that has no end is none of ours', async () => {
  const key = randomUUID();
  await redis.client().set(key, 'value');
  expect([await keys.peek(key), await keys.timesLeft([key])]).toEqual([undefined, [undefined]]);
});

it('a key is taken once, and deleted with others', async () => {
  const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
  for (const key of [one, two, three]) await keys.set(key, bytes('value'), 10, 'NX');
  expect([await keys.take(one), await keys.take(one)]).toEqual([bytes('value'), undefined]);
  await keys.deleteAll([]);
  await keys.deleteAll([two, 'unknown']);
  expect(await keys.exist([one, two, three])).toEqual([false, false, true]);
});

it('a set has what was added until each one\'s end, lives as long as the last, and loses what was removed', async () => {
  const key = randomUUID();
  for (const [member, left] of [['a', 100], ['b', 500.5], ['over', -1]] as const) expect(await keys.addMember(key, bytes(member), now() + left)).toStrictEqual({});
  expect(await ttl(key)).toBeGreaterThanOrEqual(500);
  expect(await ttl(key)).toBeLessThanOrEqual(502);
  await keys.addMember(key, bytes('c'), now() + 100);
  expect(texts(await keys.members(key))).toEqual(['a', 'b', 'c']);
  await keys.removeMembers(key, []);
  await keys.removeMembers(key, [bytes('b'), bytes('unknown')]);
  expect(texts(await keys.members(key))).toEqual(['a', 'c']);
});

it('E6: a member that is sent twice is there once, and one that is removed is gone, however many there are', async () => {
  const key = randomUUID();
  const ends = now() + 100;
  for (const member of ['a', 'b', 'a', 'c', 'a', 'b']) await keys.addMember(key, bytes(member), ends);
  expect(texts(await keys.members(key))).toEqual(['a', 'b', 'c']);
  await keys.removeMembers(key, [bytes('a')]);
  expect(texts(await keys.members(key))).toEqual(['b', 'c']);
});

it('members are found wherever they stand, and those in front of them stay', async () => {
  const key = randomUUID();
  const names = Array.from({ length: 450 }, (_, index) => `member ${index}`);
  const pipeline = redis.client().pipeline();
  for (const name of names) pipeline.rpush(key, `${now() + 100}:${name}`);
  await pipeline.exec();
  const [gone, left] = [names.filter((_, index) => index % 3 === 0), names.filter((_, index) => index % 3 !== 0)];
  const counter = await redis.commandCounter();
  await keys.removeMembers(key, ['unknown', ...gone].map(bytes));
  expect(await counter.byName()).toMatchObject({ lset: 150, lrem: 1 }); // searched for once, not once each
  expect((await keys.members(key)).map(String)).toEqual(left);
});

it.each([['garbage'], [''], ['a', 'b'], [':a'], ['x:a'], ['out']])('C16: what is no entry is no member, bars nobody, and goes with the next look at all: %j', async (...garbage) => {
  const key = randomUUID();
  await redis.client().rpush(key, ...garbage);
  expect(await keys.addMember(key, bytes('first'), now() + 100)).toEqual({});
  await redis.client().rpush(key, ...garbage);
  await keys.addMember(key, bytes('second'), now() + 100);
  expect(texts(await keys.members(key))).toEqual(['first', 'second']);
  expect(texts(await keys.markAndList(key, 'out'))).toEqual(['first', 'second']);
  expect(await redis.client().llen(key)).toBe(3);
});

it('a member may be any bytes, and those that are over make room', async () => {
  const key = randomUUID();
  const odd = Buffer.from([0, 58, 255, 10, 13, 58, 0]);
  await keys.addMember(key, bytes('first'), now() + 2);
  await keys.addMember(key, odd, now() + 100);
  await eventually(async () => (await keys.members(key)).length === 1);
  expect(await redis.client().llen(key)).toBe(2);
  await keys.addMember(key, bytes('second'), now() + 100);
  expect([await redis.client().llen(key), await keys.members(key)]).toEqual([2, [odd, bytes('second')]]);
  await keys.addMember(key, bytes('third'), now() + 0.5); // over before those in front of it
  await eventually(async () => (await keys.markAndList(key, 'out')).length === 2);
  expect(await redis.client().llen(key)).toBe(3); // the mark, once
  await keys.removeMembers(key, [odd]);
  expect(await keys.members(key)).toEqual([bytes('second')]);
});

it('H6: a set tells who adds to it how long ago it was marked, and lists no mark', async () => {
  const key = randomUUID();
  expect(await keys.markAndList(key, 'out')).toEqual([]);
  const { out, dead } = await keys.addMember(key, bytes('a'), now() + 100);
  expect([out! >= 0, out! < 14_000, dead]).toEqual([true, true, undefined]);
  expect(texts(await keys.markAndList(key, 'dead'))).toEqual(['a']);
  expect(await keys.addMember(key, bytes('b'), now() + 100)).toEqual({ out: expect.any(Number), dead: expect.any(Number) });
  expect(texts(await keys.members(key))).toEqual(['a', 'b']);
  expect(await ttl(key)).toBeGreaterThan(298); // the marks' own time
});

/** Keys over a client that answers as the test says. */
const over = (client: object): SessionKeys =>
  redisSessionKeys({ run: (_name: string, command: (given: unknown) => unknown) => command(client) } as unknown as RedisConnection); // reads ask for nothing else

it.each(['READONLY', 'MISCONF', 'NOREPLICAS'])('FAULTS 9: while Redis takes no writes a session is read all the same: %s', async (reply) => {
  const asked: string[] = [];
  const without = over({ getexBuffer: () => (asked.push('getex'), Promise.reject(new Error(`${reply} no writes`))), getBuffer: () => (asked.push('get'), Promise.resolve(bytes('value'))) });
  expect([await without.getAndRenew('key', 10), asked]).toEqual([bytes('value'), ['getex', 'get']]);
});

it.each(['WRONGTYPE not text', 'the connection is lost'])('no other failure is taken for that: %s', async (message) => {
  const failing = over({ getexBuffer: () => Promise.reject(new Error(message)), getBuffer: () => Promise.resolve(bytes('value')) });
  await expect(failing.getAndRenew('key', 10)).rejects.toThrow(message);
});

it('a key is there until its end, and not where it came between the two looks', async () => {
  const ending = over({ getBuffer: () => Promise.resolve(bytes('value')), ttl: () => Promise.resolve(0), pttl: () => Promise.resolve(0) });
  expect([await ending.peek('key'), await ending.timesLeft(['key'])]).toEqual([{ value: bytes('value'), leftSeconds: 0 }, [0]]);
  expect(await over({ getBuffer: () => Promise.resolve(null), ttl: () => Promise.resolve(10) }).peek('key')).toBeUndefined();
});

it('what Redis could not do is told', async () => {
  const closed = connectRedis(redis.url, 2, createEvents());
  const without = redisSessionKeys(closed);
  await closed.close();
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['read the session', () => without.getAndRenew('key', 10)],
    ['read the session', () => without.peek('key')],
    ['look for ended logins', () => without.exist(['key'])],
    ['store the session', () => without.set('key', bytes('value'), 10, 'NX')],
    ['replace the session', () => without.swap('key', bytes('value'), 10)],
    ['delete the session', () => without.take('key')],
    ['delete the sessions', () => without.deleteAll(['key'])],
    ['look at the sessions', () => without.timesLeft(['key'])],
    ['index the session', () => without.addMember('key', bytes('a'), now() + 100)],
    ['list the sessions', () => without.markAndList('key', 'out')],
    ['list the sessions', () => without.members('key')],
    ['unlist the sessions', () => without.removeMembers('key', [bytes('a')])],
  ];
  for (const [step, take] of steps) await expect(take()).rejects.toMatchObject({ message: `Redis could not ${step}: codeFlow() is closed` });
});
