/** `redis`: an ioredis client, or the URL for one. The value may hold a password and is never shown. */
import type { Cluster, Redis } from 'ioredis';
import { type Check, isObject, refuse, show } from './check.js';

type Client = Redis | Cluster;

const advice = "pass an ioredis client, `new Redis(url)` from 'ioredis', or a redis:// or rediss:// URL";

const has = (value: Record<string, unknown>, ...methods: readonly string[]): boolean => methods.every((name) => typeof value[name] === 'function');

/** By its methods: two copies of ioredis in one app do not share their classes. */
const isIoredis = (value: unknown): value is Client => isObject(value) && has(value, 'defineCommand', 'duplicate');

const incompatible = (path: string, problem: string): never => refuse(path, `${problem}: ${advice}`, 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE');

export const readRedis: Check<Client | string> = (value, path) => {
  if (typeof value === 'string') return readRedisUrl(value, path);
  if (isIoredis(value)) return value;
  if (!isObject(value)) return refuse(path, `must be a client or a URL; got ${show(value)}: ${advice}`);
  if (has(value, 'sendCommand') || has(value, 'scanIterator')) {
    return incompatible(path, "is not a client of ioredis; it looks like one of node-redis ('redis'), whose commands differ");
  }
  if ('client' in value && has(value, 'get', 'set')) {
    return incompatible(path, 'looks like a session store, which is made here');
  }
  return incompatible(path, 'is an object, but no client of ioredis');
};

function readRedisUrl(value: string, path: string): string {
  if (value === '') refuse(path, `is the empty string; is the environment variable that it is read from set? Otherwise ${advice}`);
  const protocol = URL.canParse(value) ? new URL(value).protocol : undefined;
  if (protocol !== 'redis:' && protocol !== 'rediss:') refuse(path, `is no redis:// or rediss:// URL: ${advice}; a Unix socket needs a client`);
  return value;
}
