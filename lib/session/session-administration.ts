/** Sessions seen from outside: whose they are, and their end, without an id that opens them. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { AccessDeniedError } from '../errors.js';
import type { Sealer } from '../seal.js';
import type { IndexedLogin, LoginHashes, LoginIndex, Whose } from './login-index.js';
import type { SealedSessionStore } from './sealed-session-store.js';
import { openSessionHandle, sessionHandle } from './session-handle.js';

/** Every login of a user at a provider, or one by its name in `listSessions()`. */
export type EndedSessions = { subject: string; provider?: string } | { sessionId: string };

/** What a user may be shown of a session. */
export interface ListedSession {
  /** For `endSessions()`: opens nothing. The same at every call. */
  readonly sessionId: string;
  readonly provider: string;
  /** Epoch seconds. */
  readonly loginAt: number;
  /** Epoch seconds; the last request with this session. */
  readonly lastSeenAt: number;
  /** Epoch seconds; the latest end. */
  readonly expiresAt: number;
  /** The browser's `User-Agent` at login, cut to 200 characters; `undefined`: it sent none. It says what the browser likes. */
  readonly label: string | undefined;
}

type EndGrants = (hashes: readonly string[]) => Promise<void>;

/** @internal */
export interface SessionAdministration {
  /** Ends every session of this user, or of this session at the authorization server, each followed by its grant; answers how many were known. */
  endAll(whose: Whose, endGrants: EndGrants): Promise<number>;
  /** Ends one session. Rejects with AccessDeniedError for a name that was not made here; that it has ended before is fine. */
  endOne(handle: string, endGrants: EndGrants): Promise<void>;
  /** The sessions of a user that have not ended, newest first. */
  list(whose: Whose): Promise<ListedSession[]>;
}

interface AdministrationSettings {
  store: SealedSessionStore;
  index: LoginIndex;
  sealer: Sealer;
  clock: Clock;
  idleTimeoutSeconds: number;
  keepsGrants: boolean;
}

/** @internal */
export function createSessionAdministration({ store, index, sealer, clock, idleTimeoutSeconds, keepsGrants }: AdministrationSettings): SessionAdministration {
  /** The session first: while it lives, its user is logged in. */
  async function end(logins: readonly LoginHashes[], endGrants: EndGrants): Promise<void> {
    await store.destroyHashed(logins.map(({ session }) => session));
    await endGrants(logins.map(({ grant }) => grant));
  }

  /** Each read lets a session live for the idle time again: what is left of it tells when that was. */
  function listed(login: IndexedLogin, leftMs: number): ListedSession {
    const { provider, loginAt, expiresAt, label } = login;
    const now = epochSeconds(clock);
    const lastSeenAt = Math.min(now, Math.max(loginAt, now - idleTimeoutSeconds + Math.round(leftMs / 1000)));
    return { sessionId: sessionHandle(sealer, login), provider, loginAt, lastSeenAt, expiresAt, label };
  }

  return {
    endAll: (whose, endGrants) => index.endEach(whose, (logins) => end(logins, endGrants)),

    async endOne(handle, endGrants) {
      const login = openSessionHandle(sealer, handle);
      if (login === undefined) throw new AccessDeniedError('ERR_CODE_FLOW_SESSION_UNKNOWN', 'this is not the name of a session: pass a `sessionId` of listSessions()');
      await end([login], endGrants);
    },

    async list(whose) {
      const logins = await index.list(whose);
      const left = await store.timesLeft(logins.map(({ login }) => login.session));
      const sessions = logins.flatMap(({ login }, at) => {
        const leftMs = left[at];
        return leftMs === undefined ? [] : [listed(login, leftMs)];
      });
      // Harmless, if it fails. A grant that outlives its session has to be found until it ends.
      const over = logins.filter((_login, at) => left[at] === undefined);
      if (!keepsGrants) await index.forget(whose, over).catch(() => undefined);
      return sessions.sort((one, other) => other.loginAt - one.loginAt);
    },
  };
}
