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
import { createSealedSessionStore } from './sealed-session-store.js';
import type { SealedSessionStore } from './sealed-session-store.js';
import { createSessionCookie } from './session-cookie.js';
import type { SessionCookie } from './session-cookie.js';
import type { SessionKeys } from './session-keys.js';

export interface RequestSession {
  /** What the browser presented, whether or not something is stored under it; never told to anybody. */
  readonly id: string | undefined;
  readonly state: LoginState;
  /** A new session id with this login; the old id is dead in the store first. Rejects with StoreError and changes no cookie if that fails. */
  startLogin(login: LoginRecord): Promise<void>;
  /** Deletes the session, then the cookie. Rejects with StoreError and keeps the cookie if it cannot be deleted. */
  end(): Promise<void>;
}

export interface Sessions {
  /** The flags of every cookie of ours. */
  readonly cookieFlags: CookieFlags;
  /** One Redis command, or none without a session cookie: then the answer is there at once. Never rejects. */
  open(req: Request, res: Response): RequestSession | Promise<RequestSession>;
  /** The same for a request that the browser could not send its cookie along with. */
  openById(id: string, req: Request, res: Response): Promise<RequestSession>;
  /** Ends every session of this user, each followed by its grant. */
  endAll(provider: string, subject: string, endGrant: (hash: string) => Promise<void>): Promise<void>;
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
  const store = createSealedSessionStore(keys, sealer, clock, idleTimeoutSeconds);
  const newExpiry = (): number => Math.floor(clock.now() / 1000) + absoluteTimeoutSeconds;
  const appSessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events, newExpiry });
  const index = createLoginIndex(keys, sealer, clock);
  // A kept grant has no end of its own: as long as the longest-lived of browser cookies, 400 days (RFC 6265bis §5.5).
  const { keep, grantIdleTimeoutSeconds } = options.session;
  const findableUntil = (login: LoginRecord): number => (grantIdleTimeoutSeconds === undefined ? login.expiresAt : login.loginAt + 400 * 86_400);
  const parts = { store, cookie, appSessions, index, keep, findableUntil };

  const openById: Sessions['openById'] = (id, req, res) =>
    store.read(id).then(
      (content) => attach(parts, req, res, content === undefined ? { kind: 'none', id } : { kind: 'found', id, content }),
      (error: unknown) => attach(parts, req, res, { kind: 'unknown', id, error: asStoreError(error) }),
    );

  return {
    cookieFlags: cookie.flags,
    openById,
    open(req, res) {
      const id = cookie.read(req.headers.cookie);
      return id === undefined ? attach(parts, req, res, { kind: 'none' }) : openById(id, req, res);
    },
    endAll: (provider, subject, endGrant) =>
      index.endEach(provider, subject, async ({ session, grant }) => {
        await store.destroyHashed(session);
        await endGrant(grant);
      }),
  };
}

/** Whatever goes wrong while reading a session, the answer is "cannot tell", never "nobody". */
function asStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'the session could not be read');
}

interface Parts {
  store: SealedSessionStore;
  cookie: SessionCookie;
  appSessions: AppSessions;
  index: LoginIndex;
  keep: readonly string[];
  /** How long a login must be findable by its user, epoch seconds. */
  findableUntil: (login: LoginRecord) => number;
}

function attach({ store, cookie, appSessions, index, keep, findableUntil }: Parts, req: Request, res: Response, reading: SessionReading): RequestSession {
  appSessions.attach(req, res, reading);

  return {
    id: reading.id,
    state: stateOf(reading),

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
      if (reading.kind === 'unknown') throw reading.error;
      if (reading.id === undefined) return;
      await store.destroy(reading.id);
      if (!res.headersSent) appendSetCookie(res, cookie.clear());
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
