/**
 * Our own connection to the user's Redis. Never the app's client itself: its defaults make a request hang for
 * 10 to 75 seconds in an outage, and its options are not ours to change.
 */
import { systemClock } from './clock.js';
import { StoreError } from './errors.js';
import type { Events } from './events.js';
import { createProblemTeller } from './problems.js';
import type { TellProblem } from './problems.js';
import { openClient, sendTogether } from './redis-client.js';
import type { RedisClient } from './redis-client.js';
import { createReplyListener, replyCode } from './redis-replies.js';

export { replyCode } from './redis-replies.js';
export type { RedisClient } from './redis-client.js';

export interface RedisConnection {
  /**
   * Runs one operation within the deadline. Rejects with StoreError only; whether a write was carried out is then unknown.
   * While somebody waits, `send` is called again after a lost connection, so it must be safe to repeat; after the deadline never.
   */
  run<T>(operation: string, send: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Resolves when Redis takes commands. Stays pending while it is out of reach, and after `close()`. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Replies that pass by themselves, often within the deadline: a fail-over, a start, slots on the move. Nothing was carried out. */
const PASSING = new Set(['LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'READONLY', 'NOREPLICAS', 'BUSY']);

/** What is no reply of Redis at all is a connection that was lost or not there yet. */
function passes(error: unknown): boolean {
  const reply = replyCode(error);
  return reply === undefined || PASSING.has(reply);
}

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 80;

/** One operation, for as long as somebody waits for it. */
interface Call {
  readonly operation: string;
  over: boolean;
  /** Why it was not carried out so far. */
  error: unknown;
  /** Ends a wait for the connection. */
  wake: (() => void) | undefined;
  /** Ends the call with an error. */
  fail: (error: StoreError) => void;
}

class OwnConnection implements RedisConnection {
  readonly #client: RedisClient;
  readonly #timeoutMs: number;
  readonly #events: Events;
  readonly #tellProblem: (error: unknown) => void;
  readonly #calls = new Set<Call>();
  readonly #waiting = new Set<() => void>();
  /** Why there is no connection, as far as Redis said. */
  #refusal: unknown;
  #closed = false;

  constructor(client: RedisClient, timeoutMs: number, events: Events, tell: TellProblem) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    this.#tellProblem = createReplyListener(tell);
    const hear = (error: unknown): void => {
      this.#refusal = error;
      this.#tellProblem(error);
    };
    // Without a listener ioredis prints every connection error, with the address. Requests report the outage themselves.
    client.on('error', (error: Error & { lastNodeError?: unknown }) => hear(error.lastNodeError ?? error));
    client.on('node error', hear);
    client.on('ready', () => this.#wakeAll());
  }

  run<T>(operation: string, send: (client: RedisClient) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (error: StoreError): void => {
        if (!this.#end(call, timer)) return;
        this.#events.emit('store.failed', { operation, code: error.code });
        reject(error);
      };
      const call: Call = { operation, over: false, error: undefined, wake: undefined, fail };
      const timer = setTimeout(() => fail(this.#whyNot(call)), this.#timeoutMs);
      this.#calls.add(call);
      if (this.#closed) return fail(shutDown(operation));
      const succeed = (value: T): void => {
        if (this.#end(call, timer)) resolve(value);
      };
      // Nearly every command is answered at its first sending; the loop, which costs more promises, is for the rest.
      const sendOn = (error?: unknown): void => {
        this.#sendUntilAnswered(send, call, error).then(succeed, (reason: unknown) => fail(unavailable(operation, reason)));
      };
      if (this.#client.status !== 'ready') return sendOn();
      try {
        sendTogether(this.#client);
        send(this.#client).then(succeed, sendOn);
      } catch (error) {
        sendOn(error);
      }
    });
  }

  ready(): Promise<void> {
    return this.#client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => this.#waiting.add(resolve));
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) call.fail(shutDown(call.operation));
    this.#waiting.clear();
    this.#client.disconnect();
    return Promise.resolve();
  }

  /** `failed`: why a first sending was not carried out. */
  async #sendUntilAnswered<T>(send: (client: RedisClient) => Promise<T>, call: Call, failed?: unknown): Promise<T> {
    if (failed !== undefined) await this.#pauseAfter(failed, call, FIRST_PAUSE_MS);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (this.#client.status !== 'ready') await this.#connected(call);
      if (call.over) throw call.error;
      try {
        return await send(this.#client);
      } catch (error) {
        await this.#pauseAfter(error, call, pauseMs);
      }
    }
  }

  /** Rejects with an error that does not pass by itself. */
  async #pauseAfter(error: unknown, call: Call, pauseMs: number): Promise<void> {
    this.#tellProblem(error);
    if (!passes(error)) throw error;
    call.error = error;
    await systemClock.sleep(pauseMs);
  }

  #connected(call: Call): Promise<void> {
    return new Promise((resolve) => {
      call.wake = resolve;
      this.#waiting.add(resolve);
    });
  }

  #wakeAll(): void {
    this.#refusal = undefined;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** `false`: it was over already. */
  #end(call: Call, timer: NodeJS.Timeout): boolean {
    if (call.over) return false;
    call.over = true;
    clearTimeout(timer);
    this.#calls.delete(call);
    // Those who gave up must not pile up in a long outage.
    if (call.wake !== undefined && this.#waiting.delete(call.wake)) call.wake();
    return true;
  }

  /** The best that is known when the time is over. */
  #whyNot({ operation, error }: Call): StoreError {
    const connected = this.#client.status === 'ready';
    const cause = connected ? error : (this.#refusal ?? error);
    if (replyCode(cause) !== undefined) return unavailable(operation, cause);
    return connected ? timedOut(operation, this.#timeoutMs / 1000) : unconnected(operation, this.#timeoutMs / 1000);
  }
}

export function connectRedis(
  redis: RedisClient | string,
  timeoutSeconds: number,
  events: Events,
  tell = createProblemTeller(events, () => systemClock.monotonic()),
): RedisConnection {
  const timeoutMs = timeoutSeconds * 1000;
  return new OwnConnection(openClient(redis, timeoutMs), timeoutMs, events, tell);
}

function shutDown(operation: string): StoreError {
  return new StoreError('ERR_CODE_FLOW_CLOSED', `Redis could not ${operation}: codeFlow() is closed`);
}

function timedOut(operation: string, timeoutSeconds: number): StoreError {
  return new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', `Redis did not ${operation} within ${timeoutSeconds} s (option \`redisTimeoutSeconds\`)`);
}

/** The same code: what to wait for is the same. But a longer `redisTimeoutSeconds` would not help. */
function unconnected(operation: string, timeoutSeconds: number): StoreError {
  const advice = 'is it running, and at the address in the option `redis`?';
  return new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', `Redis could not ${operation}: no connection to it within ${timeoutSeconds} s; ${advice}`);
}

/** ioredis errors carry the command's arguments: nothing of them but the reply's first word goes on. */
function unavailable(operation: string, error: unknown): StoreError {
  const reply = replyCode(error);
  return new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', `Redis could not ${operation}${reply === undefined ? '' : ` (${reply})`}`);
}
