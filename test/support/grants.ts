/** Both stores of grants, with token sets, attempts and commits to try them with. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { systemClock } from '../../lib/clock.js';
import { createEvents } from '../../lib/events.js';
import type { Attempt, Commit, GrantStore } from '../../lib/grants/grant-store.js';
import { createMemoryGrantStore } from '../../lib/grants/memory-grant-store.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import type { TokenSet } from '../../lib/grants/token-set.js';
import { connectRedis } from '../../lib/redis-connection.js';
import type { RedisConnection } from '../../lib/redis-connection.js';
import { createSealer, randomId } from '../../lib/seal.js';
import { startRedis } from './redis-server.js';
import type { RedisServer } from './redis-server.js';

export const first: TokenSet = { accessTokens: { '': { token: 'at-1', lifetimeSeconds: 60 } }, refreshToken: 'rt-1' };
export const second: TokenSet = { accessTokens: { '': { token: 'at-2', lifetimeSeconds: 60 } }, refreshToken: 'rt-2' };
export const hour = 3_600_000;

export const attemptOn = (grantId: string, version = 1, owner: string = randomUUID()): Attempt => ({ grantId, resource: '', owner, version });
export const commitOf = (tokens: TokenSet, newVersion: number, more: Partial<Commit> = {}): Commit => ({
  tokens,
  newVersion,
  leftMs: 60_000,
  backOffMs: 0,
  keepMs: hour,
  ...more,
});

export interface CreatedGrant {
  readonly store: GrantStore;
  readonly grantId: string;
}

/** For `describe.each`: each store with a function that creates a grant in it. Redis runs from the first test of the file to the last. */
export function grantStores(): [name: string, open: () => GrantStore, created: () => Promise<CreatedGrant>][] {
  let redis: RedisServer;
  let connection: RedisConnection;
  const sealer = createSealer(['a secret for tests only, of more than enough length']);
  beforeAll(async () => {
    redis = await startRedis();
    connection = connectRedis(redis.url, 2, createEvents());
  });
  afterAll(async () => {
    await connection.close();
    await redis.stop();
  });
  const kinds: [string, () => GrantStore][] = [
    ['memory', () => createMemoryGrantStore(systemClock)],
    ['Redis', () => createRedisGrantStore(connection, sealer)],
  ];
  return kinds.map(([name, open]) => [name, open, () => createIn(open())]);
}

async function createIn(store: GrantStore): Promise<CreatedGrant> {
  const grantId = randomId();
  await store.create(grantId, first, 60_000, hour);
  return { store, grantId };
}
