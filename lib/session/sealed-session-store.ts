/**
 * Sessions at rest: connect-redis over keys that are hashed and values that are sealed, both with the session id.
 *
 * A new session is written only if its key is free, a known one only if its key is still there: a session that was
 * destroyed meanwhile stays destroyed, however late a slow request saves it.
 */
import { RedisStore } from 'connect-redis';
import type { SessionData } from 'express-session';
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { ConfigurationError } from '../errors.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import { isLoginRecord } from './login-record.js';
import type { LoginHashes } from './login-index.js';
import type { LoginRecord } from './login-record.js';
import type { SessionKeys } from './session-keys.js';

/** What is stored under one session id. The app's data and the login are apart: writing one cannot touch the other. */
export interface SessionContent {
  readonly login?: LoginRecord;
  /** express-session's own serialisation of `req.session`, `cookie` included once the app has written to it. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Epoch seconds; the session ends then, whatever happens. */
  readonly expiresAt: number;
}

export interface SealedSessionStore {
  /** Also renews the idle time. `undefined`: no such session, or it has ended. */
  read(sessionId: string): Promise<SessionContent | undefined>;
  /** Leaves the idle time as it is, and tells how much is left of it. */
  peek(sessionId: string): Promise<{ content: SessionContent; idleLeftSeconds: number } | undefined>;
  /** Which of these sessions, by the hashes of their ids, are still there. Renews none. */
  exist(hashes: readonly string[]): Promise<boolean[]>;
  create(sessionId: string, content: SessionContent): Promise<void>;
  /** Writes nothing when the session is gone. */
  update(sessionId: string, content: SessionContent): Promise<void>;
  /**
   * Destroys a session in favour of a login, which whoever still holds its id can end for a minute, by `takeSuccessor()`, and not open.
   * `false`: it was gone before, and not in favour of another login.
   */
  replace(sessionId: string, successor: LoginHashes): Promise<boolean>;
  /** What took the place of a session a moment ago, once. */
  takeSuccessor(sessionId: string): Promise<LoginHashes | undefined>;
  destroy(sessionId: string): Promise<void>;
  /** The same by the hashes of their ids, for those who must not know the ids. */
  destroyHashed(hashes: readonly string[]): Promise<void>;
  /** How long each will live without being read, in milliseconds, by the hashes of their ids. `undefined`: it is gone. */
  timesLeft(hashes: readonly string[]): Promise<(number | undefined)[]>;
}

type WrittenKeys = Pick<SessionKeys, 'set' | 'take'>;

/** Longer than the answer to a login is on its way. */
const SUCCESSOR_SECONDS = 60;

const PREFIX = 'ecf:s:';
const keyOf = (sessionId: string): string => PREFIX + hashId(sessionId);
const successorOf = (sessionId: string): string => `ecf:n:${hashId(sessionId)}`;

/** What connect-redis carries for us: a value that is sealed already. */
interface Carried {
  readonly sealed: Buffer;
  readonly ttlSeconds: number;
}

const carry = (content: Carried): SessionData => content as unknown as SessionData; // connect-redis only hands it to ttl and serializer
const carried = (session: SessionData): Carried => session as unknown as Carried;

/** connect-redis with ioredis' argument order, `SET key value EX ttl`, which 9 and later no longer speak. Nothing is read through it. */
function connectRedis(keys: WrittenKeys, condition: 'NX' | 'XX'): RedisStore {
  return new RedisStore({
    prefix: PREFIX,
    ttl: (session) => carried(session).ttlSeconds,
    // It only passes on what it takes for text.
    serializer: { stringify: (session) => carried(session).sealed as unknown as string, parse: JSON.parse },
    client: {
      del: ([key]: readonly [string]) => keys.take(key),
      set: (key: string, value: Buffer, ex: unknown, ttl: unknown) => {
        if (ex !== 'EX' || typeof ttl !== 'number') throw incompatible();
        return keys.set(key, value, ttl, condition);
      },
    },
  });
}

function incompatible(): ConfigurationError {
  return new ConfigurationError(
    'ERR_CODE_FLOW_REDIS_INCOMPATIBLE',
    'the installed connect-redis does not speak to ioredis (9 and later speak to node-redis only): install connect-redis 8.1',
  );
}

