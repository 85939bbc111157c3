/** Where a browser may be sent, which requests are ours, and where a token may go (THREATS B and F1). */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Request } from '../../lib/types.js';
import { appUrl, callbackPathOf, findApi, isLoopback, isVisitTo, matchRoute, providerNameIn, queryOf, requestPath, returnPathOf, safeReturnTo } from '../../lib/urls.js';
import { slowness } from '../support/machine.js';

const fallback = 'https://app.example.com/start';
const routes = { login: '/login', callback: '/callback', logout: '/logout', backchannelLogout: '/backchannel-logout', frontchannelLogout: false, session: '/session' } as const;
const callbackPaths = ['/callback'];
const site = { baseUrl: new URL('https://app.example.com'), basePath: '', routes, callbackPaths };
const shop = { baseUrl: new URL('https://app.example.com/shop'), basePath: '/shop', routes, callbackPaths };

/** Text of an attacker, as it reaches us after the query was decoded. */
const evil = 'evil.example';
const foreign: readonly string[] = [
  // another host, in every spelling that a browser takes for one
  `//${evil}`, `///${evil}`, `////${evil}`, `/////${evil}/x`, `//${evil}/%2f..`, `//${evil}\\@app.example.com`, `//app.example.com@${evil}`,
  `//app.example.com:443@${evil}`, `//app.example.com\\.${evil}`, `//app.example.com.${evil}`, `//${evil}:443/`, `//user:pass@${evil}/`,
  `//${evil}%00.app.example.com`, `//${evil}%23.app.example.com`, `//app.example.com%2f@${evil}`, `//app.example.com%5c@${evil}`,
  `//${evil}?app.example.com`, `//${evil}#app.example.com`, `//${evil};app.example.com`, `//[::1]`, `//127.0.0.1`, `//2130706433`, '//0x7f000001',
  `\\\\${evil}`, `\\/${evil}`, `/\\${evil}`, `/\\/${evil}`, `\\/\\/${evil}`, `/\\\\${evil}`, `\\\\\\${evil}`, `\\${evil}`, `/..\\\\${evil}`, `/.\\/${evil}`,
  `https://${evil}`, `https:///${evil}`, `https:////${evil}`, `http://${evil}`, `HTTPS://${evil}`, `hTtPs:/\\${evil}`, `https:\\\\${evil}`, `https:\\/${evil}`,
  `https://${evil}/app.example.com`, `https://${evil}?https://app.example.com`, `https://${evil}#https://app.example.com/`,
  `https://app.example.com@${evil}`, `https://app.example.com:x@${evil}/`, `https://app.example.com.${evil}`, `https://app.example.com:8443/`,
  `https://app.example.com%40${evil}/`, `https://app.example.com%2e${evil}/`, `https://app.example.com\\@${evil}/`, `https://${evil}\\.app.example.com`,
  'https://app.example.co', 'https://app.example.com.', 'https://evilapp.example.com', 'https://sub.app.example.com', 'http://app.example.com/',
  'http:app.example.com', `http:${evil}`, `http:/${evil}`, `ftp:/${evil}`, 'ws://app.example.com/', 'wss://app.example.com/',
  // our origin with a name and password in front of it
  'https://user@app.example.com/', 'https://user:password@app.example.com/', 'https://:password@app.example.com/', '//user@app.example.com/',
  // other schemes
  'javascript:alert(1)', 'JavaScript:alert(1)', 'javascript://app.example.com/%0aalert(1)', 'javascript:/**/alert(1)', 'jav\tascript:alert(1)',
  'jav\nascript:alert(1)', '\u0001javascript:alert(1)', ' javascript:alert(1)', 'data:text/html,<script>alert(1)</script>', 'data:text/html;base64,PHN2Zz4=',
  'vbscript:msgbox(1)', 'blob:https://app.example.com/6f1f7a0e', 'filesystem:https://app.example.com/x', 'about:blank', 'file:///etc/passwd',
  'mailto:a@app.example.com', 'intent://app.example.com/#Intent;end', 'view-source:https://app.example.com/', 'ms-word:ofe|u|https://app.example.com',
  'x:y', 'localhost:3000', 'app.example.com:443', 'tel:1',
  // white space and control characters, which URL parsers drop
  `/\t/${evil}`, `/\n/${evil}`, `/\r/${evil}`, `\t//${evil}`, `\n//${evil}`, `\r\n//${evil}`, ` //${evil}`, `\u0000//${evil}`, `/\u0009/${evil}`, `//\t${evil}`,
  `/\r\n/${evil}`, `\u000b//${evil}`, `\u001f//${evil}`, `h\nttps://${evil}`, `https:\n//${evil}`, `https:/\t/${evil}`, `/\t\\${evil}`, `\\\t\\${evil}`,
  '/page\r\nSet-Cookie: a=b', '/page\nLocation: https://evil.example', '/page\u0000', '/pa\u0000ge', '/page\t', '/page\u007f', '/page\u0085',
  // what does not parse, or is not honest text
  '%', '/%', '/%zz', '/%e', '/page%', 'http://[', 'https://[::', 'https://', 'https://%', 'https://exa mple.com', 'https://app.example.com:99999/',
  'https://app.example.com:port/', '//', '///', '//:', '//%', '//@', '/\ud800', '/\udfff/x', '/page?x=\ud800', '',
  // our own routes, where returning would go round in circles
  '/login', '/callback', '/logout', '/session', '/login/', '/login//', '/login?returnTo=/x', '/login#x', '/callback?code=a&state=b', '/logout?x', 'login', './login', 'x/../logout',
  'https://app.example.com/login', 'https://app.example.com:443/logout', 'HTTPS://APP.EXAMPLE.COM/callback', '//app.example.com/callback', 'https:login',
  '/LOGIN', '/Login', '/lOgOuT', '/%6cogin', '/%6Cogin', '/%6c%6f%67%69%6e', '/log%69n?x=1', '/%4cOGIN', '/%256cogin', '/%25256cogin', '/%2525256cogin',
  '/%252525252525252525256cogin', '/login;x=1', '/login;', '/login;/', '/;x/login', '/login%3bx', '/login%253bx', '//app.example.com//login', '/.//login',
  '/x/../login', '/x/%2e%2e/login', '/x/%2E./login', '/x%2f..%2flogin', '/x/..%2flogin', '/x%5c..%5clogin', '/%2flogin', '/%2e/login', '/%5clogin',
  '/x/..;/login', '/login%2f', '/login%3freturnTo=x', '/login%23x', '/login/.', '/login/x/..', '/./callback', '/callback/%2e', '/.%2flogin', '/..%2flogin', '/x/.%2f..%2flogin',
  '/backchannel-logout', '/backchannel-logout/acme', '/BACKCHANNEL-LOGOUT/acme/',
];

