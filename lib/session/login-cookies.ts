/** The cookies of logins: one each, sealed under its own name. It holds a login under way, and later what a finished one leaves. */
import type { Clock } from '../clock.js';
import { decodedValue, readCookies, writeCookie } from '../cookies.js';
import type { Cookie, CookieFlags } from '../cookies.js';
import { appendSetCookie } from '../http.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, Response } from '../types.js';

export interface LoginTransaction {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** The provider that the browser was sent to, and what that name stood for. */
  readonly provider: string;
  readonly registration: string;
  readonly redirectUri: string;
  /** Absolute, on our origin. */
  readonly returnTo: string;
  /** Epoch seconds. */
  readonly startedAt: number;
  /** The `max_age` that was asked for. */
  readonly maxAgeSeconds?: number;
  /** A step-up: the subject that must come back. */
  readonly subject?: string;
  /** A step-up: one of these classes must come back. */
  readonly acrValues?: readonly string[];
  /** No login page may be shown (`prompt=none`): that the user has to do something is an answer like another. */
  readonly silent?: boolean;
  /** The answer is a cross-site POST (`form_post`). */
  readonly byPost?: boolean;
  /** The session that the browser had, where its cookie does not come along with the answer. */
  readonly sessionId?: string;
  /** When this browser finished its last logins, epoch seconds: so it shows when it goes round in circles (THREATS C10). */
  readonly endedBefore?: readonly number[];
}

/** What a finished login leaves in its cookie. */
interface FinishedLogin {
  readonly returnTo: string;
  /** This login's end, and those of the ones before it within a minute; epoch seconds. */
  readonly endedAt: readonly number[];
  readonly byPost?: boolean;
}

/** A cookie that the browser sent, and what it holds; neither: it is over, damaged or, perhaps, of a newer release. */
export interface HeldLogin {
  readonly cookie: Cookie;
  readonly pending?: LoginTransaction | undefined;
  readonly finished?: FinishedLogin | undefined;
}

/** What decides about a cookie's own flags. */
type OwnFlags = Pick<LoginTransaction, 'byPost'>;

interface LoginCookies {
  /** In the order sent. */
  all(req: Pick<Request, 'headers'>): HeldLogin[];
  /** The one of this login; `undefined`: there is none, or more than one. */
  find(req: Request, state: string): HeldLogin | undefined;
  /** Makes room first, where the browser has too many. */
  putPending(req: Request, res: Response, login: LoginTransaction): void;
  putFinished(res: Response, state: string, login: FinishedLogin): void;
  /** `login`: what is in it, as far as it can be opened. */
  clear(res: Response, name: string, login: OwnFlags | undefined): void;
  nameOf(state: string): string;
}

export const LIFETIME_SECONDS = 600;
const MOST_AT_ONCE = 5;
const MOST_BYTES = 4096;

/** Each takes two keys of its own: whoever sends a header full of them must not keep us busy (THREATS J8). Browsers send the newest last. */
const MOST_OPENED = 2 * MOST_AT_ONCE;

interface LoginCookieSettings {
  sealer: Sealer;
  clock: Clock;
  sessionCookieName: string;
  flags: CookieFlags;
}

export function createLoginCookies({ sealer, clock, sessionCookieName, flags }: LoginCookieSettings): LoginCookies {
  const prefix = `${sessionCookieName}-login-`;
  const nameOf = (state: string): string => prefix + hashId(state).slice(0, 16);
  const isOver = (since: number): boolean => since + LIFETIME_SECONDS <= clock.now() / 1000;

  /** What opens is authentic: sealed below, under this very name. */
  function open(cookie: Cookie): HeldLogin {
    const sealed = decodedValue(cookie);
    const pendingText = sealer.open('login transaction', cookie.name, sealed);
    const pending = pendingText === undefined ? undefined : (JSON.parse(pendingText) as LoginTransaction);
    if (pending !== undefined) return isOver(pending.startedAt) ? { cookie } : { cookie, pending };
    const finishedText = sealer.open('finished login', cookie.name, sealed);
    const finished = finishedText === undefined ? undefined : (JSON.parse(finishedText) as FinishedLogin);
    return finished === undefined || isOver(endOf(finished)) ? { cookie } : { cookie, finished };
  }

  const cookiesOf = (req: Pick<Request, 'headers'>): Cookie[] => readCookies(req.headers.cookie).filter(({ name }) => name.startsWith(prefix));
  const openAll = (req: Pick<Request, 'headers'>): HeldLogin[] =>
    cookiesOf(req).map((cookie, index, { length }) => (index < length - MOST_OPENED ? { cookie } : open(cookie)));
  const clear: LoginCookies['clear'] = (res, name, login) => appendSetCookie(res, writeCookie(name, '', ownFlags(flags, login), 0));

  return {
    nameOf,
    clear,
    all: openAll,
    find(req, state) {
      const name = nameOf(state);
      const [cookie, ...more] = cookiesOf(req).filter((one) => one.name === name);
      return cookie === undefined || more.length > 0 ? undefined : open(cookie);
    },
    putPending(req, res, login) {
      const name = nameOf(login.state);
      const value = sealer.seal('login transaction', name, JSON.stringify(login)).toString('base64url');
      const mayBeOthers = ({ cookie }: HeldLogin): boolean => sealer.mayBeOthers(decodedValue(cookie));
      for (const held of superfluous({ name, value }, openAll(req), mayBeOthers)) clear(res, held.cookie.name, held.pending ?? held.finished);
      appendSetCookie(res, writeCookie(name, value, ownFlags(flags, login), LIFETIME_SECONDS));
    },
    putFinished(res, state, login) {
      const name = nameOf(state);
      const value = sealer.seal('finished login', name, JSON.stringify(login)).toString('base64url');
      appendSetCookie(res, writeCookie(name, value, ownFlags(flags, login), LIFETIME_SECONDS));
    },
  };
}

const endOf = ({ endedAt }: FinishedLogin): number => endedAt.at(-1) ?? 0;

/**
 * An answer arrives by a cross-site redirect, which never carries a SameSite=Strict cookie, or by a cross-site POST, which carries none but
 * SameSite=None; and that one has to be Secure, which browsers accept from loopback without https too (Secure Contexts §3.1).
 */
function ownFlags(flags: CookieFlags, login: OwnFlags | undefined): CookieFlags {
  return login?.byPost === true ? { ...flags, sameSite: 'none', secure: true } : { ...flags, sameSite: 'lax' };
}

const sizeOf = (cookie: Cookie): number => cookie.name.length + cookie.value.length;

/**
 * All but the newest that fit beside the one that starts: what is finished goes before what is pending. What nobody can open goes at once;
 * what a newer release or secret may open is left alone while there is room (FAULTS 53, 54). Browsers send older ones first (RFC 6265bis §5.8.3).
 */
function superfluous(newest: Cookie, held: readonly HeldLogin[], mayBeOthers: (one: HeldLogin) => boolean): HeldLogin[] {
  const since = ({ pending, finished }: HeldLogin): number => pending?.startedAt ?? (finished === undefined ? 0 : endOf(finished));
  const isPast = ({ pending }: HeldLogin): number => (pending === undefined ? 1 : 0);
  const byWorth = held.toReversed().sort((a, b) => isPast(a) - isPast(b) || since(b) - since(a));
  let bytes = sizeOf(newest);
  return byWorth.filter((one, index) => {
    bytes += sizeOf(one.cookie);
    return (since(one) === 0 && !mayBeOthers(one)) || index + 2 > MOST_AT_ONCE || bytes > MOST_BYTES;
  });
}
