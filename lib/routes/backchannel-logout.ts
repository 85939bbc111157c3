/** `/backchannel-logout`: the authorization server tells, from server to server, that logins are over (OpenID Connect Back-Channel Logout 1.0). */
import { CodeFlowError, LoginError } from '../errors.js';
import type { Events } from '../events.js';
import { readForm } from '../form-body.js';
import type { TokenManager } from '../grants/token-manager.js';
import { sendEmpty, sendOAuthError } from '../http.js';
import { claimedIssuer, type LogoutToken } from '../provider/logout-token.js';
import type { Providers, RegisteredProvider } from '../provider-registry.js';
import type { Sessions } from '../session/session-middleware.js';
import type { UsedLogoutTokens } from '../session/used-logout-tokens.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { providerNameIn } from '../urls.js';

export interface NotifiedLogoutSettings {
  options: ResolvedOptions;
  providers: Providers;
  sessions: Sessions;
  usedLogoutTokens: UsedLogoutTokens;
  tokens: TokenManager;
  events: Events;
}

/** What is wrong with a request, in words that hold nothing of it. */
export class NotificationRefused extends Error {}

/** Answers `POST` with 200 when everything is ended, 400 for a token that does not count, and 503 when it is to be sent again. */
export async function backchannelLogoutRoute(settings: NotifiedLogoutSettings, req: Request, res: Response): Promise<void> {
  try {
    await carryOut(settings, req);
    sendEmpty(res, 200);
  } catch (error) {
    refuse(settings.events, 'backchannel', res, error);
  }
}

async function carryOut(settings: NotifiedLogoutSettings, req: Request): Promise<void> {
  const token = await tokenOf(req);
  const providers = await providersFor(settings, providerNameIn(req, settings.options, 'backchannelLogout'), claimedIssuer(token));
  const verified = await Promise.all(providers.map(async (provider) => ({ provider, verdict: await provider.verifyLogoutToken(token) })));
  const meant = verified.flatMap(({ provider, verdict }) => (typeof verdict === 'string' ? [] : [{ provider, logout: verdict }]));
  const [first] = verified;
  if (meant.length === 0) throw new NotificationRefused(typeof first?.verdict === 'string' ? first.verdict : 'its issuer is not known here');
  // One registration after the other: what was done at one before an outage does not keep the token from counting at the next.
  let counted = false;
  for (const { provider, logout } of meant) counted = (await endMeant(settings, provider, logout)) || counted;
  if (!counted) throw new NotificationRefused('it was used before');
}

async function tokenOf(req: Request): Promise<string> {
  const form = req.method === 'POST' ? await readForm(req) : undefined;
  const [token, ...more] = form?.getAll('logout_token') ?? [];
  if (token === undefined || more.length > 0) throw new NotificationRefused('there is not one logout_token in a form that was posted');
  return token;
}

/** The one that the path names, or those that may be the issuer: one server may know us as several clients. */
export async function providersFor({ providers }: Pick<NotifiedLogoutSettings, 'providers'>, name: string, issuer: string | undefined): Promise<readonly RegisteredProvider[]> {
  return name === '' ? providers.thatMayBe(issuer ?? '') : [await providers.get(name)];
}

/** `false`: the token was used before. */
async function endMeant({ sessions, tokens, usedLogoutTokens, events }: NotifiedLogoutSettings, { name }: RegisteredProvider, logout: LogoutToken): Promise<boolean> {
  const { id, usableForSeconds, idpSessionId, subject = '' } = logout;
  if (await usedLogoutTokens.has(name, id, usableForSeconds)) return false;
  const whose = idpSessionId === undefined ? { provider: name, subject } : { provider: name, idpSessionId };
  const logins = await sessions.endAll(whose, (hashes) => tokens.endHashed(hashes));
  await usedLogoutTokens.add(name, id, usableForSeconds);
  events.emit('logout.received', { provider: name, by: 'backchannel', logins });
  return true;
}

/** §2.8: 400 with the error of RFC 6749 §5.2. What is our trouble, or that of the way to the server's keys, is not the sender's. */
export function refuse(events: Events, by: 'backchannel' | 'frontchannel', res: Response, error: unknown): void {
  if (error instanceof NotificationRefused || error instanceof LoginError) {
    events.emit('logout.refused', { by, reason: error.message });
    return sendOAuthError(res, 400, 'invalid_request', error.message);
  }
  if (!(error instanceof CodeFlowError)) throw error;
  sendOAuthError(res, 503, 'temporarily_unavailable', 'the logins could not be ended just now: send it again', error.retryAfterSeconds ?? 5);
}