/** The same in the application's own prefix. */
const foreignInShop = ['/shop/login', '/shop/LOGIN/', '/shop//login', '/%73hop/login', '/shop%2flogin', '/shop/x/../login', 'login', './callback', '/shop/login;x'];

const honest: readonly [string, string][] = [
  ['/', 'https://app.example.com/'],
  ['/orders', 'https://app.example.com/orders'],
  ['/orders/7?tab=2&x=%2F#notes', 'https://app.example.com/orders/7?tab=2&x=%2F#notes'],
  ['orders', 'https://app.example.com/orders'],
  ['?page=2', 'https://app.example.com/?page=2'],
  ['https://app.example.com/orders', 'https://app.example.com/orders'],
  ['https://app.example.com:443/orders', 'https://app.example.com/orders'],
  ['//app.example.com/orders', 'https://app.example.com/orders'],
  ['/grüße', 'https://app.example.com/gr%C3%BC%C3%9Fe'],
  ['/gr%FC%DFe', 'https://app.example.com/gr%FC%DFe'],
  ['/100%25', 'https://app.example.com/100%25'],
  ['/search?q=100%', 'https://app.example.com/search?q=100%'],
  ['/a%2Fb', 'https://app.example.com/a%2Fb'],
  ['/login-help', 'https://app.example.com/login-help'],
  ['/login/help', 'https://app.example.com/login/help'],
  ['/x?next=/login', 'https://app.example.com/x?next=/login'],
  ['/x?next=https://evil.example', 'https://app.example.com/x?next=https://evil.example'],
  ['/a b', 'https://app.example.com/a%20b'],
  ['/"><script>alert(1)</script>', 'https://app.example.com/%22%3E%3Cscript%3Ealert(1)%3C/script%3E'],
  ['/.//evil.example', 'https://app.example.com//evil.example'],
  ['/@evil.example', 'https://app.example.com/@evil.example'],
  ['/;@evil.example', 'https://app.example.com/;@evil.example'],
];

