/**
 * Our own connection to the user's Redis. Never the app's client itself: its defaults make a request hang for
 * 10 to 75 seconds in an outage, and its options are not ours to change.
 */
import { systemClock } from './clock.js';
import { StoreError } from './errors.js';
import type { Events } from './events.js';
import { openClient } from './redis-client.js';
import type { RedisClient } from './redis-client.js';
import { createProblemTeller, replyCode } from './redis-problems.js';

export { replyCode } from './redis-problems.js';
export type { RedisClient } from './redis-client.js';

export interface RedisConnection {
  /**
   * Runs one operation within the deadline. Rejects with StoreError only; whether a write was carried out is then unknown.
   * While somebody waits it is sent again after a lost connection, so `send` must be safe to repeat; after the deadline it is sent no more.
   */
  run<T>(operation: string, send: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Resolves when Redis takes commands. Stays pending while it is out of reach, and after `close()`. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Answers that pass by themselves, often within the deadline: a fail-over, a start, slots on the move. Nothing was carried out. */
const PASSING = new Set(['LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'READONLY', 'NOREPLICAS', 'BUSY']);

/** What is no answer of Redis at all is a connection that was lost or not there yet. */
function passes(error: unknown): boolean {
  const reply = replyCode(error);
  return reply === undefined || PASSING.has(reply);
}

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 80;

/** One operation for as long as somebody waits for it. */
interface Call {
  over: boolean;
  /** Why it was not carried out so far. */
  error: unknown;
  /** Ends a wait for the connection. */
  wake: () => void;
  /** Ends the call. */
  fail: (error: StoreError) => void;
}

export function connectRedis(redis: RedisClient | string, timeoutSeconds: number, events: Events): RedisConnection {
  const timeoutMs = timeoutSeconds * 1000;
  const client = openClient(redis, timeoutMs);
  const tellProblem = createProblemTeller(events);
  const calls = new Set<Call>();
  const waiting = new Set<() => void>();
  let closed = false;
  /** What was last heard of a connection that did not come about. */
  let refusal: unknown;

  function hear(error: unknown): void {
    refusal = error;
    tellProblem(error);
  }
  // Without a listener ioredis prints every connection error, with the address. Requests report the outage themselves.
  client.on('error', (error: Error & { lastNodeError?: unknown }) => hear(error.lastNodeError ?? error));
  client.on('node error', hear);
  client.on('ready', () => {
    refusal = undefined;
    for (const wake of waiting) wake();
    waiting.clear();
  });

  async function sendUntilAnswered<T>(send: (client: RedisClient) => Promise<T>, call: Call): Promise<T> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (client.status !== 'ready') await new Promise<void>((resolve) => waiting.add((call.wake = resolve)));
      if (call.over) throw call.error;
      try {
        return await send(client);
      } catch (error) {
        tellProblem(error);
        if (!passes(error)) throw error;
        call.error = error;
      }
      await systemClock.sleep(pauseMs);
    }
  }

  /** The best that is known when the time is over. */
  function whyNot(operation: string, { error }: Call): StoreError {
    const cause = client.status === 'ready' ? error : (refusal ?? error);
    return replyCode(cause) === undefined ? timedOut(operation, timeoutSeconds) : unavailable(operation, cause);
  }

  return {
    run<T>(operation: string, send: (client: RedisClient) => Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const call: Call = { over: false, error: undefined, wake: () => undefined, fail };
        const timer = setTimeout(() => fail(whyNot(operation, call)), timeoutMs);
        function end(): boolean {
          if (call.over) return false;
          call.over = true;
          clearTimeout(timer);
          calls.delete(call);
          // A long outage must not pile up those who gave up.
          if (waiting.delete(call.wake)) call.wake();
          return true;
        }
        function fail(error: StoreError): void {
          if (!end()) return;
          events.emit('store.failed', { operation, code: error.code });
          reject(error);
        }
        calls.add(call);
        if (closed) return fail(shutDown(operation));
        sendUntilAnswered(send, call).then((value) => end() && resolve(value), (error: unknown) => fail(unavailable(operation, error)));
      });
    },
    ready: () => (client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))),
    close() {
      closed = true;
      for (const call of calls) call.fail(shutDown('finish'));
      waiting.clear();
      client.disconnect();
      return Promise.resolve();
    },
  };
}

function shutDown(operation: string): StoreError {
  return new StoreError('ERR_CODE_FLOW_CLOSED', `Redis was not asked to ${operation}: codeFlow() is closed`);
}

function timedOut(operation: string, timeoutSeconds: number): StoreError {
  return new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', `Redis did not ${operation} within ${timeoutSeconds} s (option \`redisTimeoutSeconds\`)`);
}

/** ioredis errors carry the command's arguments: nothing of them but the reply's first word goes on. */
function unavailable(operation: string, error: unknown): StoreError {
  const reply = replyCode(error);
  return new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', `Redis could not ${operation}${reply === undefined ? '' : ` (${reply})`}`);
}
