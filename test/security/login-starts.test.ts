/** Who may start a login, and how often: other sites, and browsers that go round in circles. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import type { CodeFlowOptions } from '../../lib/index.js';
import { frameworks } from '../support/apps.js';
import type { Route, TestApp } from '../support/apps.js';
import { startAuthorizationServer } from '../support/authorization-server.js';
import type { AuthorizationServer } from '../support/authorization-server.js';
import { createBrowser } from '../support/browser.js';
import type { Browser, Page } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let acme: AuthorizationServer;
let beta: AuthorizationServer;
beforeAll(async () => {
  world = await startWorld({ account: 'alice' });
  acme = world.authorizationServer;
  beta = await startAuthorizationServer({ host: 'localhost', account: 'mallory' }); // answers without asking anybody
});
afterAll(async () => {
  await beta.stop();
  await world.close();
});

const evil = 'https://evil.example';
const routes: Route[] = [
  { method: 'GET', path: '/who', handlers: [({ oauth: { provider, subject, grantId } }, res) => sendJson(res, 200, { provider, subject, grantId })] },
  { method: 'GET', path: '/beta', handlers: [requireAuth({ provider: 'beta' }), ({ oauth }, res) => sendJson(res, 200, { at: oauth.provider })] },
  { method: 'GET', path: '/both', handlers: [requireAuth({ provider: 'acme' }), requireAuth({ provider: 'beta' }), (_req, res) => sendJson(res, 200, {})] },
];

async function startApp(framework: (typeof frameworks)[number] = 'express5', session: CodeFlowOptions['session'] = {}): Promise<TestApp> {
  const providers = { acme: acme.provider, beta: beta.provider };
  const app = await world.app(framework, { routes, options: { providers, session } as Partial<CodeFlowOptions> });
  await beta.registerApp(app.baseUrl);
  return app;
}

describe.each(frameworks)('A17: a login that another site brings about, on %s', (framework) => {
  let app: TestApp;
  let browser: Browser;
  let before: unknown;
  const who = async () => (await browser.get(`${app.baseUrl}/who`)).json();
  const authorizations = () => acme.counters.authorizations + beta.counters.authorizations;
  beforeAll(async () => {
    app = await startApp(framework);
    browser = await world.loggedIn(app);
    before = await who();
    expect(before).toMatchObject({ provider: 'acme', subject: 'alice' });
  });

  const linkOf = (page: Page): string => /<a class="action" href="([^"]*)"/.exec(page.text)![1]!.replaceAll('&amp;', '&');

  it.each([
    ['the login at another provider', '/login?provider=beta&returnTo=/who'],
    ['the login as somebody else', '/login?login_hint=mallory&returnTo=/who'],
    ['a login without a word', '/login?prompt=none&returnTo=/who'],
    ['a page that needs a login elsewhere', '/beta?x=1'],
  ])('by a link to %s asks first, and changes nothing', async (_name, path) => {
    for (const headers of [{}, { 'Sec-Fetch-Site': 'same-site' }]) {
      const started = authorizations();
      const page = await browser.get(app.baseUrl + path, { from: evil, headers });
      expect([page.status, page.setCookies, authorizations()]).toEqual([200, [], started]);
      expect(page.text).toContain('Sign in again?');
      expect(page.headers).toMatchObject({ 'cache-control': 'no-store', 'content-security-policy': expect.stringContaining("frame-ancestors 'none'") });
      expect(linkOf(page)).toMatch(`${app.baseUrl}/login?`);
      expect(await who()).toEqual(before);
    }
  });

  it('by a link to /login alone leads on to where it would have: nobody logs in, and the app\'s session keeps what it has', async () => {
    await browser.post(`${app.baseUrl}/session`, {}, { navigate: false });
    const started = authorizations();
    for (const path of ['/login?returnTo=/who', '/login?provider=acme&returnTo=/who', '/login?returnTo=//evil.example&returnTo=/x']) {
      const page = await browser.get(app.baseUrl + path, { from: evil });
      expect(page.url).toBe(app.baseUrl + (path.includes('who') ? '/who' : '/'));
    }
    expect([await who(), authorizations()]).toEqual([before, started]);
    expect((await browser.get(`${app.baseUrl}/session`, { navigate: false })).json()).toEqual({ counter: 1 });
  });

  it('goes on when the user says so, and starts at once from a page of the app, from the address bar, and without Fetch Metadata', async () => {
    const asked = await browser.get(`${app.baseUrl}/login?provider=beta&login_hint=bob&evil=1&returnTo=/who`, { from: evil });
    const link = new URL(linkOf(asked));
    expect(Object.fromEntries(link.searchParams)).toEqual({ provider: 'beta', login_hint: 'bob', returnTo: '/who' });
    expect((await browser.get(link, { from: app.baseUrl })).json()).toMatchObject({ provider: 'beta', subject: 'bob' });
    expect((await browser.get(`${app.baseUrl}/login?returnTo=/who`, { from: app.baseUrl })).json()).toMatchObject({ provider: 'acme' });
    const plain = await browser.get(`${app.baseUrl}/login?provider=beta`, { follow: false, headers: { 'Sec-Fetch-Site': '', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' } });
    expect([plain.status, plain.headers.location?.startsWith(beta.issuer)]).toEqual([302, true]);
  });

  it('works for whoever is not signed in', async () => {
    const visitor = createBrowser();
    expect((await visitor.get(`${app.baseUrl}/login?provider=beta&returnTo=/who`, { from: evil })).json()).toMatchObject({ provider: 'beta', subject: 'mallory' });
  });

  it('puts no markup of its own into the page that asks', async () => {
    const other = await world.loggedIn(app);
    const page = await other.get(`${app.baseUrl}/login?login_hint="><script>alert(1)</script>&returnTo="><img>`, { from: evil });
    expect(page.text).not.toMatch(/<script|<img/);
  });
});

describe('A17, C12: with SameSite=Strict, where another site\'s link carries no session', () => {
  it('is treated alike: whoever is signed in stays so, and a plain link finds the page', async () => {
    const app = await startApp('express5', { sameSite: 'strict' });
    const browser = await world.loggedIn(app);
    const before = (await browser.get(`${app.baseUrl}/who`)).json();
    const started = acme.counters.authorizations + beta.counters.authorizations;
    expect((await browser.get(`${app.baseUrl}/login?provider=beta&returnTo=/who`, { from: evil })).text).toContain('Sign in again?');
    // The mark of a second visit is no secret: another site's link may bear it as well.
    expect((await browser.get(`${app.baseUrl}/login?from=elsewhere&provider=beta&returnTo=/who`, { from: evil })).text).toContain('Sign in again?');
    expect((await browser.get(`${app.baseUrl}/private?x=1`, { from: evil })).url).toBe(`${app.baseUrl}/private?x=1`);
    expect((await browser.get(`${app.baseUrl}/who`)).json()).toEqual(before);
    expect(acme.counters.authorizations + beta.counters.authorizations).toBe(started);
    expect((await createBrowser().get(`${app.baseUrl}/private`, { from: evil })).json()).toMatchObject({ sub: 'alice' });
  });
});

describe('C10: a browser that goes round in circles gets a page that says why', () => {
  /** Follows redirects like a browser that forgets some cookies; so many steps that it must have come to an end. */
  async function wander(app: TestApp, path: string, keeps: (name: string) => boolean): Promise<Page> {
    const browser = createBrowser();
    let page: Page = await browser.get(app.baseUrl + path, { follow: false });
    for (let step = 0; step < 60 && page.headers.location !== undefined; step += 1) {
      for (const { name, host } of browser.cookies.all()) if (host === '127.0.0.1' && !keeps(name)) browser.cookies.delete(name);
      page = await browser.get(new URL(page.headers.location, page.url), { follow: false });
    }
    return page;
  }
  const isAppCookie = (name: string): boolean => name.startsWith('session');

  it.each([
    ['every cookie of the app', (name: string) => !isAppCookie(name), 'ERR_CODE_FLOW_STATE_UNKNOWN', 1],
    ['the session cookie alone', (name: string) => name !== 'session', 'ERR_CODE_FLOW_LOGIN_LOOP', 4],
  ])('when it drops %s', async (_name, keeps, code, starts) => {
    const app = await startApp();
    const failed: unknown[] = [];
    app.auth.on('login.failed', (detail) => failed.push(detail));
    const before = acme.tokenRequests.authorization_code;
    const page = await wander(app, '/private', keeps);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining(code)]);
    expect(page.text).toMatch(/cookies/);
    expect(acme.tokenRequests.authorization_code).toBe(before + starts - 1);
    expect(failed).toEqual([expect.objectContaining({ code })]);
  });

  it.each([1, 1900])('when it drops the session cookie, with a way back of %d characters', async (length) => {
    const page = await wander(await startApp(), `/private?${'x'.repeat(length)}`, (name) => name !== 'session');
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_LOGIN_LOOP')]);
  });

  it('when a route asks for a login at two providers at once', async () => {
    const app = await startApp();
    const page = await createBrowser().get(`${app.baseUrl}/both`);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_LOGIN_LOOP')]);
  });

  it('and not when somebody logs in and out again and again', async () => {
    const app = await startApp();
    const browser = createBrowser();
    for (let round = 0; round < 6; round += 1) {
      expect((await browser.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
      await browser.post(`${app.baseUrl}/logout`);
    }
  });

  it('and not when five tabs finish at once', async () => {
    const app = await startApp();
    const browser = createBrowser();
    const starts = [];
    for (let tab = 0; tab < 5; tab += 1) starts.push(await browser.get(`${app.baseUrl}/login?returnTo=/private%3F${tab}`, { follow: false }));
    const pages = [];
    for (const start of starts.toReversed()) pages.push(await browser.get(start.headers.location!));
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await browser.get(`${app.baseUrl}/login?returnTo=/private`)).status).toBe(200);
  });
});
