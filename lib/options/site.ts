/** `baseUrl`, `routes`, `afterLogin` and `afterLogout`: where the app lives, and where we live in it. */
import type { CodeFlowOptions, ResolvedOptions } from '../types.js';
import { appUrl, isOnSite, isOwnRoute, type Site } from '../urls.js';
import { type Check, type Checks, listOf, oneOf, optional, readTable, refuse, show, showUrl, text } from './check.js';
import { readUrl, refuseHttp, refuseQuery } from './url.js';

type Routes = ResolvedOptions['routes'];

export const readBaseUrl: Check<URL> = (value, path) => {
  const url = readUrl(value, path, 'the public URL of the app, such as "https://app.example.com"');
  refuseQuery(url, path);
  url.pathname = url.pathname.replace(/\/+$/, '');
  if (/\/\/|;|%2f|%5c/i.test(url.pathname)) refuse(path, `must have a plain path; got ${showUrl(url.href)}`);
  return url;
};

export const basePathOf = (baseUrl: URL): string => (baseUrl.pathname === '/' ? '' : baseUrl.pathname);

/** Letters that no proxy and no router rewrites, so that one spelling is the only one. */
const routeSyntax = /^(?:\/[A-Za-z0-9._~-]+)+\/?$/;

export const readRoute: Check<string> = (value, path) => {
  if (typeof value === 'string' && routeSyntax.test(value) && new URL(value, 'http://localhost').pathname === value) return value;
  const hint = value === '/' ? ': it would take the place of the front page' : '';
  return refuse(path, `must be a path such as "/${path.slice(path.lastIndexOf('.') + 1)}", of letters, digits and -._~/; got ${show(value)}${hint}`);
};

const orOff =
  (check: Check<string>): Check<string | false> =>
  (value, path) =>
    value === false ? false : check(value, path);

const routeChecks = {
  login: optional(orOff(readRoute), '/login'),
  callback: optional(readRoute, '/callback'),
  logout: optional(orOff(readRoute), '/logout'),
  backchannelLogout: optional(orOff(readRoute), '/backchannel-logout'),
  frontchannelLogout: optional(orOff(readRoute), false),
  session: optional(orOff(readRoute), false),
} satisfies Checks<NonNullable<CodeFlowOptions['routes']>>;

export const readRoutes: Check<Routes> = (value, path) => {
  const routes = readTable(routeChecks, value === undefined ? {} : value, path);
  const seen = new Map<string, string>();
  for (const [name, route] of Object.entries(routes)) {
    if (route === false) continue;
    const spelling = route.replace(/\/$/, '').toLowerCase();
    const other = seen.get(spelling);
    if (other !== undefined) refuse(`${path}.${name}`, `is the same path as \`${path}.${other}\`: ${show(route)}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
    seen.set(spelling, name);
  }
  return routes;
};

/** A landing page: a path under `baseUrl`, as with the routes, or an absolute URL on our origin. */
export function resolveLanding(input: string, site: Site, path: string): string {
  const isPath = /^\/(?![/\\])/.test(input);
  const url = isPath || URL.canParse(input) ? new URL(isPath ? appUrl(site.baseUrl, site.basePath, input) : input) : undefined;
  if (url === undefined || !isOnSite(url, site)) {
    return refuse(path, `must be a path that begins with one "/", or a URL on ${show(site.baseUrl.origin)}; got ${showUrl(input)}`);
  }
  if (isOwnRoute(url, site)) {
    refuse(path, `must not be one of \`routes\`, which would go round in circles; got ${show(input)}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return url.href;
}

/** Our own cookies go anyway. All cookies of the domain would be those of an authorization server beside the app too, which its logout needs. */
export const readClearSiteData = listOf(oneOf('cache', 'storage'));

/** Exactly as browsers send it: what is compared with a header has one spelling. */
export const readOrigin: Check<string> = (value, path) => {
  const url = readUrl(value, path, 'an origin such as "https://admin.example.com"');
  if (url.origin !== value) refuse(path, `must be an origin, without path, query and default port, in lower case: write ${show(url.origin)}; got ${showUrl(String(value))}`);
  return url.origin;
};

/** From a page that was fetched in plain http anybody on the way can send what they like. An app that is itself on http has nothing to lose by it. */
export function refuseWeakOrigins(origins: readonly string[], baseUrl: URL): void {
  if (baseUrl.protocol !== 'https:') return;
  for (const [index, origin] of origins.entries()) refuseHttp(new URL(origin), `trustedOrigins[${index}]`, 'Whoever is on the way could act as the user.');
}

export const readLanding = optional(text('a path such as "/"'), '/');
