/** The session route: who is logged in and until when, for the scripts of a single-page app. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { sendJson } from '../http.js';
import type { LoginRecord } from '../session/login-record.js';
import type { RequestSession } from '../session/opened-session.js';
import type { Next, Request, ResolvedOptions, Response } from '../types.js';
import { queryOf } from '../urls.js';

interface SessionRouteSettings {
  options: ResolvedOptions;
  clock: Clock;
}

/** `?renew=false`: a page that only looks must not keep a login alive that nobody uses. */
export const renewsSession = (req: Request): boolean => queryOf(req).get('renew') !== 'false';

/** Answers `GET` and `HEAD`; the rest is the app's. Sets no cookie. */
export function sessionRoute(settings: SessionRouteSettings, req: Request, res: Response, { state, idleLeftSeconds }: RequestSession, next: Next): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') return next();
  if (state.kind === 'unknown') return next(state.error);
  if (state.kind === 'anonymous' || idleLeftSeconds === undefined) return sendJson(res, { authenticated: false });
  sendJson(res, { authenticated: true, ...factsOf(settings, state.login, idleLeftSeconds) });
}

/** Beside the instants what is left of the login: the browser's clock may be wrong. */
function factsOf({ options, clock }: SessionRouteSettings, { subject, provider, claims, loginAt, expiresAt }: LoginRecord, idleLeftSeconds: number): object {
  const now = epochSeconds(clock);
  const secondsLeft = Math.max(0, Math.min(idleLeftSeconds, expiresAt - now));
  const told = options.sessionClaims.filter((name) => Object.hasOwn(claims, name)).map((name) => [name, claims[name]] as const);
  return { subject, provider, claims: Object.fromEntries(told), loginAt, expiresAt, idleExpiresAt: now + secondsLeft, secondsLeft };
}
