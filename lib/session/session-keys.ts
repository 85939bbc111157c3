/** The few commands on keys that sessions need, over Redis or in memory. */
import { LRUCache } from 'lru-cache';
import { replyCode } from '../redis-connection.js';
import type { RedisConnection } from '../redis-connection.js';
import { redisScript, runScript } from '../redis-script.js';

export interface SessionKeys {
  /** Reads and renews in one round trip. `undefined`: no such key. */
  getAndRenew(key: string, ttlSeconds: number): Promise<string | undefined>;
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
