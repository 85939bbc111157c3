/**
 * What only requests show of a wrong setup. Nothing is decided by it, since whoever sends requests can make it look wrong: it is told
 * to whoever runs the app, and no more.
 */
import { readCookies } from './cookies.js';
import { header, isNavigation } from './http.js';
import type { TellProblem } from './problems.js';
import type { Request, ResolvedOptions } from './types.js';
import { queryOf } from './urls.js';
import type { RouteName } from './urls.js';

/** Looks at a request for one of our routes. */
export type DeploymentCheck = (route: RouteName, req: Request) => void;

/** One may be an old address out of a history; as many in a row, and none that is better, are a setup. */
const LOST_IN_A_ROW = 3;

export function createDeploymentChecks({ baseUrl, session }: Pick<ResolvedOptions, 'baseUrl' | 'session'>, tell: TellProblem): DeploymentCheck {
  const prefix = `${session.cookieName}-login-`;
  let lost = 0;
  let cookiesComeBack = false;

  /** Cookies go by the host that browsers see, and are sent over https alone where `baseUrl` says so. */
  function checkAddress(req: Request): void {
    const seen = publicAddressOf(req);
    if (seen.host !== undefined && seen.host !== baseUrl.host) {
      const advice = `browsers seem to come to ${seen.host}, and \`baseUrl\` is ${baseUrl.origin}: a login that starts at one cannot end at the other`;
      tell('ERR_CODE_FLOW_BASE_URL_MISMATCH', `${advice}. If a proxy only renames the Host header, let it send X-Forwarded-Host, or leave it`, 'host');
    }
    if (seen.protocol !== undefined && seen.protocol !== baseUrl.protocol) {
      const advice = `a proxy says that browsers come by ${seen.protocol}//, and \`baseUrl\` is ${baseUrl.origin}`;
      tell('ERR_CODE_FLOW_BASE_URL_MISMATCH', `${advice}: cookies that are Secure do not come back over http, and others should not go over https`, 'protocol');
    }
  }

  function checkCookies(req: Request): void {
    if (cookiesComeBack || (req.method === 'GET' && !queryOf(req).has('state'))) return;
    cookiesComeBack = readCookies(req.headers.cookie).some(({ name }) => name.startsWith(prefix));
    lost += 1;
    if (cookiesComeBack || lost < LOST_IN_A_ROW) return;
    const problem = `no login came back with its cookie, ${prefix}…, so that none can be finished`;
    const advice = session.secure ? 'do browsers see the app by https, as `baseUrl` says' : 'do browsers see the app under the host of `baseUrl`';
    tell('ERR_CODE_FLOW_COOKIE_LOST', `${problem}: ${advice}, and does no proxy take away Cookie or Set-Cookie?`);
  }

  return function checkDeployment(route, req) {
    if (route === 'login' && isNavigation(req)) checkAddress(req);
    if (route === 'callback') checkCookies(req);
  };
}

/** As far as the request says; a name that is no plain host is left out, for it would go into logs. */
function publicAddressOf(req: Request): { host: string | undefined; protocol: string | undefined } {
  const first = (name: string): string | undefined => header(req, name)?.split(',')[0]?.trim().toLowerCase();
  const protocol = first('x-forwarded-proto');
  const host = first('x-forwarded-host') ?? first('host');
  return {
    protocol: protocol === 'http' || protocol === 'https' ? `${protocol}:` : undefined,
    host: host !== undefined && /^[a-z0-9.:[\]_-]{1,255}$/.test(host) ? host.replace(/:(?:80|443)$/, '') : undefined,
  };
}
