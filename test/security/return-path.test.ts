/**
 * THREATS B: wherever an address comes from, the browser ends on the app, and never on a route of ours. One list of hostile addresses, and
 * whatever fast-check makes up, for every way in: `/login`, `/logout`, `req.oauth.login()`, `req.oauth.logout()`, the guard, the callback.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import ts from 'typescript';
import { createSealer } from '../../lib/seal.js';
import { safeReturnTo } from '../../lib/urls.js';
import { frameworks, startApp, testSecret, type AppRequest, type Framework, type Route, type TestApp } from '../support/apps.js';
import { asPage, createBrowser, type Page } from '../support/browser.js';
import { hostileAddresses, wrapped } from '../support/hostile-addresses.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';
import { siteAt } from '../support/site.js';
import { hostileText, ownRouteIn } from './properties.js';

const routes = ['/login', '/callback', '/logout'] as const;

/** What is wrong with a redirect's target: not on the site, not whole, with something that a parser drops, or a route of ours in disguise. Told without the code under test. */
function problemOf(location: string, origin: string, basePath = ''): string | undefined {
  // eslint-disable-next-line no-control-regex -- they are what it is about
  if (!location.startsWith(`${origin}/`) || /[\u0000-\u0020\\\u007f-\uffff]/.test(location)) return `not whole: ${JSON.stringify(location)}`;
  const url = new URL(location);
  if (url.origin !== origin || url.username !== '' || url.password !== '' || url.href !== location) return `not ours: ${location}`;
  const route = ownRouteIn(url.pathname, routes.map((path) => `${basePath}${path}`));
  return route === undefined ? undefined : `${route} in disguise: ${location}`;
}

/** Of many addresses, those that led astray. */
const astray = (origin: string, lead: (address: string) => string, addresses: readonly string[], basePath = ''): unknown[] =>
  addresses.map((address) => [JSON.stringify(address), problemOf(lead(address), origin, basePath)]).filter(([, problem]) => problem !== undefined);

const expectSafe = (location: string, origin: string): void => expect(problemOf(location, origin)).toBeUndefined();

describe('B1, B2, B5, B7: the one function', () => {
  const sites = ['https://app.example.com', 'https://app.example.com/shop', 'http://127.0.0.1:3000'].map((baseUrl) => siteAt(baseUrl));
  const listFor = ({ protocol, host }: URL): string[] => hostileAddresses({ scheme: protocol.slice(0, -1), host });

  it('is shown more than 500 hostile addresses', () => {
    for (const { baseUrl } of sites) expect(listFor(baseUrl).length).toBeGreaterThan(500);
  });

  it.each(sites.map((site) => [site.baseUrl.href, site] as const))('at %s none of them, in no wrapping, leads away or onto our routes', (_name, site) => {
    const { origin } = site.baseUrl;
    const addresses = listFor(site.baseUrl).flatMap((each) => [each, ...wrapped(each)]);
    expect(astray(origin, (address) => safeReturnTo(address, site, `${origin}/start`), addresses, site.basePath)).toEqual([]);
  });

  it.each(sites.map((site) => [site.baseUrl.href, site] as const))('at %s neither does anything that fast-check makes up', (_name, site) => {
    const { origin, host } = site.baseUrl;
    fc.assert(fc.property(hostileText(host), (address) => problemOf(safeReturnTo(address, site, `${origin}/start`), origin, site.basePath) === undefined), { numRuns: 2000 });
  });

  it('B5: every one of them is answered at once', () => {
    const site = sites[0]!;
    const addresses = [...listFor(site.baseUrl), '%'.repeat(100_000), '/'.repeat(100_000), '\u0000', 'http://['];
    const began = process.cpuUsage();
    for (const address of addresses) safeReturnTo(address, site, '/');
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(1000); // all thousand of them in a second of work
  });
});

