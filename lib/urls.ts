/** Where a request is for, where a browser may be sent, and where a token may go. Pure. */
import type { Request, ResolvedApi, ResolvedOptions } from './types.js';

/** Where the app lives, and our routes in it. */
export type Site = Pick<ResolvedOptions, 'baseUrl' | 'basePath' | 'routes' | 'callbackPaths'>;
type Place = Pick<Site, 'basePath' | 'routes' | 'callbackPaths'>;
export type RouteName = keyof Site['routes'];

const longestReturnPath = 2048;

/** Servers take no longer addresses; whoever sends one wants us to be busy (THREATS J8). */
const longestQuery = 65_536;
const longestDisguise = 65_536;

/** Control characters, backslashes and halves of surrogate pairs: no page has them in its address, many attacks do. */
const suspicious = /[\p{Cc}\p{Cs}\\]/u;

/** This machine: what is sent there crosses no network (RFC 8252 §8.3, RFC 6761 §6.3). */
export function isLoopback(url: URL): boolean {
  const host = url.hostname;
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The public URL of a path in the app. */
export function appUrl(baseUrl: URL, basePath: string, path: string): string {
  return new URL(`${baseUrl.origin}${basePath}${path}`).href;
}

/**
 * The one rule for every address that comes from outside: parse it as browsers do, compare the origin, and hand on the parser's
 * own spelling, never the input (THREATS B1 to B7). Relative paths start at `baseUrl`. Never throws.
 */
export function safeReturnTo(input: string | undefined, site: Site, fallback: string): string {
  if (typeof input !== 'string' || input === '' || input.length > longestReturnPath || suspicious.test(input)) return fallback;
  const base = appUrl(site.baseUrl, site.basePath, '/');
  if (!URL.canParse(input, base)) return fallback;

  const url = new URL(input, base);
  if (!isOnSite(url, site) || isOwnRoute(url, site) || url.href.length > longestReturnPath) return fallback;
  return url.href;
}

/** The protocol is compared too: the origin of a `blob:` URL is that of the page that made it. */
export function isOnSite(url: URL, site: Site): boolean {
  const { origin, protocol } = site.baseUrl;
  return url.origin === origin && url.protocol === protocol && url.username === '' && url.password === '';
}

/** Our own routes in any spelling that a proxy or router might take for them: returning there would go round in circles. */
export function isOwnRoute(url: URL, site: Site): boolean {
  const path = plainPath(url.pathname);
  if (path === undefined) return true; // what cannot be read cannot be ruled out
  const { login, logout, session } = site.routes;
  return [login, logout, session, ...notificationPaths(site.routes), ...site.callbackPaths].some((route) => route !== false && matches(`/${path}`, `/${plainPath(`${site.basePath}${route}`) ?? ''}`));
}

/** Where authorization servers tell of logouts; below it, by the name of the provider. */
const notificationPaths = ({ backchannelLogout, frontchannelLogout }: Site['routes']): string[] =>
  [backchannelLogout, frontchannelLogout].flatMap((route) => (route === false ? [] : [route, below(route)]));

const below = (route: string): string => `${route.replace(/\/$/, '')}/*`;

/** Whether the path is the route's. A route may end in `/*`, for one more segment. */
function matches(path: string, route: string): boolean {
  if (!route.endsWith('/*')) return path === route;
  const prefix = route.slice(0, -1);
  return path.startsWith(prefix) && path.length > prefix.length && !path.slice(prefix.length).includes('/');
}

/** Without escapes, path parameters, doubled slashes, dot segments, a last slash and capitals. `undefined`: not to be read. */
function plainPath(pathname: string): string | undefined {
  const decoded = /%(?![0-9a-f]{2})/i.test(pathname) ? undefined : decodeFully(pathname);
  if (decoded === undefined) return undefined;
  const plain: string[] = [];
  for (const segment of segmentsOf(pathnameOf(decoded))) {
    if (segment === '..') plain.pop();
    else if (segment !== '' && segment !== '.') plain.push(segment.toLowerCase());
  }
  return plain.join('/');
}

/**
 * As anybody on the way could decode it, several times over. ASCII is all that can make a dot, a slash or a route.
 * `undefined`: escaped so often that it hides something.
 */
function decodeFully(text: string): string | undefined {
  let decoded = text;
  for (let round = 0; round < 5; round++) {
    const next = decoded.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === decoded) return decoded;
    decoded = next;
  }
  return undefined;
}

/** Some servers read `\` as `/`, and cut off `;parameters` (RFC 3986 §3.3). */
const segmentsOf = (path: string): string[] => path.split(/[/\\]/).map((segment) => segment.replace(/;.*$/s, ''));

/**
 * Path and query of the page that was asked for, as it came. `undefined`: the request target is not a plain path; Node hands on
 * `//evil`, `/\evil` and `http://evil/` as they are (THREATS B4).
 */