describe('safeReturnTo', () => {
  it('is shown at least 150 hostile addresses', () => {
    expect(new Set(foreign).size).toBeGreaterThanOrEqual(150);
  });

  it.each(foreign.map((input) => [JSON.stringify(input), input]))('%s leads to the default page', (_, input) => {
    expect(safeReturnTo(input, site, fallback)).toBe(fallback);
  });

  it.each(foreign.map((input) => [JSON.stringify(input), input]))('%s, in other wrappings, stays on our origin', (_, input) => {
    const wellFormed = input.replaceAll(/\p{Cs}/gu, '\ufffd');
    for (const spelling of [encodeURI(wellFormed), encodeURIComponent(wellFormed), `/${input}`, `x/${input}`, `/x?${input}`]) {
      const result = new URL(safeReturnTo(spelling, site, fallback));
      expect([result.protocol, result.host, result.username]).toEqual(['https:', 'app.example.com', '']);
    }
  });

  it.each(foreignInShop)('%s is a route of an app with a prefix', (input) => {
    expect(safeReturnTo(input, shop, fallback)).toBe(fallback);
  });

  it.each(honest)('%s is kept as %s', (input, expected) => {
    expect(safeReturnTo(input, site, fallback)).toBe(expected);
  });

  it('in an app with a prefix, relative paths start there and /login belongs to somebody else', () => {
    expect(safeReturnTo('orders', shop, fallback)).toBe('https://app.example.com/shop/orders');
    expect(safeReturnTo('/login', shop, fallback)).toBe('https://app.example.com/login');
  });

  it('a route that is switched off is a page like any other', () => {
    expect(safeReturnTo('/login', { ...site, routes: { ...routes, login: false } }, fallback)).toBe('https://app.example.com/login');
    expect(safeReturnTo('/false', { ...site, routes: { ...routes, login: false } }, fallback)).toBe('https://app.example.com/false');
    expect(safeReturnTo('/backchannel-logout', { ...site, routes: { ...routes, backchannelLogout: false } }, fallback)).toBe('https://app.example.com/backchannel-logout');
  });

  it('nor is one that only begins like a route of servers, or lies two below it', () => {
    for (const path of ['/backchannel-logouts', '/backchannel-logout/acme/more', '/frontchannel-logout']) expect(safeReturnTo(path, site, fallback)).toBe(`https://app.example.com${path}`);
  });

  it('B7: what is escaped five times over hides something', () => {
    expect(safeReturnTo('/a%25252525', site, fallback)).toBe('https://app.example.com/a%25252525');
    expect(safeReturnTo('/a%2525252525', site, fallback)).toBe(fallback);
  });

  it('nothing, and more than 2 KB before or after escaping, lead to the default page', () => {
    for (const input of [undefined, `/${'x'.repeat(2048)}`, `/${'ü'.repeat(1000)}`, '/%25'.repeat(25_000), '//'.repeat(500_000)]) {
      expect(safeReturnTo(input, site, fallback)).toBe(fallback);
    }
    expect(safeReturnTo(`/${'x'.repeat(2024)}`, site, fallback)).toHaveLength(2048);
    expect(safeReturnTo(`/${'x'.repeat(2025)}`, site, fallback)).toBe(fallback);
    expect(safeReturnTo(`/${'./'.repeat(1023)}o`, site, fallback)).toBe('https://app.example.com/o');
    expect(safeReturnTo(`/${'./'.repeat(1023)}or`, site, fallback)).toBe(fallback); // though it would be short
  });

  it('what is no string, as from a query parser, leads to the default page', () => {
    for (const input of [['/a', '/b'], { toString: () => '/x' }, 7, null]) {
      expect(safeReturnTo(input as unknown as string, site, fallback)).toBe(fallback);
    }
  });

  it('whatever comes in, what goes out is on our origin, has no line break, and is no route of ours', () => {
    const pieces = fc.constantFrom('/', '\\', '//', ':', '@', '?', '#', '.', '..', '%2f', '%5c', '%', ';', '\t', '\r\n', ' ', 'https:', 'javascript:', evil, 'app.example.com', 'login', 'LOGIN');
    const hostile = fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.webUrl(), fc.string({ unit: 'binary' })), (input) => {
        for (const where of [site, shop]) {
          const result = safeReturnTo(input, where, fallback);
          expect(new URL(result, where.baseUrl).origin).toBe('https://app.example.com');
          expect(result.startsWith('https://app.example.com/')).toBe(true);
          expect(result).not.toMatch(/[\r\n\t\\]/);
          expect(['/login', '/callback', '/logout'].map((route) => `${where.basePath}${route}`)).not.toContain(new URL(result).pathname.toLowerCase());
        }
      }),
      { numRuns: 5000 / slowness },
    );
  });
});

