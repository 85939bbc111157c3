/** The real scripts on a real Redis, in time that jumps: what they take for the server's clock is handed to them. */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Clock } from '../../lib/clock.js';
import type { RedisClient, RedisConnection } from '../../lib/redis-connection.js';

type Arguments = (string | number | Buffer)[];

const serversClock = /local t=redis\.call\('TIME'\); local now=[^\n]*?\/1000\)/;
const handedOver = 'local now=tonumber(ARGV[#ARGV])';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

export function redisInVirtualTime(redis: Redis, clock: Clock): RedisConnection {
  /** By the hash of the original. */
  const scripts = new Map<string, string>();
  const commands = {
    evalsha(hash: string, keys: number, key: string, ...args: Arguments): Promise<unknown> {
      const lua = scripts.get(hash);
      return lua === undefined ? Promise.reject(new Error('NOSCRIPT not yet')) : redis.callBuffer('evalsha', sha1(lua), keys, key, ...args, clock.monotonic());
    },
    eval(original: string, keys: number, key: string, ...args: Arguments): Promise<unknown> {
      const lua = original.replace(serversClock, handedOver);
      if (lua.includes('TIME')) throw new Error('a script asks for the time in a way that this model does not know');
      scripts.set(sha1(original), lua);
      return redis.callBuffer('eval', lua, keys, key, ...args, clock.monotonic());
    },
  };
  const client = {
    callBuffer: (command: keyof typeof commands, text: string, keys: number, key: string, ...args: Arguments) => commands[command](text, keys, key, ...args),
    pexpire: (key: string, milliseconds: number) => redis.pexpire(key, milliseconds),
  } as unknown as RedisClient; // all that the grant store asks of its client
  return {
    run: (_operation, send) => send(client),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