describe('B6: one function, one call site', () => {
  const lib = fileURLToPath(new URL('../../lib/', import.meta.url));
  const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name: name.replaceAll('\\', '/'), tree: ts.createSourceFile(name, readFileSync(join(lib, name), 'utf8'), ts.ScriptTarget.ES2023, true) }));

  function found(matches: (node: ts.Node) => boolean): string[] {
    const hits: string[] = [];
    for (const { name, tree } of sources) {
      const visit = (node: ts.Node): void => {
        if (matches(node)) hits.push(`${name}: ${node.getText()}`);
        node.forEachChild(visit);
      };
      visit(tree);
    }
    return hits.sort();
  }

  const isCallOf = (...names: string[]) => (node: ts.Node): boolean => ts.isCallExpression(node) && names.includes(node.expression.getText());

  it('a Location header is written in one place, in http.ts, from a parsed URL', () => {
    const isLocation = (node: ts.Node): boolean =>
      (ts.isStringLiteral(node) && /^(Location|Refresh)$/.test(node.text)) || (ts.isPropertyAssignment(node) && /^['"]?(Location|Refresh)['"]?$/.test(node.name.getText()));
    expect(found(isLocation)).toEqual(['http.ts: Location: href']);
    expect(found((node) => ts.isPropertyAccessExpression(node) && node.name.text === 'redirect' && /^res/.test(node.expression.getText()))).toEqual([]);
  });

  it('every redirect of ours goes to what safeReturnTo or the authorization server’s metadata made', () => {
    expect(found(isCallOf('redirect'))).toEqual([
      'guards/handle-auth-errors.ts: redirect(res, login, 302)', // appUrl of our login route, with returnPathOf as its query
      'routes/callback.ts: redirect(res, returnTo)', // of the transaction, where login.ts put it
      'routes/login.ts: redirect(res, url.href, 302)', // provider.authorizationUrl
      'routes/logout.ts: redirect(res, location)', // safeReturnTo's, or provider.endSessionUrl
      'routes/logout.ts: redirect(res, returnTo)', // safeReturnTo's, out of the sealed cookie
    ]);
  });

  it('and safeReturnTo is where each address from outside goes through', () => {
    expect(found(isCallOf('safeReturnTo'))).toEqual([
      "routes/login-from-elsewhere.ts: safeReturnTo(query.get('returnTo') ?? '', options, options.afterLogin)",
      'routes/login.ts: safeReturnTo(parameters.returnTo, options, options.afterLogin)',
      'routes/logout.ts: safeReturnTo(returnTo, options, options.afterLogout)',
      'urls.ts: safeReturnTo(`${origin}${path}`, options, options.afterLogin)',
    ]);
  });
});

let server: LyingServer;
beforeAll(async () => {
  server = await startLyingServer();
});
afterAll(() => server.close());

/** Their return path comes in a body, which no header limit cuts and no query parser touched. */
const byHand: Route[] = [
  { method: 'POST', path: '/start', handlers: [async (req) => req.oauth.login({ returnTo: await bodyOf(req) })] },
  { method: 'POST', path: '/end', handlers: [async (req) => req.oauth.logout({ returnTo: await bodyOf(req) })] },
];

async function bodyOf(req: AppRequest): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as string; // keeps halves of surrogate pairs
}