describe('isLoopback', () => {
  it.each(['http://localhost', 'http://LOCALHOST:3000', 'http://app.localhost', 'http://127.0.0.1', 'http://127.255.0.3', 'http://127.1', 'http://[::1]:80'])('%s is this machine', (url) => {
    expect(isLoopback(new URL(url))).toBe(true);
  });

  it.each(['http://localhost.example', 'http://notlocalhost', 'http://127.0.0.1.nip.io', 'http://128.0.0.1', 'http://0.0.0.0', 'http://[::2]', 'http://10.0.0.1', 'redis://127.evil', 'redis://x127.0.0.1', 'redis://127.0.0.1x'])('%s is not', (url) => {
    expect(isLoopback(new URL(url))).toBe(false);
  });
});

describe('appUrl', () => {
  it('puts a path under the public URL', () => {
    expect(appUrl(site.baseUrl, '', '/callback')).toBe('https://app.example.com/callback');
    expect(appUrl(shop.baseUrl, '/shop', '/callback')).toBe('https://app.example.com/shop/callback');
  });
});

/** As Node, Connect and Express hand it on. */
function request(url: string, originalUrl?: string): Request {
  const req = new IncomingMessage(new Socket());
  return Object.assign(req, originalUrl === undefined ? { url } : { url, originalUrl });
}

describe('requestPath', () => {
  it('is the path and query before anything was taken away', () => {
    expect(requestPath(request('/orders?x=1'))).toBe('/orders?x=1');
    expect(requestPath(request('/orders', '/shop/orders'))).toBe('/shop/orders');
  });

  it.each(['//evil.example', '/\\evil.example', 'http://evil.example/p', 'evil.example:443', '*', '', '\\evil', '?x'])('%j is none (THREATS B4)', (target) => {
    expect(requestPath(request(target))).toBeUndefined();
  });
});

describe('returnPathOf', () => {
  const options = { ...site, afterLogin: fallback };
  const shopOptions = { ...shop, afterLogin: fallback };

  it.each<[string, string | undefined, string]>([
    ['/orders?x=1', undefined, 'https://app.example.com/orders?x=1'],
    ['/orders', '/admin/orders', 'https://app.example.com/admin/orders'],
    ['//evil.example', undefined, fallback],
    ['/\\evil.example', undefined, fallback],
    ['http://evil.example/p', undefined, fallback],
    ['/login?x', undefined, fallback],
    ['/%', undefined, fallback],
    ['/.//evil.example', undefined, 'https://app.example.com//evil.example'],
    ['/@evil.example', undefined, 'https://app.example.com/@evil.example'],
  ])('%s (%s) is %s', (url, originalUrl, expected) => {
    expect(returnPathOf(request(url, originalUrl), options)).toBe(expected);
  });

  it.each([
    ['unstripped', '/shop/orders', undefined],
    ['behind a proxy that strips the prefix', '/orders', undefined],
    ['mounted in Express', '/orders', '/shop/orders'],
  ])('%s, the prefix is there once', (_, url, originalUrl) => {
    expect(returnPathOf(request(url, originalUrl), shopOptions)).toBe('https://app.example.com/shop/orders');
  });

  it('a page whose name only begins like the prefix was stripped', () => {
    expect(returnPathOf(request('/shopping'), shopOptions)).toBe('https://app.example.com/shop/shopping');
    expect(returnPathOf(request('/shop?x'), shopOptions)).toBe('https://app.example.com/shop?x');
  });
});

