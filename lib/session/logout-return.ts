/**
 * The way back after a logout at the authorization server. Only registered addresses may be its end, so that the browser comes back to
 * `afterLogout`; where the app wanted it to go from there is kept in a sealed cookie, and `state` tells that this visit is that way back.
 */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { isSameText } from '../constant-time.js';
import { decodedValue, readCookies, writeCookie } from '../cookies.js';
import type { CookieFlags } from '../cookies.js';
import { appendSetCookie } from '../http.js';
import { randomId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { isVisitTo, queryOf } from '../urls.js';

interface LogoutReturn {
  readonly state: string;
  /** Absolute, on our origin. */
  readonly returnTo: string;
  /** Epoch seconds. */
  readonly startedAt: number;
}

export interface LogoutReturns {
  /** Sets the cookie; answers the `state` to send. A later logout of this browser takes its place. */
  begin(res: Response, returnTo: string): string;
  /** Where to go on to, if this request is the way back from such a logout; once. */
  take(req: Request, res: Response): string | undefined;
}

const LIFETIME_SECONDS = 600;

export function createLogoutReturns(sealer: Sealer, clock: Clock, options: ResolvedOptions, sessionFlags: CookieFlags): LogoutReturns {
  const name = `${options.session.cookieName}-logout`;
  const pair = `${name}=`;
  // A redirect from another site leads here, which carries no SameSite=Strict cookie.
  const flags: CookieFlags = { ...sessionFlags, sameSite: 'lax' };

  function open(req: Request): LogoutReturn | undefined {
    const [found, ...more] = readCookies(req.headers.cookie).filter((cookie) => cookie.name === name);
    const text = found === undefined || more.length > 0 ? undefined : sealer.open('logout', name, decodedValue(found));
    const kept = text === undefined ? undefined : (JSON.parse(text) as LogoutReturn); // authentic: sealed by begin()
    return kept !== undefined && kept.startedAt + LIFETIME_SECONDS > epochSeconds(clock) ? kept : undefined;
  }

  return {
    begin(res, returnTo) {
      const state = randomId();
      const kept = { state, returnTo, startedAt: epochSeconds(clock) } satisfies LogoutReturn;
      const value = sealer.seal('logout', name, JSON.stringify(kept)).toString('base64url');
      appendSetCookie(res, writeCookie(name, value, flags, LIFETIME_SECONDS));
      return state;
    },

    take(req, res) {
      if (res.headersSent || req.headers.cookie?.includes(pair) !== true || !isVisitTo(req, options.afterLogout, options)) return undefined;
      const kept = open(req);
      const [state, ...more] = queryOf(req).getAll('state');
      // Another state: not the answer to this logout. Nobody is led anywhere, and the cookie ends in time.
      if (kept === undefined || state === undefined || more.length > 0 || !isSameText(state, kept.state)) return undefined;
      appendSetCookie(res, writeCookie(name, '', flags, 0));
      return kept.returnTo;
    },
  };
}
