/** `/logout`: the grant and the session end here first, then the server is told in its own way, then the browser goes to its logout page, if it has one. */
import { CodeFlowError, ConfigurationError, StoreError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenManager } from '../grants/token-manager.js';
import { DEFAULT_RESOURCE } from '../grants/token-set.js';
import type { TokenSet } from '../grants/token-set.js';
import { crossOriginRefusal } from '../guards/cross-origin.js';
import { clearSiteData, header, isPrefetch, redirect, refusePrefetch, sendPage } from '../http.js';
import { logoutPage } from '../pages.js';
import type { EndedTokens, Provider } from '../provider/provider.js';
import type { Providers } from '../provider-registry.js';
import { hashId } from '../seal.js';
import type { LoginRecord } from '../session/login-record.js';
import type { LoginTransactions } from '../session/login-transaction.js';
import type { LogoutReturns } from '../session/logout-return.js';
import type { EndedSessions, ListedSession } from '../session/session-administration.js';
import type { RequestSession } from '../session/opened-session.js';
import type { Sessions } from '../session/session-middleware.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { appUrl, queryOf, safeReturnTo } from '../urls.js';

interface LogoutSettings {
  options: ResolvedOptions;
  providers: Providers;
  tokens: TokenManager;
  events: Events;
}

/** What a logout needs beside what the end of a grant does. */
export interface SignOutSettings extends LogoutSettings {
  transactions: LoginTransactions;
  logoutReturns: LogoutReturns;
}

type Ended = Pick<LoginRecord, 'provider' | 'registration' | 'grantId'>;

/** Answers `/logout`: `POST`, or a visit from the app's own pages; anything else gets a page with a button. */
export async function logoutRoute(settings: SignOutSettings, req: Request, res: Response, session: RequestSession): Promise<void> {
  if (isPrefetch(req)) return refusePrefetch(res);
  if (req.method === 'POST') {
    const refusal = crossOriginRefusal(req, settings.options);
    if (refusal !== undefined) throw refusal;
  } else if (!isOwnNavigation(req)) {
    return askFirst(settings.options, req, res);
  }
  return logout(settings, res, session, queryOf(req).get('returnTo') ?? undefined);
}

function askFirst({ baseUrl, basePath, routes, afterLogout }: ResolvedOptions, req: Request, res: Response): void {
  const logoutUrl = new URL(appUrl(baseUrl, basePath, routes.logout === false ? '/' : routes.logout));
  const returnTo = queryOf(req).get('returnTo');
  if (returnTo !== null) logoutUrl.searchParams.set('returnTo', returnTo); // checked when the form comes back
  sendPage(res, 200, logoutPage({ logoutUrl: logoutUrl.href, stayUrl: afterLogout }));
}

/** A link in the app or the address bar; never an image, a prefetch or a foreign page (THREATS H3). */
function isOwnNavigation(req: Request): boolean {
  const site = header(req, 'sec-fetch-site');
  const visited = header(req, 'sec-fetch-mode') === 'navigate' && header(req, 'sec-fetch-dest') === 'document';
  return req.method === 'GET' && visited && (site === 'same-origin' || site === 'none');
}

/** The way back of the browser from the server's logout, where that is not where it shall stay: leads on and answers `true`. */
export function finishLogout({ logoutReturns }: SignOutSettings, req: Request, res: Response): boolean {
  const returnTo = logoutReturns.take(req, res);
  if (returnTo !== undefined) redirect(res, returnTo);
  return returnTo !== undefined;
}

/** Ends the login of this request and answers with a redirect. Rejects with StoreError, and redirects nowhere, if it could not be ended. */
export async function logout(settings: SignOutSettings, res: Response, session: RequestSession, returnTo: string | undefined): Promise<void> {
  const { options, tokens, transactions, events } = settings;
  const back = safeReturnTo(returnTo, options, options.afterLogout);
  if (session.state.kind === 'unknown') throw incomplete();
  if (session.state.kind === 'anonymous') {
    await endSession(settings, session);
    transactions.forgetFinished(res);
    return goOn(settings, res, back);
  }
  const { login } = session.state;
  const held = await tokens.end(login.grantId).catch(rejectIncomplete);
  // The grant is gone: whatever becomes of the session, what the grant held must not live on at the server.
  const [outcome] = await Promise.allSettled([endSession(settings, session), tell(settings, login, held, (provider, ended) => provider.logout(ended))]);
  if (outcome.status === 'rejected') throw outcome.reason;
  transactions.forgetFinished(res);
  events.emit('logout.completed', { provider: login.provider, grant: hashId(login.grantId) });
  goOn(settings, res, await landing(settings, res, login, held?.idToken, back));
}

