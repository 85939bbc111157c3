/** The session of one request: read at its start, replaced at login, ended at logout. */
import type { Clock } from '../clock.js';
import { LoginError } from '../errors.js';
import { appendSetCookie, header } from '../http.js';
import { hashId, randomId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, Response } from '../types.js';
import type { SessionReading } from './app-session.js';
import type { LoginHashes, LoginIndex } from './login-index.js';
import type { LoginRecord } from './login-record.js';
import type { LoginState } from './login-state.js';
import { releaseOnClose } from './login-watch.js';
import type { Connection, LoginWatch, WatchedLogin } from './login-watch.js';
import type { SealedSessionStore } from './sealed-session-store.js';
import type { SessionCookie } from './session-cookie.js';
import { sessionHandle } from './session-handle.js';

/** The login that a request was made with: all that is left of it where nothing can be answered. */
export interface SeenLogin {
  readonly state: LoginState;
  /** Tells when the login ends, until it is released or the connection closes. `undefined`: nobody is logged in. */
  watch(connection: Connection): WatchedLogin | undefined;
  /** Deletes the session, and with an answer the cookie. Rejects with StoreError and keeps the cookie if it cannot be deleted. */
  end(): Promise<unknown>;
}

export interface RequestSession extends SeenLogin {
  /** What the browser presented, whether or not something is stored under it; never told to anybody. */
  readonly id: string | undefined;
  /** The session ends after this time without a request. `undefined`: there is none. */
  readonly idleLeftSeconds: number | undefined;
  /** Names this session for `endSessions()`; `undefined` without a login. */
  readonly handle: string | undefined;
  /**
   * A new session id with this login; the old one is dead in the store before the cookie changes. Rejects with StoreError, or with
   * LoginError if the user was signed out since this request began, and leaves no session then.
   */
  startLogin(login: LoginRecord): Promise<void>;
  /**
   * Deletes the session, then the cookie. Rejects with StoreError and keeps the cookie if it cannot be deleted. Answers the login that took
   * its place a moment ago, if one did: its session is deleted too, its grant is for the caller to end.
   */
  end(): Promise<LoginHashes | undefined>;
}

/** What the sessions of all requests share. */
interface SessionParts {
  store: SealedSessionStore;
  watch: LoginWatch;
  cookie: SessionCookie;
  index: LoginIndex;
  sealer: Sealer;
  clock: Clock;
  keep: readonly string[];
  /** How long a login must be findable by its user, epoch seconds. */
  findableUntil: (login: LoginRecord) => number;
}

/** A class, like all that each request has one of: methods are then made once. */
export class SeenSession implements SeenLogin {
  readonly state: LoginState;
  protected readonly parts: SessionParts;
  protected readonly reading: SessionReading;

  constructor(parts: SessionParts, reading: SessionReading) {
    this.state = stateOf(reading);
    this.parts = parts;
    this.reading = reading;
  }

  watch(connection: Connection): WatchedLogin | undefined {
    const { parts, reading, state } = this;
    if (reading.kind !== 'found' || state.kind !== 'authenticated') return undefined;
    return releaseOnClose(parts.watch.watch(hashId(reading.id), reading.content.expiresAt), connection);
  }

  async end(): Promise<LoginHashes | undefined> {
    const { parts, reading } = this;
    if (reading.kind === 'unknown') throw reading.error;
    if (reading.id !== undefined) await parts.store.destroy(reading.id);
    return undefined;
  }
}

export class OpenedSession extends SeenSession implements RequestSession {
  readonly #req: Request;
  readonly #res: Response;
  /** When the request began, monotonic milliseconds. */
  readonly #since: number;

  constructor(parts: SessionParts, reading: SessionReading, req: Request, res: Response) {
    super(parts, reading);
    this.#req = req;
    this.#res = res;
    this.#since = parts.clock.monotonic();
  }

  get id(): string | undefined {
    return this.reading.id;
  }

  get idleLeftSeconds(): number | undefined {
    return this.reading.kind === 'found' ? this.reading.idleLeftSeconds : undefined;
  }

  get handle(): string | undefined {
    const { parts, reading, state } = this;
    if (reading.kind !== 'found' || state.kind !== 'authenticated') return undefined;
    return sessionHandle(parts.sealer, { session: hashId(reading.id), grant: hashId(state.login.grantId) });
  }

  async startLogin(login: LoginRecord): Promise<void> {
    const { parts, reading } = this;
    if (reading.kind === 'unknown') throw reading.error;
    const id = randomId();
    try {
      await storeLogin(parts, reading, { id, login, label: labelOf(this.#req), since: this.#since });
    } catch (error) {
      // Nobody has its id: at worst it is there until its time is over.
      await parts.store.destroy(id).catch(() => undefined);
      throw error;
    }
    appendSetCookie(this.#res, parts.cookie.write(id));
  }

  override async end(): Promise<LoginHashes | undefined> {
    const { parts, reading } = this;
    await super.end();
    if (reading.id === undefined) return undefined;
    const successor = await parts.store.takeSuccessor(reading.id);
    if (successor !== undefined) await parts.store.destroyHashed([successor.session]);
    if (!this.#res.headersSent) appendSetCookie(this.#res, parts.cookie.clear());
    return successor;
  }
}

interface NewSession {
  readonly id: string;
  readonly login: LoginRecord;
  readonly label: string | undefined;
  /** When the request began, monotonic milliseconds. */
  readonly since: number;
}

/**
 * In this order, a logout that comes at any moment meets the login: one of all of the user's sessions finds it in the index, or is found
 * there (THREATS H6); one of the session that it replaces finds its successor, or is found to have ended it (THREATS C7).
 */
async function storeLogin({ store, index, keep, findableUntil }: SessionParts, reading: SessionReading, { id, login, label, since }: NewSession): Promise<void> {
  const { provider, loginAt, expiresAt } = login;
  const hashes = { session: hashId(id), grant: hashId(login.grantId) };
  await store.create(id, { login, data: kept(reading, keep), expiresAt });
  const entry = { ...hashes, provider, loginAt, expiresAt, ...(label === undefined ? {} : { label }) };
  if (!(await index.add(login, entry, findableUntil(login), since))) throw signedOut();
  if (reading.id === undefined) return;
  const replaced = await store.replace(reading.id, hashes);
  if (!replaced && stateOf(reading).kind === 'authenticated') throw signedOut();
}

function signedOut(): LoginError {
  return new LoginError('ERR_CODE_FLOW_SIGNED_OUT', 'the user was signed out while this login was finishing');
}

const LONGEST_LABEL = 200;

/** Shown by apps: no control characters and no halves of characters. */
function labelOf(req: Request): string | undefined {
  const agent = header(req, 'user-agent')?.slice(0, LONGEST_LABEL).replaceAll(/\p{C}/gu, '');
  return agent === '' ? undefined : agent;
}

function stateOf(reading: SessionReading): LoginState {
  if (reading.kind === 'unknown') return { kind: 'unknown', error: reading.error };
  const login = reading.kind === 'found' ? reading.content.login : undefined;
  return login === undefined ? { kind: 'anonymous' } : { kind: 'authenticated', login };
}

/** Nothing crosses the login boundary but what the app named (THREATS C2). */
function kept(reading: SessionReading, keep: readonly string[]): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  if (reading.kind !== 'found') return data;
  for (const name of keep) {
    if (Object.hasOwn(reading.content.data, name)) data[name] = reading.content.data[name];
  }
  return data;
}
