/**
 * Logins under way: one sealed cookie each, so that tabs do not disturb each other and nothing is stored before a
 * login succeeds. At most five per browser and 4 KB together; the oldest makes room (THREATS A9, A10).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.js';
import { readCookies, writeCookie } from '../cookies.js';
import type { Cookie, CookieFlags } from '../cookies.js';
import { appendSetCookie } from '../http.js';
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
}

export type FoundTransaction =
  | { readonly kind: 'found'; readonly transaction: LoginTransaction }
  /** Finished before in this process; `returnTo` is where it led. */
  | { readonly kind: 'used'; readonly returnTo: string }
  /** Never begun in this browser, or older than ten minutes, or dropped for newer ones. */
  | { readonly kind: 'unknown' };

export interface LoginTransactions {
  /** Sets the cookie, and drops the oldest ones where there are too many. */
  begin(req: Request, res: Response, transaction: LoginTransaction): void;
  /** The login that `state` belongs to. */
  find(req: Request, state: string): FoundTransaction;
  /** The one silent login of this browser, for answers without `state`; `undefined`: there is none, or more than one. */
  findSilent(req: Request): LoginTransaction | undefined;
  /** `false`: somebody was faster. */
  useUp(res: Response, transaction: LoginTransaction): boolean;
}

const LIFETIME_SECONDS = 600;
const MOST_AT_ONCE = 5;
const MOST_BYTES = 4096;
const MOST_REMEMBERED = 10_000;

const handleOf = (state: string): string => createHash('sha256').update(state).digest('base64url').slice(0, 16);

const sizeOf = (cookie: Cookie): number => cookie.name.length + cookie.value.length;

/** Constant in time for equal lengths: the digests of both are compared (THREATS I6). */
function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

export function createLoginTransactions(sealer: Sealer, clock: Clock, sessionCookieName: string, flags: CookieFlags): LoginTransactions {
  const prefix = `${sessionCookieName}-login-`;
  const used = new LRUCache<string, string>({ max: MOST_REMEMBERED, ttl: LIFETIME_SECONDS * 1000 });
  const now = (): number => Math.floor(clock.now() / 1000);

  function open(cookie: Cookie): LoginTransaction | undefined {
    const text = sealer.open('login transaction', cookie.name, cookie.value);
    if (text === undefined) return undefined;
    const transaction = JSON.parse(text) as LoginTransaction; // authentic: sealed by begin() under this very name
    return transaction.startedAt + LIFETIME_SECONDS > now() ? transaction : undefined;
  }

  const clear = (res: Response, name: string, transaction: LoginTransaction | undefined): void => {
    appendSetCookie(res, writeCookie(name, '', ownFlags(flags, transaction), 0));
  };

  return {
    begin(req, res, transaction) {
      const name = prefix + handleOf(transaction.state);
      const value = sealer.seal('login transaction', name, JSON.stringify(transaction));
      const pending = readCookies(req.headers.cookie).filter((cookie) => cookie.name.startsWith(prefix));
      for (const cookie of superfluous({ name, value }, pending, (one) => open(one)?.startedAt)) clear(res, cookie.name, open(cookie));
      appendSetCookie(res, writeCookie(name, value, ownFlags(flags, transaction), LIFETIME_SECONDS));
    },

    find(req, state) {
      const name = prefix + handleOf(state);
      const returnTo = used.get(name);
      if (returnTo !== undefined) return { kind: 'used', returnTo };
      const found = readCookies(req.headers.cookie).filter((cookie) => cookie.name === name);
      const transaction = found.length === 1 && found[0] !== undefined ? open(found[0]) : undefined;
      if (transaction === undefined || !sameText(transaction.state, state)) return { kind: 'unknown' };
      return { kind: 'found', transaction };
    },

    findSilent(req) {
      const pending = readCookies(req.headers.cookie).filter((cookie) => cookie.name.startsWith(prefix) && !used.has(cookie.name));
      const [only, ...more] = pending.map(open).filter((transaction) => transaction?.silent === true);
      return more.length === 0 ? only : undefined;
    },

    useUp(res, transaction) {
      const name = prefix + handleOf(transaction.state);
      if (used.has(name)) return false;
      used.set(name, transaction.returnTo);
      clear(res, name, transaction);
      return true;
    },
  };
}

/**
 * An answer arrives by a cross-site redirect, which never carries a SameSite=Strict cookie, or by a cross-site POST, which carries none but
 * SameSite=None; and that one has to be Secure, which browsers accept from loopback without https too (Secure Contexts §3.1).
 */
function ownFlags(flags: CookieFlags, transaction: LoginTransaction | undefined): CookieFlags {
  return transaction?.byPost === true ? { ...flags, sameSite: 'none', secure: true } : { ...flags, sameSite: 'lax' };
}

/** All but the newest that fit beside the one that starts; and what cannot be opened. Browsers send older ones first (RFC 6265bis §5.8.3). */
function superfluous(newest: Cookie, pending: readonly Cookie[], startedAt: (cookie: Cookie) => number | undefined): Cookie[] {
  const byAge = pending.toReversed().map((cookie) => ({ cookie, start: startedAt(cookie) ?? 0 })).sort((a, b) => b.start - a.start);
  let bytes = sizeOf(newest);
  return byAge
    .filter(({ cookie, start }, index) => {
      bytes += sizeOf(cookie);
      return start === 0 || index + 2 > MOST_AT_ONCE || bytes > MOST_BYTES;
    })
    .map(({ cookie }) => cookie);
}
