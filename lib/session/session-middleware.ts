/** The session of a request: read once at its start, replaced at login, ended at logout. */
import type { Clock } from '../clock.js';
import type { LoginState } from '../context.js';
import type { CookieFlags } from '../cookies.js';
import { StoreError } from '../errors.js';
import type { Events } from '../events.js';
import { appendSetCookie } from '../http.js';
import { hashId, randomId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { createAppSessions } from './app-session.js';
import type { AppSessions, SessionReading } from './app-session.js';
import { createLoginIndex } from './login-index.js';
import type { LoginIndex } from './login-index.js';
import type { LoginRecord } from './login-record.js';
import { createLoginWatch, releaseOnClose, reportingEnds } from './login-watch.js';
import type { Connection, LoginWatch, WatchedLogin } from './login-watch.js';
import { createSealedSessionStore } from './sealed-session-store.js';
import type { SealedSessionStore } from './sealed-session-store.js';
import { createSessionCookie } from './session-cookie.js';
import type { SessionCookie } from './session-cookie.js';
import type { SessionKeys } from './session-keys.js';

/** The login that a request was made with: all that is left of it where nothing can be answered. */
export interface SeenLogin {
  readonly state: LoginState;
  /** Tells when the login ends, until it is released or the connection closes. `undefined`: nobody is logged in. */
  watch(connection: Connection): WatchedLogin | undefined;
  /** Deletes the session, and with an answer the cookie. Rejects with StoreError and keeps the cookie if it cannot be deleted. */
  end(): Promise<void>;
}

export interface RequestSession extends SeenLogin {
  /** What the browser presented, whether or not something is stored under it; never told to anybody. */
  readonly id: string | undefined;
  /** The session ends after this time without a request. `undefined`: there is none. */
  readonly idleLeftSeconds: number | undefined;
  /** A new session id with this login; the old id is dead in the store first. Rejects with StoreError and changes no cookie if that fails. */
  startLogin(login: LoginRecord): Promise<void>;
}

export interface Sessions {
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
  /** Ends every session of this user, each followed by its grant. */
  endAll(provider: string, subject: string, endGrant: (hash: string) => Promise<void>): Promise<void>;
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
  const newExpiry = (): number => Math.floor(clock.now() / 1000) + absoluteTimeoutSeconds;
  const appSessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events, newExpiry });
  const index = createLoginIndex(keys, sealer, clock);
  // A kept grant has no end of its own: as long as the longest-lived of browser cookies, 400 days (RFC 6265bis §5.5).
  const { keep, grantIdleTimeoutSeconds } = options.session;
  const findableUntil = (login: LoginRecord): number => (grantIdleTimeoutSeconds === undefined ? login.expiresAt : login.loginAt + 400 * 86_400);
  const parts = { store, watch, cookie, appSessions, index, keep, findableUntil };

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
    endAll: (provider, subject, endGrant) =>
      index.endEach(provider, subject, async ({ session, grant }) => {
        await store.destroyHashed(session);
        await endGrant(grant);
      }),
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
  const { store, cookie, appSessions, index, keep, findableUntil } = parts;
  appSessions.attach(req, res, reading);
  const login = seen(parts, reading);

  return {
    ...login,
    id: reading.id,
    idleLeftSeconds: reading.kind === 'found' ? reading.idleLeftSeconds : undefined,

    async startLogin(login) {
      if (reading.kind === 'unknown') throw reading.error;
      if (reading.id !== undefined) await store.destroy(reading.id);
      const id = randomId();
      const content = { login, data: kept(reading, keep, cookie), expiresAt: login.expiresAt };
      // First the index: a session that is not in it could not be ended from elsewhere.
      if (login.subject !== undefined) {
        await index.add(login.provider, login.subject, { session: hashId(id), grant: hashId(login.grantId) }, findableUntil(login));
      }
      await store.create(id, content);
      appendSetCookie(res, cookie.write(id));
    },

    async end() {
      await login.end();
      if (reading.id !== undefined && !res.headersSent) appendSetCookie(res, cookie.clear());
    },
  };
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
