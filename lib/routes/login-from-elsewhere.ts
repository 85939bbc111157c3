/**
 * A login that another site brings about: by a link to `/login`, or to a page that needs one. Nobody is to be signed in elsewhere, or as somebody
 * else, by that alone, and no session is to be emptied by it (THREATS A17).
 */
import { comesFromElsewhere, sendPage } from '../http.js';
import { loginAgainPage, onwardPage } from '../pages.js';
import type { LoginRecord } from '../session/login-record.js';
import type { RequestSession } from '../session/session-middleware.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { appUrl, queryOf, safeReturnTo } from '../urls.js';

/** In the query of our own address: the browser came from elsewhere, and now once more from a page of ours. */
const MARK = 'from';
const MARK_VALUE = 'elsewhere';

/**
 * Answers in place of a login where there is one already: leads to where this one would, or asks whether it is to be replaced. `false`: nothing
 * is to be said against it.
 */
export function answerFromElsewhere(options: ResolvedOptions, req: Request, res: Response, session: RequestSession): boolean {
  const query = queryOf(req);
  // Anybody's link may bear the mark; the page of ours that sets it is no other site.
  const isFirstVisit = comesFromElsewhere(req);
  const isSecondVisit = !isFirstVisit && query.get(MARK) === MARK_VALUE;
  if (!isFirstVisit && !isSecondVisit) return false;
  if (session.state.kind === 'unknown') throw session.state.error;
  if (session.state.kind === 'anonymous') {
    // It may only look so: another site's link carries no SameSite=Strict cookie. A page of our own does (THREATS C12).
    if (options.session.sameSite !== 'strict' || isSecondVisit) return false;
    sendPage(res, 200, onwardPage(loginUrl(options, query, true)));
    return true;
  }
  const returnTo = safeReturnTo(query.get('returnTo') ?? '', options, options.afterLogin);
  // Not by a redirect: should that page need a login all the same, it is then the app that asks for it, and this does not go round in circles.
  const page = asksForAnother(options, query, session.state.login) ? loginAgainPage({ loginUrl: loginUrl(options, query), stayUrl: returnTo }) : onwardPage(returnTo);
  sendPage(res, 200, page);
  return true;
}

/** Another provider, or something else than the login that there is. */
function asksForAnother({ loginParams, provider: first }: ResolvedOptions, query: URLSearchParams, login: LoginRecord): boolean {
  const provider = query.get('provider') ?? first?.name;
  return provider !== login.provider || loginParams.some((name) => query.has(name));
}

/** Our own address with what it was asked, and with nothing else of the query. */
function loginUrl({ baseUrl, basePath, routes, loginParams }: ResolvedOptions, query: URLSearchParams, marked = false): string {
  const url = new URL(appUrl(baseUrl, basePath, routes.login === false ? '/' : routes.login));
  for (const name of ['provider', 'returnTo', ...loginParams]) for (const value of query.getAll(name)) url.searchParams.append(name, value);
  if (marked) url.searchParams.set(MARK, MARK_VALUE);
  return url.href;
}