describe('matchRoute', () => {
  it.each<[string, string | undefined, string, string | undefined]>([
    ['/login', undefined, '', 'login'],
    ['/login?returnTo=%2Fx', undefined, '', 'login'],
    ['/callback?code=a', undefined, '', 'callback'],
    ['/logout#x', undefined, '', 'logout'],
    ['/login', '/shop/login', '/shop', 'login'], // app.use('/shop', …)
    ['/shop/callback', undefined, '/shop', 'callback'], // a proxy that keeps the prefix
    ['/callback', undefined, '/shop', 'callback'], // a proxy that strips it
    ['/callback', '/callback', '/shop', 'callback'],
    ['/login', '/shop/admin/login', '/shop', 'login'], // in a router further down
    ['/logout', '/shop/admin/logout', '/shop', 'logout'],
    ['/session', '/shop/admin/session', '/shop', 'session'],
    ['/backchannel-logout', '/shop/admin/backchannel-logout', '/shop', 'backchannelLogout'],
    ['/session?renew=false', undefined, '', 'session'],
    ['/backchannel-logout', undefined, '', 'backchannelLogout'],
    ['/backchannel-logout/acme?x', undefined, '', 'backchannelLogout'],
    ['/backchannel-logout/acme/more', undefined, '', undefined],
    ['/backchannel-logout/', undefined, '', undefined],
    ['/frontchannel-logout', undefined, '', undefined],
    ['/othe/login', undefined, '/shop', undefined],
    ['/', undefined, '', undefined],
    ['/login/', undefined, '', undefined],
    ['/LOGIN', undefined, '', undefined],
    ['/login/x', undefined, '', undefined],
    ['/x/login', undefined, '', undefined],
    ['/%6cogin', undefined, '', undefined],
    ['/other/login', undefined, '/shop', undefined],
    ['//login', undefined, '', undefined],
    ['http://app.example.com/login', undefined, '', undefined],
    ['*', undefined, '', undefined],
  ])('%s (%s) in an app at "%s" is %s', (url, originalUrl, basePath, expected) => {
    expect(matchRoute(request(url, originalUrl), { basePath, routes, callbackPaths })).toBe(expected);
  });

  it.each<[string, string, string | undefined]>([
    ['/callback', '', '/callback'],
    ['/callback/acme?code=a', '', '/callback/acme'],
    ['/shop/callback/acme', '/shop', '/callback/acme'],
    ['/auth/beta/back', '', '/auth/beta/back'],
    ['/callback/', '', undefined],
    ['/callback/acme/more', '', undefined],
    ['/callback/*/x', '', undefined],
    ['/callbacks', '', undefined],
    ['/auth/beta', '', undefined],
  ])('an answer at %s in an app at "%s" arrived at %s', (url, basePath, expected) => {
    const several = { basePath, routes, callbackPaths: ['/callback', '/callback/*', '/auth/beta/back'] };
    expect(callbackPathOf(request(url), several)).toBe(expected);
    expect(matchRoute(request(url), several)).toBe(expected === undefined ? undefined : 'callback');
  });

  it('B7: no way back leads to a callback of any provider', () => {
    const several = { ...site, callbackPaths: ['/callback', '/callback/*', '/auth/beta/back'] };
    for (const path of ['/callback/acme', '/callback/ACME/', '//callback//acme', '/callback/x/../acme', '/auth/beta/back?code=x', '/callback/%61cme']) {
      expect(safeReturnTo(`https://app.example.com${path}`, several, fallback)).toBe(fallback);
    }
    expect(safeReturnTo('/callback/acme/more', several, fallback)).toBe('https://app.example.com/callback/acme/more');
  });

  it('a route that is switched off is not ours', () => {
    expect(matchRoute(request('/login'), { ...site, routes: { ...routes, login: false } })).toBeUndefined();
    expect(matchRoute(request('/false'), { ...site, routes: { ...routes, login: false } })).toBeUndefined();
  });
});