export function requestPath(req: Request): string | undefined {
  const target = req.originalUrl ?? req.url ?? '';
  return /^\/(?![/\\])/.test(target) ? target : undefined;
}

/** The public URL of the page that was asked for; `fallback` if it cannot be gone back to. */
export function returnPathOf(req: Request, options: Site & Pick<ResolvedOptions, 'afterLogin'>): string {
  const target = requestPath(req);
  if (target === undefined) return options.afterLogin;
  const { origin } = options.baseUrl;
  const path = isUnder(pathnameOf(target), options.basePath) ? target : `${options.basePath}${target}`;
  return safeReturnTo(`${origin}${path}`, options, options.afterLogin);
}

function pathnameOf(target: string): string {
  const end = target.search(/[?#]/);
  return end === -1 ? target : target.slice(0, end);
}

const isUnder = (path: string, prefix: string): boolean => path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);

/**
 * Which of our routes a request is for. `url` has lost what the app is mounted under and what a proxy took away;
 * `originalUrl` still has it where nothing was taken away. Every request asks: all that can be known before is.
 */
export function routeMatcher(place: Place): (req: Request) => RouteName | undefined {
  const { login, logout, session, backchannelLogout, frontchannelLogout } = place.routes;
  const notified = (route: string | false): (string | false)[] => (route === false ? [] : [route, below(route)]);
  const table: readonly (readonly [RouteName, readonly (string | false)[]])[] = [
    ['login', [login]],
    ['callback', place.callbackPaths],
    ['logout', [logout]],
    ['session', [session]],
    ['backchannelLogout', notified(backchannelLogout)],
    ['frontchannelLogout', notified(frontchannelLogout)],
  ];
  const routes = table.flatMap(([name, paths]) => paths.filter((path) => path !== false).map((path) => ({ name, path })));
  return (req) => {
    const paths = pathsOf(req, place.basePath);
    for (const { name, path } of routes) {
      for (const asked of paths) if (matches(asked, path)) return name;
    }
    return undefined;
  };
}

export function matchRoute(req: Request, place: Place): RouteName | undefined {
  return routeMatcher(place)(req);
}

/** The provider that such a path names, behind the route; `''`: none. */
export function providerNameIn(req: Request, { basePath, routes }: Pick<Site, 'basePath' | 'routes'>, name: 'backchannelLogout' | 'frontchannelLogout'): string {
  const route = routes[name];
  const prefix = below(route === false ? '' : route).slice(0, -1);
  return pathsOf(req, basePath).find((path) => path.startsWith(prefix))?.slice(prefix.length) ?? '';
}

/** Whether somebody visits this page of ours, whatever its query. */
export function isVisitTo(req: Request, page: string, { basePath }: Pick<Site, 'basePath'>): boolean {
  const { pathname } = new URL(page);
  const own = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : pathname;
  return req.method === 'GET' && pathsOf(req, basePath).some((path) => path === own);
}

/** Under `baseUrl`, where an authorization server's answer arrived; `undefined`: the request is none. */
export function callbackPathOf(req: Request, { basePath, callbackPaths }: Pick<Site, 'basePath' | 'callbackPaths'>): string | undefined {
  return pathsOf(req, basePath).find((path) => callbackPaths.some((route) => matches(path, route)));
}

/** As the request came to us, and as it came to the app, both without `basePath`. */
function pathsOf(req: Request, basePath: string): string[] {
  const { url = '', originalUrl = url } = req;
  const path = pathnameOf(url);
  const publicPath = originalUrl === url ? path : pathnameOf(originalUrl);
  return publicPath.startsWith(`${basePath}/`) ? [path, publicPath.slice(basePath.length)] : [path];
}

/** The API that `url` belongs to: same origin, under its path, the longest one first. `undefined`: no token goes there. */
export function findApi(url: URL, apis: readonly ResolvedApi[]): ResolvedApi | undefined {
  if (url.username !== '' || url.password !== '' || climbs(url.pathname)) return undefined;
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`;
  return apis
    .filter((api) => api.url.origin === url.origin && api.url.protocol === url.protocol && path.startsWith(api.url.pathname))
    .reduce<ResolvedApi | undefined>((best, api) => (best && best.url.pathname.length >= api.url.pathname.length ? best : api), undefined);
}

/** `..%2f`, `%252e%252e/` and `..;/` are names to the URL parser, and the way out of the prefix to some servers. */
function climbs(pathname: string): boolean {
  if (!/[%;]/.test(pathname)) return false; // the parser has resolved what is plain
  if (pathname.length > longestDisguise) return true;
  const decoded = decodeFully(pathname);
  return decoded === undefined || segmentsOf(decoded).includes('..');
}

/** The query as it came, before any body or query parser of the app touched it. */
export function queryOf(req: Request): URLSearchParams {
  const url = req.url ?? '';
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 || url.length > longestQuery ? '' : url.slice(mark + 1));
}
