/** The few commands on keys that sessions need, over Redis or in memory. */
import { LRUCache } from 'lru-cache';
import { replyCode } from '../redis-connection.js';
import type { RedisConnection } from '../redis-connection.js';

export interface SessionKeys {
  /** Reads and renews in one round trip. `undefined`: no such key. */
  getAndRenew(key: string, ttlSeconds: number): Promise<string | undefined>;
  /** `NX`: only if absent; `XX`: only if present. `false`: the condition did not hold and nothing was written. */
  set(key: string, value: string, ttlSeconds: number, condition: 'NX' | 'XX'): Promise<boolean>;
  delete(key: string): Promise<void>;
}

/** Replies of a server that still reads but takes no writes: during a fail-over, or when its disk or memory is full. */
const READS_STILL_WORK = new Set(['READONLY', 'MISCONF', 'NOREPLICAS']);

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
  };
}

/** How many sessions the memory of one process holds; the least recently used goes first. */
const MEMORY_SESSIONS = 50_000;

export function memorySessionKeys(): SessionKeys {
  const values = new LRUCache<string, string>({ max: MEMORY_SESSIONS });
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
  };
}
