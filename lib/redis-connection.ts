/**
 * Our own connection to the user's Redis. Never the app's client itself: its defaults make a request hang for
 * 10 to 75 seconds in an outage, and its options are not ours to change.
 */
import { Redis } from 'ioredis';
import type { Cluster } from 'ioredis';
import { StoreError } from './errors.js';
import type { Events } from './events.js';

export type RedisClient = Redis | Cluster;

export interface RedisConnection {
  /** Runs one operation within the deadline. Rejects with StoreError only; whether a write was carried out is then unknown. */
  run<T>(operation: string, send: (client: RedisClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The first word of a Redis error reply, such as `READONLY` or `OOM`: the only part of it that holds no arguments. */
export function replyCode(error: unknown): string | undefined {
  return error instanceof Error ? /^[A-Z]{2,}/.exec(error.message)?.[0] : undefined;
}

function connectionOptions(timeoutMs: number) {
  return {
    // A command that could not be sent at once must not run later, when its request is long gone.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    connectTimeout: Math.max(1000, timeoutMs),
    // A socket on which nothing comes back is replaced, instead of swallowing every later command.
    socketTimeout: Math.max(1000, timeoutMs * 4),
    retryStrategy,
    // A primary that became a replica: connect anew, so that DNS or Sentinel shows us the new one. 1: without resending.
    reconnectOnError: (error: Error) => (replyCode(error) === 'READONLY' ? 1 : false),
  } as const;
}

const retryStrategy = (attempt: number): number => Math.min(50 * attempt, 500);

function openClient(redis: RedisClient | string, timeoutMs: number): RedisClient {
  const options = connectionOptions(timeoutMs);
  if (typeof redis === 'string') return new Redis(redis, options);
  if (!isCluster(redis)) return redis.duplicate({ ...options, lazyConnect: false, replyMapping: 'legacy' });
  const { replyMapping: _, ...own } = redis.options.redisOptions ?? {}; // we read replies in ioredis' classic shape
  const redisOptions = { ...own, ...options };
  return redis.duplicate([], { enableOfflineQueue: false, lazyConnect: false, clusterRetryStrategy: retryStrategy, redisOptions });
}

/** By its own mark, not by its class: the app may use another copy or version of ioredis than we do. */
const isCluster = (redis: RedisClient): redis is Cluster => redis.isCluster;

/** Resolves when the client can take commands; the caller bounds the wait. One listener serves all who wait. */
function readiness(client: RedisClient): () => Promise<void> {
  let next: Promise<void> | undefined;
  return () => {
    next ??= new Promise((resolve) => {
      client.once('ready', () => {
        next = undefined;
        resolve();
      });
    });
    return next;
  };
}

export function connectRedis(redis: RedisClient | string, timeoutSeconds: number, events: Events): RedisConnection {
  const timeoutMs = timeoutSeconds * 1000;
  const client = openClient(redis, timeoutMs);
  // Without a listener ioredis prints every connection error, with the address. Requests report the outage themselves.
  client.on('error', () => undefined);
  const ready = readiness(client);

  const fail = (error: StoreError, operation: string): StoreError => {
    events.emit('store.failed', { operation, code: error.code });
    return error;
  };

  async function sendWhenReady<T>(send: (client: RedisClient) => Promise<T>, abandoned: () => boolean): Promise<T | undefined> {
    if (client.status !== 'ready') await ready();
    return abandoned() ? undefined : send(client);
  }

  return {
    run(operation, send) {
      return new Promise((resolve, reject) => {
        let over = false;
        const timer = setTimeout(() => {
          over = true;
          reject(fail(timedOut(operation, timeoutSeconds), operation));
        }, timeoutMs);
        sendWhenReady(send, () => over).then(
          (value) => {
            clearTimeout(timer);
            if (!over) resolve(value as Awaited<ReturnType<typeof send>>); // `undefined` only after the deadline.
          },
          (error: unknown) => {
            clearTimeout(timer);
            if (!over) reject(fail(unavailable(operation, error), operation));
          },
        );
      });
    },
    close: () => Promise.resolve(client.disconnect()),
  };
}

function timedOut(operation: string, timeoutSeconds: number): StoreError {
  return new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', `Redis did not ${operation} within ${timeoutSeconds} s (option \`redisTimeoutSeconds\`)`);
}

/** ioredis errors carry the command's arguments: nothing of them but the reply's first word goes on. */
function unavailable(operation: string, error: unknown): StoreError {
  const reply = replyCode(error);
  return new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', `Redis could not ${operation}${reply === undefined ? '' : ` (${reply})`}`);
}
