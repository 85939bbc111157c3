/**
 * RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): the way to the server's logout page and back. Named after the modules of the OpenID
 * Foundation's relying-party plan where there is one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestApp } from '../support/apps.js';
import { createBrowser, type Browser, type Page } from '../support/browser.js';
import { answers, startLyingServer, type LyingServer } from '../support/lying-server.js';
import { startWorld, type World } from '../support/world.js';

let world: World;
let app: TestApp;
let lying: LyingServer;
beforeAll(async () => {
  [world, lying] = await Promise.all([startWorld({ host: 'localhost' }), startLyingServer()]);
  app = await world.app('express5', { options: { clearSiteData: ['cache', 'storage'] } });
});
afterAll(async () => {
  await world.close();
  await lying.close();
});
afterEach(() => {
  delete lying.answers.endSession;
  lying.changeMetadata = (metadata) => metadata;
  lying.makeIdToken = (claims) => lying.sign(claims);
});

const logoutTo = (browser: Browser, returnTo: string, options = {}, at = app): Promise<Page> =>
  browser.post(`${at.baseUrl}/logout?returnTo=${encodeURIComponent(returnTo)}`, {}, options);

const endSessionRequest = (page: Page): URL => new URL(page.hops[0]!.location!);

describe('at a real server', () => {
  it('oidcc-client-test-rp-init-logout: the browser ends up where the app wanted it, by way of afterLogout and with `state`', async () => {
    const browser = await world.loggedIn(app);
    const page = await logoutTo(browser, '/public?page=2');
    expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/public?page=2`]);
    const request = endSessionRequest(page);
    expect(Object.fromEntries(request.searchParams)).toEqual({
      id_token_hint: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      client_id: 'web',
      post_logout_redirect_uri: `${app.baseUrl}/`,
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(page.hops.map(({ url }) => url)).toContain(`${app.baseUrl}/?state=${request.searchParams.get('state')}`);
    expect(browser.cookies.get('session-logout', '127.0.0.1')).toBeUndefined();
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: false });
  });

  it('without a return path nothing is kept and no `state` sent', async () => {
    const page = await (await world.loggedIn(app)).post(`${app.baseUrl}/logout`);
    expect([page.url, endSessionRequest(page).searchParams.has('state')]).toEqual([`${app.baseUrl}/`, false]);
    expect(page.hops.flatMap(({ setCookies }) => setCookies).some((line) => line.startsWith('session-logout='))).toBe(false);
  });

  it('B1: never to another site', async () => {
    for (const evil of ['https://evil.example/', '//evil.example', '/\\evil.example', `${app.baseUrl}.evil.example/`]) {
      const page = await logoutTo(await world.loggedIn(app), evil);
      expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/`]);
    }
  });

  it('Clear-Site-Data goes with the answer of a logout, and with no other', async () => {
    const browser = await world.loggedIn(app);
    expect((await browser.get(`${app.baseUrl}/private`)).headers['clear-site-data']).toBeUndefined();
    expect((await logoutTo(browser, '/public', { follow: false })).headers['clear-site-data']).toBe('"cache", "storage"');
    expect((await logoutTo(browser, '/public', { follow: false })).headers['clear-site-data']).toBe('"cache", "storage"'); // no login any more
  });

  it('FAULTS 52, H8: a double click, and a session that is gone, end at the page that was asked for', async () => {
    const browser = await world.loggedIn(app);
    const headers = { Cookie: browser.cookies.header(new URL(app.baseUrl))! };
    const both = await Promise.all([1, 2].map(() => logoutTo(createBrowser(), '/public', { follow: false, headers })));
    expect(both.map(({ status }) => status)).toEqual([303, 303]);
    const again = await logoutTo(browser, '/public');
    expect([again.status, again.url]).toEqual([200, `${app.baseUrl}/public`]);
  });
});

describe('the way back', () => {
  async function leave(browser: Browser): Promise<string> {
    const page = await logoutTo(browser, '/public', { follow: false });
    return endSessionRequest(page).searchParams.get('state')!;
  }

  it.each<[string, (state: string) => string]>([
    ['oidcc-client-test-rp-init-logout-other-state: another `state`', (state) => `?state=${state.slice(1)}x`],
    ['oidcc-client-test-rp-init-logout-no-state: none', () => ''],
    ['two of them', (state) => `?state=${state}&state=${state}`],
  ])('%s leads nowhere', async (_name, query) => {
    const browser = await world.loggedIn(app);
    const state = await leave(browser);
    const page = await browser.get(`${app.baseUrl}/${query(state)}`);
    expect([page.status, page.hops.length, page.json()]).toEqual([200, 1, { isAuthenticated: false }]);
  });

  it('what else the server adds does not matter', async () => {
    const browser = await world.loggedIn(app);
    const page = await browser.get(`${app.baseUrl}/?foo=bar&state=${await leave(browser)}`);
    expect(page.url).toBe(`${app.baseUrl}/public`);
  });

  it('G9: leads nowhere where the app has answered before, by a time limit say, and ends no process', async () => {
    const browser = await world.loggedIn(app);
    const cookie = browser.cookies.header(new URL(app.baseUrl))!; // the session is over, and has to be looked for
    const state = await leave(browser);
    const headers = { Cookie: `${cookie}; ${browser.cookies.header(new URL(app.baseUrl))!}` };
    const answered = (_req: IncomingMessage, res: ServerResponse): void => process.nextTick(() => res.writeHead(503).end());
    app.server.prependOnceListener('request', answered);
    const page = await createBrowser().get(`${app.baseUrl}/?state=${state}`, { headers, follow: false });
    await createBrowser().get(`${app.baseUrl}/public`, { headers }); // behind it on the same connection to Redis
    expect([page.status, page.setCookies]).toEqual([503, []]); // a rejection that nobody handles fails the run
  });

  it('leads on once, in this browser alone, and from this page alone', async () => {
    const browser = await world.loggedIn(app);
    const state = await leave(browser);
    const back = `/?state=${state}`;
    expect((await createBrowser().get(app.baseUrl + back)).url).toBe(app.baseUrl + back);
    expect((await browser.get(`${app.baseUrl}/public${back.slice(1)}`)).hops).toHaveLength(1);
    const headers = { Cookie: browser.cookies.header(new URL(app.baseUrl))! };
    expect((await browser.get(app.baseUrl + back)).url).toBe(`${app.baseUrl}/public`);
    expect((await browser.get(app.baseUrl + back)).url).toBe(app.baseUrl + back);
    const changed = headers.Cookie.replace(/(session-logout=.{30})./, '$1_');
    expect((await createBrowser().get(app.baseUrl + back, { headers: { Cookie: changed } })).url).toBe(app.baseUrl + back);
  });
});

describe('where the server does not play along', () => {
  const start = (): Promise<TestApp> =>
    world.app('express5', { options: { redis: undefined, httpTimeoutSeconds: 0.5, provider: { issuer: lying.issuer, clientId: lying.clientId, clientSecret: lying.clientSecret } } });

  async function loggedIn(at: TestApp): Promise<Browser> {
    const browser = createBrowser();
    expect((await browser.get(`${at.baseUrl}/private`)).status).toBe(200);
    return browser;
  }

  it('no logout page: at once to the page that was asked for, without a cookie of the way', async () => {
    lying.changeMetadata = ({ end_session_endpoint: _, ...metadata }) => metadata;
    const own = await start();
    const page = await logoutTo(await loggedIn(own), '/public', { follow: false }, own);
    expect([page.status, page.headers.location, page.setCookies.some((line) => line.startsWith('session-logout'))]).toEqual([303, `${own.baseUrl}/public`, false]);
  });

  it('an expired ID Token is a hint all the same; one that makes the address too long is left out', async () => {
    const own = await start();
    lying.makeIdToken = (claims) => lying.sign({ ...claims, iat: Number(claims['iat']), exp: Number(claims['iat']) + 1 });
    const browser = await loggedIn(own);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // until it has expired
    const expired = endSessionRequest(await logoutTo(browser, '/public', { follow: false }, own));
    expect(expired.searchParams.has('id_token_hint')).toBe(true);
    lying.makeIdToken = (claims) => lying.sign({ ...claims, groups: Array.from({ length: 400 }, (_, index) => `group number ${index}`) });
    const tooLong = endSessionRequest(await logoutTo(await loggedIn(own), '/public', { follow: false }, own));
    expect([tooLong.searchParams.has('id_token_hint'), tooLong.searchParams.get('client_id')]).toEqual([false, 'web']);
  });

  it('H1: its revocation endpoint is silent: the way is the same, and the failure is an event', async () => {
    const own = await start();
    const failed: string[] = [];
    own.auth.on('logout.revocation_failed', ({ code }) => failed.push(code));
    const browser = await loggedIn(own);
    lying.answers.revocation = answers.silence();
    const page = await logoutTo(browser, '/public', { follow: false }, own);
    delete lying.answers.revocation;
    expect([page.status, endSessionRequest(page).origin, failed]).toEqual([303, lying.issuer, ['ERR_CODE_FLOW_PROVIDER_TIMEOUT']]);
  });
});

describe('front-channel logout', () => {
  it('ends the login of a `sid` without a cookie, in a frame of any page; wrong requests and unknown ids end nothing and write nothing', async () => {
    lying.makeIdToken = (claims) => lying.sign({ ...claims, sid: 'front' });
    const provider = { issuer: lying.issuer, clientId: lying.clientId, clientSecret: lying.clientSecret };
    const own = await world.app('express5', { options: { provider, routes: { frontchannelLogout: '/front' } } });
    const browser = createBrowser();
    await browser.get(`${own.baseUrl}/private`);
    const frame = { navigate: false, from: lying.issuer, headers: { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' } };
    const call = (query: Record<string, string>): Promise<Page> => createBrowser().get(`${own.baseUrl}/front?${new URLSearchParams(query).toString()}`, frame);
    const keys = async (): Promise<string[]> => (await world.redis.client().keys('ecf:i:*')).sort();
    const before = await keys();
    expect((await call({ iss: lying.issuer, sid: 'unknown' })).status).toBe(200);
    expect((await call({ iss: 'https://evil.example', sid: 'front' })).status).toBe(400);
    expect((await call({ iss: lying.issuer })).status).toBe(400);
    expect((await call({})).status).toBe(400);
    expect(await keys()).toEqual(before);
    expect((await browser.get(`${own.baseUrl}/private`, { navigate: false })).status).toBe(200);
    const answer = await call({ iss: lying.issuer, sid: 'front' });
    expect([answer.status, answer.headers['cache-control'], answer.headers['content-security-policy']]).toEqual([200, 'no-store', "default-src 'none'; frame-ancestors *"]);
    expect((await browser.get(`${own.baseUrl}/private`, { navigate: false })).status).toBe(401);
  });

  it('is off unless it is asked for', async () => {
    expect((await createBrowser().get(`${app.baseUrl}/frontchannel-logout?iss=x&sid=y`, { navigate: false })).status).toBe(404);
  });
});
