/** The session of a request: read once at its start, replaced at login, ended at logout. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import type { CookieFlags } from '../cookies.js';
import { LoginError, StoreError } from '../errors.js';
import type { Events } from '../events.js';
import { appendSetCookie, header } from '../http.js';
import { hashId, randomId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { createAppSessions } from './app-session.js';
import type { AppSessions, SessionReading } from './app-session.js';
import { createLoginIndex } from './login-index.js';
import type { LoginHashes, LoginIndex } from './login-index.js';
import type { LoginRecord } from './login-record.js';
import type { LoginState } from './login-state.js';
import { createLoginWatch, releaseOnClose, reportingEnds } from './login-watch.js';
import type { Connection, LoginWatch, WatchedLogin } from './login-watch.js';
import { createSealedSessionStore } from './sealed-session-store.js';
import type { SealedSessionStore } from './sealed-session-store.js';
import { createSessionCookie } from './session-cookie.js';
import { createSessionAdministration } from './session-administration.js';
import type { SessionAdministration } from './session-administration.js';
import type { SessionCookie } from './session-cookie.js';
import { sessionHandle } from './session-handle.js';
import type { SessionKeys } from './session-keys.js';

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

export interface Sessions extends SessionAdministration {
  /** The flags of every cookie of ours. */
  readonly cookieFlags: CookieFlags;
  /**
   * One Redis command, or none without a session cookie: then the answer is there at once. Never rejects.
   * @param renew Whether that counts as use. Default `true`.
   */
  open(req: Request, res: Response, renew?: boolean): RequestSession | Promise<RequestSession>;
  /** The same for a request that is answered in some other way. */
  see(req: Request): Promise<SeenLogin>;
  /** The same for a request that the browser could not send its cookie along with. */
  openById(id: string, req: Request, res: Response): Promise<RequestSession>;
  /** Watches no login any more. */
  close(): void;
}

interface SessionsSettings {
  options: ResolvedOptions;
  keys: SessionKeys;
  sealer: Sealer;
  clock: Clock;
  events: Events;
}

export function createSessions({ options, keys, sealer, clock, events }: SessionsSettings): Sessions {
  const { cookieName, secure, sameSite, idleTimeoutSeconds, absoluteTimeoutSeconds } = options.session;
  const path = cookieName.startsWith('__Host-') || options.basePath === '' ? '/' : options.basePath;
  const [first, ...older] = sealer.signingKeys;
  if (first === undefined) throw new TypeError('a sealer has at least one signing key');
  const cookie = createSessionCookie(cookieName, { secure, sameSite, path }, [first, ...older]);
  const sealed = createSealedSessionStore(keys, sealer, clock, idleTimeoutSeconds);
  const watch = createLoginWatch(sealed, clock);
  const store = reportingEnds(sealed, watch);
  const newExpiry = (): number => epochSeconds(clock) + absoluteTimeoutSeconds;
  const appSessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events, newExpiry });
  const index = createLoginIndex(keys, sealer, clock);
  // A kept grant has no end of its own: as long as the longest-lived of browser cookies, 400 days (RFC 6265bis §5.5).
  const { keep, grantIdleTimeoutSeconds } = options.session;
  const findableUntil = (login: LoginRecord): number => (grantIdleTimeoutSeconds === undefined ? login.expiresAt : login.loginAt + 400 * 86_400);
  const parts = { store, watch, cookie, appSessions, index, sealer, clock, keep, findableUntil };

  async function read(id: string, renew: boolean): Promise<SessionReading> {
    try {
      const found = renew ? await store.read(id).then((content) => content && { content, idleLeftSeconds: idleTimeoutSeconds }) : await store.peek(id);
      return found === undefined ? { kind: 'none', id } : { kind: 'found', id, ...found };
    } catch (error) {
      return { kind: 'unknown', id, error: asStoreError(error) };
    }
  }
  const openById = (id: string, req: Request, res: Response, renew = true): Promise<RequestSession> =>
    read(id, renew).then((reading) => attach(parts, req, res, reading));

  return {
    cookieFlags: cookie.flags,
    openById,
    open(req, res, renew) {
      const id = cookie.read(req.headers.cookie);
      return id === undefined ? attach(parts, req, res, { kind: 'none' }) : openById(id, req, res, renew);
    },
    async see(req) {
      const id = cookie.read(req.headers.cookie);
      return seen(parts, id === undefined ? { kind: 'none' } : await read(id, true));
    },
    ...createSessionAdministration({ store, index, sealer, clock, idleTimeoutSeconds, keepsGrants: grantIdleTimeoutSeconds !== undefined }),
    close: () => watch.close(),
  };
}

