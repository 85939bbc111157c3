/**
 * Tells whoever holds a connection open that its login has ended, in whichever process that happened. Redis is asked about once a second;
 * `docs/decisions/watching-logins.md` says why it does not tell by itself.
 */
import type { Writable } from 'node:stream';
import type { Clock } from '../clock.js';
import { AuthenticationRequiredError } from '../errors.js';
import { hashId } from '../seal.js';
import type { SealedSessionStore } from './sealed-session-store.js';

export interface WatchedLogin {
  /** Aborts when the login ends. Stays silent after `release()`, and while nobody can tell. */
  readonly signal: AbortSignal;
  release(): void;
}

export interface LoginWatch {
  /** `hash`: of the session id. `expiresAt`: epoch seconds. */
  watch(hash: string, expiresAt: number): WatchedLogin;
  /** This session was ended here: nobody has to ask. */
  ended(hash: string): void;
  close(): void;
}

/** A socket or an answer. */
export type Connection = Pick<Writable, 'once' | 'removeListener' | 'closed' | 'destroyed'>;

interface Entry {
  readonly expiresAt: number;
  readonly controller: AbortController;
}

const ASK_EVERY_MS = 1000;

/** Commands that are sent without waiting for one another: a second's worth of them must not delay those of requests. */
const AT_ONCE = 500;

class PollingWatch implements LoginWatch {
  readonly #exist: SealedSessionStore['exist'];
  readonly #clock: Clock;
  /** By the hash of the session id: many connections of one login cost one question. */
  readonly #watched = new Map<string, Set<Entry>>();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #askNext = 0;
  #closed = false;

  constructor(exist: SealedSessionStore['exist'], clock: Clock) {
    this.#exist = exist;
    this.#clock = clock;
  }

  watch(hash: string, expiresAt: number): WatchedLogin {
    const entry: Entry = { expiresAt, controller: new AbortController() };
    const entries = this.#watched.get(hash) ?? new Set<Entry>();
    this.#watched.set(hash, entries.add(entry));
    this.#schedule();
    return { signal: entry.controller.signal, release: () => this.#release(hash, entry) };
  }

  ended(hash: string): void {
    const entries = this.#watched.get(hash);
    this.#watched.delete(hash);
    for (const { controller } of entries ?? []) controller.abort(loginEnded());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  #release(hash: string, entry: Entry): void {
    const entries = this.#watched.get(hash);
    if (entries?.delete(entry) === true && entries.size === 0) this.#watched.delete(hash);
  }

  /** One timer at most, and none while nothing is watched: it holds up the end of no process. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#asking || this.#closed || this.#watched.size === 0) return;
    const untilAsked = this.#askNext - this.#clock.monotonic();
    const untilExpiry = this.#nextExpiry() * 1000 - this.#clock.now();
    const waitMs = Math.max(0, Math.min(untilAsked, untilExpiry));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look()
        .finally(() => this.#schedule())
        .catch(() => undefined); // it never rejects
    }, waitMs).unref();
  }

  #nextExpiry(): number {
    let next = Infinity;
    for (const entries of this.#watched.values()) for (const { expiresAt } of entries) next = Math.min(next, expiresAt);
    return next;
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#endExpired();
    if (this.#clock.monotonic() < this.#askNext) return;
    this.#askNext = this.#clock.monotonic() + ASK_EVERY_MS;
    this.#asking = true;
    // That Redis cannot tell is told by its own event, and ends no login: the next second asks again.
    await this.#ask([...this.#watched.keys()]).catch(() => undefined);
    this.#asking = false;
  }

  #endExpired(): void {
    for (const [hash, entries] of this.#watched) {
      if ([...entries].some(({ expiresAt }) => expiresAt * 1000 <= this.#clock.now())) this.ended(hash);
    }
  }

  async #ask(hashes: readonly string[]): Promise<void> {
    for (let from = 0; from < hashes.length && !this.#closed; from += AT_ONCE) {
      const batch = hashes.slice(from, from + AT_ONCE);
      const alive = await this.#exist(batch);
      for (const [index, hash] of batch.entries()) if (alive[index] === false) this.ended(hash);
    }
  }
}

function loginEnded(): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_ENDED', 'the login has ended: log in again');
}

export function createLoginWatch({ exist }: Pick<SealedSessionStore, 'exist'>, clock: Clock): LoginWatch {
  return new PollingWatch(exist, clock);
}

/** Releases it with its connection, a socket or an answer: nobody is there any more to be told. Released before, it leaves nothing behind there. */
export function releaseOnClose(watched: WatchedLogin, connection: Connection): WatchedLogin {
  const release = (): void => {
    connection.removeListener('close', release);
    watched.release();
  };
  if (connection.closed || connection.destroyed) watched.release();
  else connection.once('close', release);
  return { signal: watched.signal, release };
}

/** The same store, which tells the watch what was ended through it. */
export function reportingEnds(store: SealedSessionStore, watch: Pick<LoginWatch, 'ended'>): SealedSessionStore {
  return {
    ...store,
    async destroy(sessionId) {
      await store.destroy(sessionId);
      watch.ended(hashId(sessionId));
    },
    async replace(sessionId, successor) {
      const replaced = await store.replace(sessionId, successor);
      watch.ended(hashId(sessionId));
      return replaced;
    },
    async destroyHashed(hashes) {
      await store.destroyHashed(hashes);
      for (const hash of hashes) watch.ended(hash);
    },
  };
}