/** Only what has happened is announced: the data goes with the login. */
function goOn({ options }: LogoutSettings, res: Response, location: string): void {
  clearSiteData(res, options.clearSiteData);
  redirect(res, location);
}

type AdministrationSettings = LogoutSettings & { sessions: Sessions };

/**
 * On every process. Rejects with StoreError if it is not sure that all are ended. The refresh tokens are deleted with their records; nobody
 * can open those any more to revoke them at the server.
 */
export async function endSessions({ providers, sessions, tokens }: AdministrationSettings, whose: EndedSessions): Promise<void> {
  const endGrants = (hashes: readonly string[]): Promise<void> => tokens.endHashed(hashes);
  if ('sessionId' in whose) return sessions.endOne(whose.sessionId, endGrants);
  // In JavaScript it may be the `req.oauth.subject` of nobody: nothing would end, and it would look as if.
  if (typeof whose.subject !== 'string' || whose.subject === '') {
    throw new ConfigurationError('ERR_CODE_FLOW_OPTION_INVALID', 'endSessions() needs a `subject`, the `sub` of the user, or a `sessionId` of listSessions()');
  }
  const provider = whose.provider ?? (await providers.get(undefined)).name;
  await sessions.endAll({ provider, subject: whose.subject }, endGrants);
}

export async function listSessions({ providers, sessions }: AdministrationSettings, subject: string, name: string | undefined): Promise<ListedSession[]> {
  return sessions.list({ provider: name ?? (await providers.get(undefined)).name, subject });
}

/**
 * Ends the grant of a login that `successor` has replaced. The server's own session may be the new login's too: only tokens are taken back,
 * and not the same user's: many servers take back all that one user granted one app with them (RFC 7009 §2.1), the new ones included.
 */
export async function endReplaced(settings: LogoutSettings, login: LoginRecord, successor: LoginRecord): Promise<void> {
  try {
    const held = await settings.tokens.end(login.grantId);
    if (login.provider !== successor.provider || login.subject !== successor.subject) await tell(settings, login, held, revokeTokens);
  } catch (error) {
    // Its session is gone, so nobody knows its id any more: the record expires unread.
    if (!(error instanceof StoreError)) throw error;
  }
}

/** RFC 7009, for whichever kind of token the server takes. */
export async function revokeTokens(provider: Pick<Provider, 'revoke'>, { refreshToken, accessToken }: EndedTokens): Promise<void> {
  if (refreshToken !== undefined) await provider.revoke(refreshToken, 'refresh_token');
  if (accessToken !== undefined) await provider.revoke(accessToken, 'access_token');
}

/** The user is signed out here already; what the server did not take back is told to whoever runs the app. */
async function tell(
  { providers, events }: LogoutSettings,
  login: Ended,
  held: TokenSet | undefined,
  say: (provider: Provider, ended: EndedTokens) => Promise<void>,
): Promise<void> {
  if (held === undefined) return;
  const { refreshToken, idToken } = held;
  try {
    await say(await providers.serverOf(login), { accessToken: held.accessTokens[DEFAULT_RESOURCE]?.token, refreshToken, idToken });
  } catch (error) {
    const code = error instanceof CodeFlowError ? error.code : 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE';
    events.emit('logout.revocation_failed', { provider: login.provider, grant: hashId(login.grantId), code });
  }
}

/** Where the browser goes: the server's logout if it has one and can be reached, and from there back; else back into the app at once. */
async function landing(
  { providers, options, logoutReturns }: SignOutSettings,
  res: Response,
  login: Ended,
  idTokenHint: string | undefined,
  back: string,
): Promise<string> {
  try {
    const provider = await providers.serverOf(login);
    const url = await provider.endSessionUrl({ idTokenHint, postLogoutRedirectUri: options.afterLogout });
    if (url === undefined) return back;
    if (back !== options.afterLogout) url.searchParams.set('state', logoutReturns.begin(res, back));
    return url.href;
  } catch {
    return back; // Signed out here all the same; the server's own session is out of reach.
  }
}

/** With the login that took this one's place while the logout was on its way (THREATS C7). */
async function endSession({ tokens }: LogoutSettings, session: RequestSession): Promise<void> {
  const successor = await session.end().catch(rejectIncomplete);
  if (successor !== undefined) await tokens.endHashed([successor.grant]).catch(rejectIncomplete);
}

function rejectIncomplete(error: unknown): never {
  throw error instanceof StoreError ? incomplete() : error;
}

/** We never say that somebody is signed out who may not be (THREATS H2). */
function incomplete(): StoreError {
  return new StoreError('ERR_CODE_FLOW_LOGOUT_INCOMPLETE', 'the login could not be ended, because the session store does not answer: try again');
}