/** Whatever goes wrong while reading a session, the answer is "cannot tell", never "nobody". */
function asStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'the session could not be read');
}

interface Parts {
  store: SealedSessionStore;
  watch: LoginWatch;
  cookie: SessionCookie;
  appSessions: AppSessions;
  index: LoginIndex;
  sealer: Sealer;
  clock: Clock;
  keep: readonly string[];
  /** How long a login must be findable by its user, epoch seconds. */
  findableUntil: (login: LoginRecord) => number;
}

function seen({ store, watch }: Parts, reading: SessionReading): SeenLogin {
  const state = stateOf(reading);
  return {
    state,
    watch(connection) {
      if (reading.kind !== 'found' || state.kind !== 'authenticated') return undefined;
      return releaseOnClose(watch.watch(hashId(reading.id), reading.content.expiresAt), connection);
    },
    async end() {
      if (reading.kind === 'unknown') throw reading.error;
      if (reading.id !== undefined) await store.destroy(reading.id);
    },
  };
}

function attach(parts: Parts, req: Request, res: Response, reading: SessionReading): RequestSession {
  const { store, cookie, appSessions, sealer, clock } = parts;
  const since = clock.monotonic();
  appSessions.attach(req, res, reading);
  const login = seen(parts, reading);

  return {
    ...login,
    id: reading.id,
    idleLeftSeconds: reading.kind === 'found' ? reading.idleLeftSeconds : undefined,

    get handle() {
      if (reading.kind !== 'found' || reading.content.login === undefined) return undefined;
      return sessionHandle(sealer, { session: hashId(reading.id), grant: hashId(reading.content.login.grantId) });
    },

    async startLogin(login) {
      if (reading.kind === 'unknown') throw reading.error;
      const id = randomId();
      try {
        await storeLogin(parts, reading, { id, login, label: labelOf(req), since });
      } catch (error) {
        // Nobody has its id: at worst it is there until its time is over.
        await store.destroy(id).catch(() => undefined);
        throw error;
      }
      appendSetCookie(res, cookie.write(id));
    },

    async end() {
      await login.end();
      if (reading.id === undefined) return undefined;
      const successor = await store.takeSuccessor(reading.id);
      if (successor !== undefined) await store.destroyHashed([successor.session]);
      if (!res.headersSent) appendSetCookie(res, cookie.clear());
      return successor;
    },
  };
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
async function storeLogin({ store, cookie, index, keep, findableUntil }: Parts, reading: SessionReading, { id, login, label, since }: NewSession): Promise<void> {
  const { provider, loginAt, expiresAt } = login;
  const hashes = { session: hashId(id), grant: hashId(login.grantId) };
  await store.create(id, { login, data: kept(reading, keep, cookie), expiresAt });
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

/** Nothing crosses the login boundary but what the app named (THREATS C2), and express-session's own cookie settings. */
function kept(reading: SessionReading, keep: readonly string[], cookie: SessionCookie): Record<string, unknown> {
  const { path, secure, sameSite } = cookie.flags;
  const data: Record<string, unknown> = { cookie: { originalMaxAge: null, expires: null, path, secure, sameSite, httpOnly: true } };
  if (reading.kind !== 'found') return data;
  for (const name of keep) {
    if (Object.hasOwn(reading.content.data, name)) data[name] = reading.content.data[name];
  }
  return data;
}
