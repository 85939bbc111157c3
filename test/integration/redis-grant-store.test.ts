/** What only Redis has to show of a grant; test/integration/grant-store.test.ts has its steps. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createEvents } from '../../lib/events.js';
import type { GrantStore } from '../../lib/grants/grant-store.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import type { TokenSet } from '../../lib/grants/token-set.js';
import { connectRedis } from '../../lib/redis-connection.js';
import type { RedisConnection } from '../../lib/redis-connection.js';
import { createSealer, hashId, randomId } from '../../lib/seal.js';
import { startRedis } from '../support/redis-server.js';
import type { RedisServer } from '../support/redis-server.js';

const tokens: TokenSet = { accessTokens: { '': { token: 'at-1', lifetimeSeconds: 60 } }, refreshToken: 'rt-1' };
const hour = 3_600_000;
const sealer = createSealer(['a secret for tests only, of more than enough length']);
const keyOf = (grantId: string): string => `ecf:g:{${hashId(grantId)}}`;
const attemptOn = (grantId: string, version = 1) => ({ grantId, resource: '', owner: 'me', version });
const commitOf = (newVersion: number, leftMs?: number) => ({ tokens, newVersion, leftMs, backOffMs: 0, keepMs: 2 * hour });

let redis: RedisServer;
let connection: RedisConnection;
let store: GrantStore;
beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 2, createEvents());
  store = createRedisGrantStore(connection, sealer);
});
afterAll(async () => {
  await connection.close();
  await redis.stop();
});

async function created(leftMs?: number): Promise<string> {
  const grantId = randomId();
  await store.create(grantId, tokens, leftMs, hour);
  return grantId;
}

const keptMs = (grantId: string): Promise<number> => redis.client().pttl(keyOf(grantId));

describe('a record', () => {
  it('NOSCRIPT: is read after the script cache was flushed', async () => {
    const grantId = await created();
    await redis.client().script('FLUSH');
    expect(await store.read(grantId, '')).toEqual({ kind: 'alive', version: 1, tokens });
  });

  it('lives as long as it was told at last: when it was created, committed or renewed', async () => {
    const grantId = await created();
    const seen = [await keptMs(grantId)];
    await store.commit(attemptOn(grantId), commitOf(2));
    seen.push(await keptMs(grantId));
    await store.renew(grantId, 3 * hour);
    seen.push(await keptMs(grantId));
    expect(seen.map((ms) => Math.ceil(ms / hour))).toEqual([1, 2, 3]);
  });

  it('that is not there is not made by a renewal, and has no lock', async () => {
    const grantId = randomId();
    await store.renew(grantId, hour);
    expect([await store.read(grantId, ''), await store.acquire(attemptOn(grantId), 10_000)]).toEqual([{ kind: 'gone' }, { kind: 'gone' }]);
  });

  it('is deleted by the hash of its id, with others', async () => {
    const [one, other, third] = [await created(), await created(), await created()];
    await store.destroyHashed([]);
    await store.destroyHashed([hashId(one), hashId(other), hashId(randomId())]);
    expect([await store.read(one, ''), await store.read(other, '')]).toEqual([{ kind: 'gone' }, { kind: 'gone' }]);
    expect(await store.read(third, '')).toMatchObject({ kind: 'alive' });
  });

  it('whose login ended is remembered for ten minutes', async () => {
    const grantId = await created();
    await store.acquire(attemptOn(grantId), 10_000);
    expect(await store.fail(attemptOn(grantId), 'refused', 1000)).toEqual({ kind: 'ended' });
    expect(Math.ceil((await keptMs(grantId)) / 60_000)).toBe(10);
    expect(await store.fail(attemptOn(grantId), 'failed', 1000)).toEqual({ kind: 'ended' });
  });

  it('C20: is gone for everybody if its tokens cannot be opened: sealed as another version, or with a secret that was removed', async () => {
    const moved = await created();
    await redis.client().hset(keyOf(moved), 'v', '2');
    expect(await store.acquire(attemptOn(moved, 2), 10_000)).toEqual({ kind: 'gone' });
    const other = createRedisGrantStore(connection, createSealer(['another secret for tests only, and long enough']));
    const grantId = await created();
    const answers = [await other.read(grantId, ''), await other.acquire(attemptOn(grantId, 7), 10_000), await other.destroy(grantId)];
    expect(answers).toEqual([{ kind: 'gone' }, { kind: 'gone' }, undefined]);
  });
});

describe('what is told', () => {
  it('is how long the lock or the back-off lasts', async () => {
    const grantId = await created();
    await store.acquire(attemptOn(grantId), 10_000);
    const busy = await store.acquire({ ...attemptOn(grantId), owner: 'another' }, 10_000);
    await store.fail(attemptOn(grantId), 'failed', 50_000);
    const backingOff = await store.acquire(attemptOn(grantId), 10_000);
    for (const [answer, kind, most] of [[busy, 'busy', 10_000], [backingOff, 'backing off', 50_000]] as const) {
      expect(answer).toEqual({ kind, leftMs: expect.any(Number) });
      const { leftMs } = answer as { leftMs: number };
      expect([leftMs > most / 2, leftMs <= most]).toEqual([true, true]);
    }
  });

  it('of a token\'s time is nothing where nobody knows it, whatever was done', async () => {
    const grantId = await created();
    expect(await store.acquire(attemptOn(grantId), 10_000)).toEqual({ kind: 'acquired', version: 1, tokens, takeover: false, failures: 0, resourceFailures: 0 });
    await store.commit(attemptOn(grantId), commitOf(2));
    expect(await store.acquire(attemptOn(grantId), 10_000)).toEqual({ kind: 'newer', version: 2, tokens });
    await store.commit(attemptOn(grantId, 2), commitOf(3, 5000));
    expect(await store.read(grantId, '')).toEqual({ kind: 'alive', version: 3, tokens, leftMs: expect.any(Number) });
    await store.commit(attemptOn(grantId, 3), commitOf(4));
    expect(await store.read(grantId, '')).toEqual({ kind: 'alive', version: 4, tokens });
  });

  it('is what Redis could not do', async () => {
    const closed = connectRedis(redis.url, 2, createEvents());
    const without = createRedisGrantStore(closed, sealer);
    await closed.close();
    const steps: Record<string, () => Promise<unknown>> = {
      'store the grant': () => without.create('id', tokens, undefined, hour),
      'read the grant': () => without.read('id', ''),
      'lock the grant': () => without.acquire(attemptOn('id'), 10_000),
      'store the refreshed grant': () => without.commit(attemptOn('id'), commitOf(2)),
      'release the grant': () => without.fail(attemptOn('id'), 'failed', 1000),
      'renew the grant': () => without.renew('id', hour),
      'delete the grant': () => without.destroy('id'),
      'delete the grants': () => without.destroyHashed(['hash']),
    };
    for (const [step, take] of Object.entries(steps)) await expect(take()).rejects.toMatchObject({ message: `Redis could not ${step}: codeFlow() is closed` });
  });

  it('is that a new grant\'s key is taken', async () => {
    const grantId = await created();
    await expect(store.create(grantId, tokens, undefined, hour)).rejects.toThrow('a new grant found its key taken');
  });
});

describe('what is sealed', () => {
  const others: TokenSet = { accessTokens: { '': { token: 'at-2', lifetimeSeconds: 60 } }, refreshToken: 'rt-2' };

  it('I2, C20: shows neither its id nor a token', async () => {
    const grantId = randomId();
    await store.create(grantId, tokens, 60_000, hour);
    const client = redis.client();
    const key = keyOf(grantId);
    const dump = Object.entries(await client.hgetallBuffer(key)).map(([name, value]) => `${name} ${value.toString('latin1')}`).join('\n');
    expect(dump).toContain('ct');
    for (const secret of [grantId, 'at-1', 'rt-1']) {
      expect(dump).not.toContain(secret);
      expect(key).not.toContain(secret);
    }
  });

  it('C20: two users\' sealed tokens swapped are refused', async () => {
    const [alice, bob] = [randomId(), randomId()];
    await store.create(alice, tokens, 60_000, hour);
    await store.create(bob, others, 60_000, hour);
    const client = redis.client();
    const keys = [alice, bob].map(keyOf) as [string, string];
    const sealed = await Promise.all(keys.map((key) => client.hgetBuffer(key, 'ct')));
    await client.hset(keys[0], 'ct', sealed[1] ?? '');
    expect(await store.read(alice, '')).toEqual({ kind: 'gone' });
  });

  it('C19: is created once only', async () => {
    const grantId = randomId();
    await store.create(grantId, tokens, 60_000, hour);
    await expect(store.create(grantId, others, 60_000, hour)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_STORE_UNAVAILABLE' });
    expect(await store.read(grantId, '')).toMatchObject({ tokens });
  });
});
