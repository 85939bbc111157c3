/**
 * `/frontchannel-logout`: the authorization server shows this address in a frame when its session ends (OpenID Connect Front-Channel Logout 1.0).
 * Browsers send no session cookie along, which is SameSite=Lax at least, so that the login is found by `iss` and `sid`. Nothing proves who
 * asks: whoever knows the `sid` can end that login, and do nothing else.
 */
import { sendFramed } from '../http.js';
import type { Request, Response } from '../types.js';
import { providerNameIn, queryOf } from '../urls.js';
import { NotificationRefused, providersFor, refuse } from './backchannel-logout.js';
import type { NotifiedLogoutSettings } from './backchannel-logout.js';

export async function frontchannelLogoutRoute(settings: NotifiedLogoutSettings, req: Request, res: Response): Promise<void> {
  try {
    await carryOut(settings, req);
    sendFramed(res);
  } catch (error) {
    refuse(settings.events, 'frontchannel', res, error);
  }
}

async function carryOut(settings: NotifiedLogoutSettings, req: Request): Promise<void> {
  const { options, sessions, tokens, events } = settings;
  const query = queryOf(req);
  const [issuer = '', ...moreIssuers] = query.getAll('iss');
  const [idpSessionId = '', ...moreIds] = query.getAll('sid');
  if (req.method !== 'GET' || issuer === '' || idpSessionId === '' || moreIssuers.length + moreIds.length > 0) {
    throw new NotificationRefused('there is not one `iss` and one `sid` in the query of a GET');
  }
  const named = await providersFor(settings, providerNameIn(req, options, 'frontchannelLogout'), issuer);
  const meant = await Promise.all(named.map(async (provider) => ({ name: provider.name, isMeant: (await provider.issuer()) === issuer })));
  if (!meant.some(({ isMeant }) => isMeant)) throw new NotificationRefused('the issuer is not known here');
  for (const { name: provider } of meant.filter(({ isMeant }) => isMeant)) {
    const whose = { provider, idpSessionId };
    // Ending marks the session as over, in the store: nobody shall fill that with names of sessions that never were.
    const logins = (await sessions.list(whose)).length === 0 ? 0 : await sessions.endAll(whose, (hashes) => tokens.endHashed(hashes));
    events.emit('logout.received', { provider, by: 'frontchannel', logins });
  }
}