describe.each(frameworks)('on %s', (framework: Framework) => {
  let app: TestApp;
  let addresses: string[];
  beforeAll(async () => {
    const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret };
    app = await startApp(framework, { routes: byHand, options: { provider, afterLogin: '/start-page', afterLogout: '/end-page' } });
    const all = hostileAddresses({ scheme: 'http', host: `127.0.0.1:${app.port}` });
    addresses = framework === 'express5' ? all : all.filter((_, index) => index % 10 === 0);
  });
  afterAll(() => app.close());

  const query = (address: string): string => encodeURIComponent(address.replaceAll(/\p{Cs}/gu, '\ufffd'));

  /** Where the login that this answer begins will lead: what is sealed in its cookie. */
  function wayBack({ setCookies }: Page): string {
    const [, name = '', value = ''] = /^(session-login-[\w-]+)=([^;]+)/.exec(setCookies[0] ?? '') ?? [];
    const text = createSealer([testSecret]).open('login transaction', name, Buffer.from(value, 'base64url'));
    return (JSON.parse(text ?? '{}') as { returnTo: string }).returnTo;
  }

  it('B1, B5: /login?returnTo=', async () => {
    for (const address of addresses) {
      const answer = await createBrowser().get(`${app.origin}/login?returnTo=${query(address)}`, asPage);
      expect([answer.status, answer.headers.location?.startsWith(`${server.issuer}/authorize?`), answer.text]).toEqual([302, true, '']);
      expectSafe(wayBack(answer), app.origin);
    }
  }, 360_000);

  it('B1, B5: req.oauth.login({ returnTo })', async () => {
    for (const address of [...addresses, 'x'.repeat(100_000), '%'.repeat(100_000)]) {
      const answer = await createBrowser().request(`${app.origin}/start`, { ...asPage, method: 'POST', body: JSON.stringify(address) });
      expect(answer.status).toBe(302);
      expectSafe(wayBack(answer), app.origin);
    }
  }, 360_000);

  it.each([
    ['/logout?returnTo=', (address: string) => createBrowser().get(`${app.origin}/logout?returnTo=${query(address)}`, asPage)],
    ['req.oauth.logout({ returnTo })', (address: string) => createBrowser().request(`${app.origin}/end`, { ...asPage, method: 'POST', body: JSON.stringify(address) })],
  ])('B6: %s', async (_name, visit) => {
    for (const address of addresses) {
      const { status, headers, text } = await visit(address);
      expect([status, text]).toEqual([303, '']);
      expectSafe(headers.location!, app.origin);
    }
  }, 360_000);

  it('B1: the callback, at the end of a whole login', async () => {
    for (const address of addresses.filter((_, index) => index % 5 === 0)) {
      const browser = createBrowser();
      const begun = await browser.get(`${app.origin}/login?returnTo=${query(address)}`, asPage);
      const authorized = await browser.get(begun.headers.location!, asPage);
      const answer = await browser.get(authorized.headers.location!, asPage);
      expect([answer.status, answer.text]).toEqual([303, '']);
      expectSafe(answer.headers.location!, app.origin);
      expect((await browser.get(authorized.headers.location!, asPage)).headers.location).toBe(answer.headers.location); // the back button
    }
  }, 360_000);

  it('B1: the callback of a silent login that needs the user', async () => {
    for (const address of addresses.filter((_, index) => index % 5 === 1)) {
      const browser = createBrowser();
      const begun = await browser.get(`${app.origin}/login?prompt=none&returnTo=${query(address)}`, asPage);
      const state = new URL(begun.headers.location!).searchParams.get('state')!;
      const answer = await browser.get(`${app.origin}/callback?${new URLSearchParams({ state, error: 'login_required', iss: server.issuer }).toString()}`, asPage);
      expect(answer.status).toBe(303);
      expectSafe(answer.headers.location!, app.origin);
    }
  }, 360_000);

  it('B3: no redirect has a body, and none a type or a policy that would let it run', async () => {
    const script = '/"><script>alert(1)</script>';
    for (const path of [`/login?returnTo=${query(script)}`, `/logout?returnTo=${query(script)}`, `/private?x=${query(script)}`]) {
      const { status, text, headers } = await createBrowser().get(app.origin + path, asPage);
      expect([302, 303]).toContain(status);
      expect([text, headers['content-type'], headers['content-length']]).toEqual(['', undefined, '0']);
      expect([headers['content-security-policy'], headers['x-content-type-options']]).toEqual([expect.stringContaining("default-src 'none'"), 'nosniff']);
      expect(headers.location).not.toMatch(/[<>"]/);
    }
  });

  it('B3: the page that asks before a logout shows an address as text alone', async () => {
    const { text } = await createBrowser().get(`${app.origin}/logout?returnTo=${query('/"><script>alert(1)</script>')}`, { ...asPage, from: 'https://evil.example' });
    expect(text).not.toContain('<script');
  });
});