describe('where servers tell of logouts', () => {
  const off = { ...routes, backchannelLogout: false } as const;
  const on = { ...routes, backchannelLogout: '/auth/told/', frontchannelLogout: '/auth/framed' } as const;
  it.each<[string, 'backchannelLogout' | 'frontchannelLogout', string]>([
    ['/auth/told/acme?x=y', 'backchannelLogout', 'acme'],
    ['/auth/framed/acme', 'frontchannelLogout', 'acme'],
    ['/auth/framed', 'frontchannelLogout', ''],
    ['/x/auth/framed/', 'frontchannelLogout', ''],
    ['/auth/told/acme', 'frontchannelLogout', ''],
  ])('%s at %s names the provider "%s"', (url, route, expected) => {
    expect(providerNameIn(request(url), { basePath: '', routes: on }, route)).toBe(expected);
    expect(providerNameIn(request(`/shop${url}`), { basePath: '/shop', routes: on }, route)).toBe(expected);
    expect(matchRoute(request(url), { ...site, routes: on })).toBe(url.startsWith('/x') ? undefined : url.includes('told') ? 'backchannelLogout' : 'frontchannelLogout');
  });

  it('a route that is switched off names nobody', () => {
    expect(providerNameIn(request('/backchannel-logout/acme'), { basePath: '', routes: off }, 'backchannelLogout')).not.toBe('acme');
    expect(matchRoute(request('/backchannel-logout/acme'), { ...site, routes: off })).toBeUndefined();
    expect(matchRoute(request('/false'), { ...site, routes: off })).toBeUndefined();
  });
});

describe('isVisitTo', () => {
  const bye = 'https://app.example.com/shop/bye?x=y';
  const visit = (url: string, { method = 'GET', originalUrl = url, page = bye, basePath = '/shop' } = {}) => isVisitTo(Object.assign(request(url, originalUrl), { method }), page, { basePath });

  it('knows the page whatever its query, and wherever the prefix went', () => {
    for (const url of ['/shop/bye', '/shop/bye?state=a', '/bye?state=a']) expect(visit(url)).toBe(true);
    expect(visit('/bye', { originalUrl: '/shop/bye' })).toBe(true);
    expect(visit('/bye', { originalUrl: '/shop/admin/bye' })).toBe(true);
    expect(visit('/bye', { page: 'https://app.example.com/bye', basePath: '' })).toBe(true);
  });

  it('takes no other page, nor another method, for it', () => {
    for (const url of ['/shop/other', '/shop/bye/', '/', '/shop']) expect(visit(url)).toBe(false);
    expect(visit('/shop/bye', { method: 'POST' })).toBe(false);
  });

  it('knows a page outside of the prefix by its whole path', () => {
    const page = 'https://app.example.com/shopping';
    expect([visit('/shopping', { page }), visit('/ping', { page }), visit('/shop/shopping', { page })]).toEqual([true, false, true]);
  });
});

describe('queryOf', () => {
  const query = (url: string) => queryOf(request(url)).toString();
  it('is what stands behind the first question mark', () => {
    expect([query('/x?a=b&c=?d'), query('/x?'), query('/x'), query('?a=b'), query('/abc')]).toEqual(['a=b&c=%3Fd', '', '', 'a=b', '']);
  });

  it('of no address is empty', () => {
    expect(queryOf(Object.assign(request(''), { url: undefined })).toString()).toBe('');
  });

  it('J8: of an address longer than servers take is empty', () => {
    const longest = `/x?a=${'b'.repeat(65_536 - 5)}`;
    expect([query(longest).length, query(`${longest}b`)]).toEqual([65_533, '']);
  });
});

