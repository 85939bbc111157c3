/** The sessions of requests: each is read once, at the start of its request. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import type { CookieFlags } from '../cookies.js';
import { StoreError } from '../errors.js';
import type { Events } from '../events.js';
import type { TellProblem } from '../problems.js';
import type { Sealer } from '../seal.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { createAppSessions } from './app-session.js';
import type { SessionReading } from './app-session.js';
import { createLoginIndex } from './login-index.js';
import type { LoginRecord } from './login-record.js';
import { createLoginWatch, reportingEnds } from './login-watch.js';
import { OpenedSession, SeenSession } from './opened-session.js';
import type { RequestSession, SeenLogin } from './opened-session.js';
import { createSealedSessionStore } from './sealed-session-store.js';
import { createSessionCookie } from './session-cookie.js';
import { createSessionAdministration } from './session-administration.js';
import type { SessionAdministration } from './session-administration.js';
import type { SessionKeys } from './session-keys.js';

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
  tell: TellProblem;
}

/** Of a request without a session cookie. */
const noSession: SessionReading = { kind: 'none' };

export function createSessions({ options, keys, sealer, clock, events, tell }: SessionsSettings): Sessions {
  const { cookieName, secure, sameSite, idleTimeoutSeconds, absoluteTimeoutSeconds } = options.session;
  const path = options.basePath === '' ? '/' : options.basePath;
  const [first, ...older] = sealer.signingKeys;
  if (first === undefined) throw new TypeError('a sealer has at least one signing key');
  const cookie = createSessionCookie(cookieName, { secure, sameSite, path }, [first, ...older], () => tellAmbiguous(tell, cookieName));
  const sealed = createSealedSessionStore(keys, sealer, clock, idleTimeoutSeconds);
  const watch = createLoginWatch(sealed, clock);
  const store = reportingEnds(sealed, watch);
  const newExpiry = (): number => epochSeconds(clock) + absoluteTimeoutSeconds;
  const appSessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events, newExpiry });
  const index = createLoginIndex(keys, sealer, clock);
  // A kept grant has no end of its own: as long as the longest-lived of browser cookies, 400 days (RFC 6265bis §5.5).
  const { keep, grantIdleTimeoutSeconds } = options.session;
  const findableUntil = (login: LoginRecord): number => (grantIdleTimeoutSeconds === undefined ? login.expiresAt : login.loginAt + 400 * 86_400);
  const parts = { store, watch, cookie, index, sealer, clock, keep, findableUntil };

  async function read(id: string, renew: boolean): Promise<SessionReading> {
    try {
      if (!renew) {
        const found = await store.peek(id);
        return found === undefined ? { kind: 'none', id } : { kind: 'found', id, ...found };
      }
      const content = await store.read(id);
      return content === undefined ? { kind: 'none', id } : { kind: 'found', id, content, idleLeftSeconds: idleTimeoutSeconds };
    } catch (error) {
      return { kind: 'unknown', id, error: asStoreError(error) };
    }
  }
  const attach = (req: Request, res: Response, reading: SessionReading): RequestSession => {
    appSessions.attach(req, res, reading);
    return new OpenedSession(parts, reading, req, res);
  };
  const openById = async (id: string, req: Request, res: Response, renew = true): Promise<RequestSession> => attach(req, res, await read(id, renew));

  return {
    cookieFlags: cookie.flags,
    openById,
    open(req, res, renew) {
      const id = cookie.read(req.headers.cookie);
      return id === undefined ? attach(req, res, noSession) : openById(id, req, res, renew);
    },
    async see(req) {
      const id = cookie.read(req.headers.cookie);
      return new SeenSession(parts, id === undefined ? noSession : await read(id, true));
    },
    ...createSessionAdministration({ store, index, sealer, clock, idleTimeoutSeconds, keepsGrants: grantIdleTimeoutSeconds !== undefined }),
    close: () => watch.close(),
  };
}

/** Who gets two is signed out until one of them is gone, and a new login does not help (THREATS C14). */
function tellAmbiguous(tell: TellProblem, name: string): void {
  const problem = `a browser sent more than one cookie ${name}, so that none of them counts and its user is not logged in`;
  tell('ERR_CODE_FLOW_COOKIE_AMBIGUOUS', `${problem}: does another app under this host or a parent domain set one? \`session.cookieName\` gives this one a name of its own`);
}

/** Whatever goes wrong while reading a session, the answer is "cannot tell", never "nobody". */
function asStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'the session could not be read');
}
