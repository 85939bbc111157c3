/** The few commands on keys that sessions need, over Redis or in memory. */
import { LRUCache } from 'lru-cache';
import { replyCode } from '../redis-connection.js';
import type { RedisConnection } from '../redis-connection.js';
import { redisScript, runScript } from '../redis-script.js';

export interface SessionKeys {
  /** Reads and renews in one round trip. `undefined`: no such key. */
  getAndRenew(key: string, ttlSeconds: number): Promise<string | undefined>;
  /** Reads without renewing, and tells how long the key will last. */
  peek(key: string): Promise<{ value: string; leftSeconds: number } | undefined>;
  /** Which of these are there. Renews none. */
  exist(keys: readonly string[]): Promise<boolean[]>;
  /** `NX`: only if absent; `XX`: only if present. `false`: the condition did not hold and nothing was written. */
  set(key: string, value: string, ttlSeconds: number, condition: 'NX' | 'XX'): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** Adds to a set whose members end one by one; those that ended before `now` are dropped. All in epoch seconds. */
  addMember(key: string, member: string, now: number, endsAt: number): Promise<void>;
  /** The members of such a set that end after `now`. */
  members(key: string, now: number): Promise<string[]>;
  removeMembers(key: string, members: readonly string[]): Promise<void>;
}

/** Replies of a server that still reads but takes no writes: during a fail-over, or when its disk or memory is full. */
const READS_STILL_WORK = new Set(['READONLY', 'MISCONF', 'NOREPLICAS']);

/** The set lives as long as its last member. */
const ADD_MEMBER = redisScript(`redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf',ARGV[2])
redis.call('ZADD',KEYS[1],ARGV[3],ARGV[1])
local last=redis.call('ZRANGE',KEYS[1],-1,-1,'WITHSCORES')
redis.call('EXPIREAT',KEYS[1],string.format('%.0f',last[2]))
return redis.status_reply('OK')`);

export function redisSessionKeys(connection: RedisConnection): SessionKeys {
  return {
    async getAndRenew(key, ttlSeconds) {
      const value = await connection.run('read the session', (client) =>
        client.getex(key, 'EX', ttlSeconds).catch((error: unknown) => {
          if (READS_STILL_WORK.has(replyCode(error) ?? '')) return client.get(key);
          throw error;
        }),
      );
      return value ?? undefined;
    },
    async peek(key) {
      const [value, leftSeconds] = await connection.run('read the session', (client) => Promise.all([client.get(key), client.ttl(key)]));
      return value === null || leftSeconds < 0 ? undefined : { value, leftSeconds };
    },
    async exist(keys) {
      // One command each, sent without waiting for the others: in a cluster keys of several slots cannot share one.
      const counts = await connection.run('look for ended logins', (client) => Promise.all(keys.map((key) => client.exists(key))));
      return counts.map((count) => count === 1);
    },
    async set(key, value, ttlSeconds, condition) {
      const reply = await connection.run('store the session', (client) =>
        condition === 'NX' ? client.set(key, value, 'EX', ttlSeconds, 'NX') : client.set(key, value, 'EX', ttlSeconds, 'XX'),
      );
      return reply === 'OK';
    },
    async delete(key) {
      await connection.run('delete the session', (client) => client.del(key));
    },
    async addMember(key, member, now, endsAt) {
      await connection.run('index the session', (client) => runScript(client, ADD_MEMBER, key, [member, now, endsAt]));
    },
    members: (key, now) => connection.run('list the sessions', (client) => client.zrangebyscore(key, now + 1, '+inf')),
    async removeMembers(key, members) {
      if (members.length > 0) await connection.run('unlist the sessions', (client) => client.zrem(key, ...members));
    },
  };
}

/** How many sessions the memory of one process holds; the least recently used goes first. */
const MEMORY_SESSIONS = 50_000;

export function memorySessionKeys(): SessionKeys {
  const values = new LRUCache<string, string>({ max: MEMORY_SESSIONS });
  const sets = new LRUCache<string, Map<string, number>>({ max: MEMORY_SESSIONS });
  const membersOf = (key: string, now: number): Map<string, number> =>
    new Map([...(sets.get(key) ?? [])].filter(([, endsAt]) => endsAt > now));
  return {
    getAndRenew(key, ttlSeconds) {
      const value = values.get(key);
      if (value !== undefined) values.set(key, value, { ttl: ttlSeconds * 1000 });
      return Promise.resolve(value);
    },
    peek(key) {
      const value = values.peek(key);
      return Promise.resolve(value === undefined ? undefined : { value, leftSeconds: Math.ceil(values.getRemainingTTL(key) / 1000) });
    },
    exist: (keys) => Promise.resolve(keys.map((key) => values.has(key))),
    set(key, value, ttlSeconds, condition) {
      const met = values.has(key) === (condition === 'XX');
      if (met) values.set(key, value, { ttl: ttlSeconds * 1000 });
      return Promise.resolve(met);
    },
    delete(key) {
      values.delete(key);
      return Promise.resolve();
    },
    addMember(key, member, now, endsAt) {
      sets.set(key, membersOf(key, now).set(member, endsAt));
      return Promise.resolve();
    },
    members: (key, now) => Promise.resolve([...membersOf(key, now).keys()]),
    removeMembers(key, members) {
      for (const member of members) sets.get(key)?.delete(member);
      return Promise.resolve();
    },
  };
}