describe('findApi', () => {
  const api = (url: string) => ({ url: new URL(url), resource: undefined, scope: undefined, provider: undefined });
  const apis = [api('https://api.example.com/v1/'), api('https://api.example.com/v1/admin/'), api('https://whole.example.com/'), api('http://localhost:4000/')];
  const found = (url: string) => findApi(new URL(url), apis)?.url.href;

  it.each([
    ['https://api.example.com/v1', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1?x=1', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/orders/7?x=1#y', 'https://api.example.com/v1/'],
    ['https://API.example.com:443/v1/orders', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/admin', 'https://api.example.com/v1/admin/'],
    ['https://api.example.com/v1/admin/users', 'https://api.example.com/v1/admin/'],
    ['https://api.example.com/v1/administrators', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/x/../orders', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/projects/group%2Fproject', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/files/a..b', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1/search/100%25', 'https://api.example.com/v1/'],
    ['https://whole.example.com/any/where', 'https://whole.example.com/'],
    ['http://localhost:4000/x', 'http://localhost:4000/'],
  ])('%s belongs to %s', (url, expected) => {
    expect(found(url)).toBe(expected);
  });

  it.each([
    'https://api.example.com/', 'https://api.example.com/v10', 'https://api.example.com/v1x/orders', 'https://api.example.com/V1/orders', 'https://api.example.com/v2/v1/',
    'http://api.example.com/v1/orders', 'https://api.example.com:8443/v1/', 'https://api.example.com.evil.example/v1/', 'https://evil.example/v1/',
    'https://api.example.com@evil.example/v1/', 'https://user@api.example.com/v1/', 'https://user:pass@api.example.com/v1/', 'https://:pass@api.example.com/v1/', 'https://api.example.com./v1/',
    'https://api.example.com/v1/../admin', 'https://api.example.com/v1/%2e%2e/admin', 'https://api.example.com/v1/.%2E/admin', 'https://api.example.com/v1\\..\\admin',
    'https://api.example.com/v1/..%2fadmin', 'https://api.example.com/v1/..%2Fadmin', 'https://api.example.com/v1/..%5cadmin', 'https://api.example.com/v1/%2e%2e%2fadmin',
    'https://api.example.com/v1/x%2f..%2f..%2fadmin', 'https://api.example.com/v1/%252e%252e/admin', 'https://api.example.com/v1/%252e%252e%252fadmin',
    'https://api.example.com/v1/%25252e%25252e/admin', 'https://api.example.com/v1/..;/admin', 'https://api.example.com/v1/..;x=1/admin', 'https://api.example.com/v1/%2e%2e;/admin',
    'https://api.example.com/v1/%252e%252e/%25zz', 'https://api.example.com/v1/%2525252525252525252e', 'https://api.example.com%2fv1/',
    'blob:https://api.example.com/v1/x', 'http://127.0.0.1:4000/x', 'https://localhost:4000/', 'http://localhost:4001/',
  ].filter((url) => URL.canParse(url)))('%s gets no token', (url) => {
    expect(found(url)).toBeUndefined();
  });

  it('belongs to the longest, in whichever order they are listed, and to the first of two that are as long', () => {
    const [url, again] = [new URL('https://api.example.com/v1/admin/users'), api('https://api.example.com/v1/admin/')];
    expect(findApi(url, apis.toReversed())?.url.href).toBe('https://api.example.com/v1/admin/');
    expect(findApi(url, [again, ...apis])).toBe(again);
    expect(findApi(url, [...apis, again])).toBe(apis[1]);
  });

  it('J8: what is escaped in a path that is longer than servers take gets no token', () => {
    const longest = `https://api.example.com/v1/%20${'a'.repeat(65_536 - 7)}`;
    expect([found(longest), found(`${longest}a`)]).toEqual(['https://api.example.com/v1/', undefined]);
  });

  it('without a list, nothing gets a token', () => {
    expect(findApi(new URL('https://api.example.com/v1/'), [])).toBeUndefined();
  });

  it('a path of a megabyte is answered at once', () => {
    const start = performance.now();
    const repeat = (text: string, times: number): string => text.repeat(times / slowness);
    for (const path of [repeat('/', 1_000_000), repeat('%25', 300_000), repeat('%2e%2e;', 150_000), `%${repeat('25', 500_000)}2e`]) found(`https://api.example.com/v1/${path}`);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