/** Finds the wrong connect-redis at start-up: one round trip through it over keys that only record. */
export function checkConnectRedis(): void {
  const probe = Buffer.from('probe');
  let written: Buffer | undefined;
  const recorder: WrittenKeys = {
    set: (_key, value) => {
      written = value;
      return Promise.resolve(true);
    },
    take: () => Promise.resolve(undefined),
  };
  // connect-redis calls its client before its first await, so the outcome is known when set() returns.
  connectRedis(recorder, 'NX').set('probe', carry({ sealed: probe, ttlSeconds: 1 })).catch(() => undefined);
  if (written !== probe) throw incompatible();
}

const isData = (value: unknown): value is SessionContent['data'] => typeof value === 'object' && value !== null;

/** Authentic: a release of ours wrote it. Its shape is checked all the same. */
function parseContent(text: string): SessionContent | undefined {
  const { login, data, expiresAt } = (JSON.parse(text) ?? {}) as Partial<Record<keyof SessionContent, unknown>>;
  if (!isData(data) || typeof expiresAt !== 'number') return undefined;
  if (login === undefined) return { data, expiresAt };
  return isLoginRecord(login) ? { login, data, expiresAt } : undefined;
}

export function createSealedSessionStore(keys: SessionKeys, sealer: Sealer, clock: Clock, idleTimeoutSeconds: number): SealedSessionStore {
  const created = connectRedis(keys, 'NX');
  const known = connectRedis(keys, 'XX');

  function sealed(sessionId: string, content: SessionContent): SessionData {
    const ttlSeconds = Math.max(1, Math.min(idleTimeoutSeconds, content.expiresAt - epochSeconds(clock)));
    return carry({ sealed: sealer.seal('session', sessionId, JSON.stringify(content)), ttlSeconds });
  }

  /** `undefined`: unreadable, or over. */
  function opened(sessionId: string, value: Buffer): SessionContent | undefined {
    const text = sealer.open('session', sessionId, value);
    const content = text === undefined ? undefined : parseContent(text);
    return content !== undefined && content.expiresAt > epochSeconds(clock) ? content : undefined;
  }

  return {
    async read(sessionId) {
      // Not through connect-redis, which has nothing to add here but promises.
      const stored = await keys.getAndRenew(keyOf(sessionId), idleTimeoutSeconds);
      if (stored === undefined) return undefined;
      const content = opened(sessionId, stored);
      if (content !== undefined) return content;
      // Unreadable or over: it would never be of use again, unless to a newer release or with a newer secret (THREATS C16).
      if (!sealer.mayBeOthers(stored)) await known.destroy(hashId(sessionId));
      return undefined;
    },
    async peek(sessionId) {
      const found = await keys.peek(keyOf(sessionId));
      if (found === undefined) return undefined;
      const content = opened(sessionId, found.value);
      return content === undefined ? undefined : { content, idleLeftSeconds: found.leftSeconds };
    },
    exist: (hashes) => keys.exist(hashes.map((hash) => PREFIX + hash)),
    async create(sessionId, content) {
      await created.set(hashId(sessionId), sealed(sessionId, content));
    },
    async update(sessionId, content) {
      await known.set(hashId(sessionId), sealed(sessionId, content));
    },
    ...createSuccessors(keys, sealer),
    async destroy(sessionId) {
      await known.destroy(hashId(sessionId));
    },
    destroyHashed: (hashes) => keys.deleteAll(hashes.map((hash) => PREFIX + hash)),
    timesLeft: (hashes) => keys.timesLeft(hashes.map((hash) => PREFIX + hash)),
  };
}

/** What took the place of sessions; `docs/decisions/logout-races.md` says why. */
function createSuccessors(keys: SessionKeys, sealer: Sealer): Pick<SealedSessionStore, 'replace' | 'takeSuccessor'> {
  return {
    async replace(sessionId, successor) {
      // Before the session goes: a logout that finds it gone looks for its successor next, so that one of the two meets the other.
      const value = sealer.seal('session', sessionId, JSON.stringify(successor), 'successor');
      const earlier = await keys.swap(successorOf(sessionId), value, SUCCESSOR_SECONDS);
      const taken = await keys.take(keyOf(sessionId));
      // Our own note is no other login's: it was written before, and the answer got lost.
      return taken !== undefined || (earlier !== undefined && !earlier.equals(value));
    },
    async takeSuccessor(sessionId) {
      const taken = await keys.take(successorOf(sessionId));
      const text = taken === undefined ? undefined : sealer.open('session', sessionId, taken, 'successor');
      return text === undefined ? undefined : (JSON.parse(text) as LoginHashes); // authentic: sealed by replace()
    },
  };
}
