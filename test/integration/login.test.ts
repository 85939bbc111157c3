/** The main job on real parts: the same suite on each framework and each store. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { frameworks } from '../support/apps.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const combinations = frameworks.flatMap((framework) => (['Redis', 'memory'] as const).map((store) => [framework, store] as const));

describe.each(combinations)('on %s with %s', (framework, store) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await world.app(framework, store === 'memory' ? { options: { redis: undefined } } : {});
  });

  it('a page that needs a login sends the browser there and brings it back to where it was', async () => {
    const browser = createBrowser({ login: 'alice' });
    const page = await browser.get(`${app.baseUrl}/private?page=2&x=%C3%A4`);
    expect(page.status).toBe(200);
    expect(page.url).toBe(`${app.baseUrl}/private?page=2&x=%C3%A4`);
    expect(page.json()).toMatchObject({ sub: 'alice', name: expect.any(String) });
    expect(page.hops[0]).toMatchObject({ status: 302, location: `${app.baseUrl}/login?returnTo=${encodeURIComponent(`${app.baseUrl}/private?page=2&x=%C3%A4`)}` });
    expect((await browser.get(`${app.baseUrl}/`)).json()).toMatchObject({ isAuthenticated: true, claims: { sub: 'alice' } });
  });

  it('G5: anything but a page navigation gets 401 as problem+json, with the login URL and without a cookie', async () => {
    const answer = await createBrowser().get(`${app.baseUrl}/private`, { navigate: false });
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toMatchObject({ status: 401, code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', login: `${app.baseUrl}/login` });
    expect(answer.setCookies).toEqual([]);
  });

  it('a public page is served to anybody', async () => {
    expect((await createBrowser().get(`${app.baseUrl}/public`)).json()).toEqual({ public: true });
    expect((await createBrowser().get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: false });
  });

  it('A1, A9: three tabs log in at once and finish in reverse order', async () => {
    const browser = createBrowser();
    const starts = [];
    for (const tab of [1, 2, 3]) starts.push(await browser.get(`${app.baseUrl}/login?returnTo=/private%3Ftab%3D${tab}`, { follow: false }));
    const authorizeUrls = starts.map((start) => new URL(start.headers.location ?? ''));
    for (const name of ['state', 'nonce', 'code_challenge']) expect(new Set(authorizeUrls.map((url) => url.searchParams.get(name))).size).toBe(3);
    browser.login = 'alice';
    for (const [index, url] of [...authorizeUrls.entries()].reverse()) {
      const page = await browser.get(url);
      expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/private?tab=${index + 1}`]);
    }
  });

  it('calls the API with the user\'s token', async () => {
    const browser = await world.loggedIn(app, 'bob');
    const answer = await browser.get(`${app.baseUrl}/api`, { navigate: false });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ sub: 'bob' });
    expect(world.api.calls.at(-1)).toMatchObject({ token: 'valid', subject: 'bob', status: 200 });
  });

  it('C1, C2: a login replaces the session: new id, nothing crosses', async () => {
    const browser = createBrowser({ login: 'alice' });
    await browser.post(`${app.baseUrl}/session`, {}, { navigate: false });
    expect((await browser.get(`${app.baseUrl}/session`, { navigate: false })).json()).toEqual({ counter: 1 });
    const before = browser.cookies.header(new URL(app.baseUrl));
    await browser.get(`${app.baseUrl}/private`);
    const after = browser.cookies.header(new URL(app.baseUrl));
    expect(after).not.toBe(before);
    expect((await browser.get(`${app.baseUrl}/session`, { navigate: false })).json()).toEqual({});
    const old = await createBrowser().get(`${app.baseUrl}/session`, { navigate: false, headers: { Cookie: before ?? '' } });
    expect(old.json()).toEqual({});
  });

  it('keeps the app\'s own session data, without a cookie where nothing changed', async () => {
    const browser = await world.loggedIn(app);
    const first = await browser.post(`${app.baseUrl}/session`, {}, { navigate: false });
    expect(first.json()).toEqual({ counter: 1 });
    const second = await browser.post(`${app.baseUrl}/session`, {}, { navigate: false });
    expect([second.json(), second.setCookies]).toEqual([{ counter: 2 }, []]);
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status, page.setCookies]).toEqual([200, []]);
  });

  it('logs out: here, at the authorization server, and for whoever kept the cookie', async () => {
    const browser = await world.loggedIn(app);
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const { revocations, endSessions } = world.authorizationServer.counters;
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect(page.url).toBe(`${app.baseUrl}/`);
    expect(page.json()).toEqual({ isAuthenticated: false });
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    expect(world.authorizationServer.counters.endSessions).toBeGreaterThan(endSessions);
    const replayed = await createBrowser().get(`${app.baseUrl}/private`, { navigate: false, headers: { Cookie: cookie } });
    expect(replayed.status).toBe(401);
    browser.login = undefined;
    expect((await browser.get(`${app.baseUrl}/private`)).text).toContain('name="username"');
  });

  it('H3: another site cannot log anybody out', async () => {
    const browser = await world.loggedIn(app);
    const attack = await browser.post(`${app.baseUrl}/logout`, {}, { from: 'https://evil.example' });
    expect(attack.status).toBe(403);
    const image = await browser.get(`${app.baseUrl}/logout`, { headers: { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image', 'Sec-Fetch-Site': 'cross-site' } });
    expect(image.text).toContain('<form method="post"');
    const link = await browser.get(`${app.baseUrl}/logout`, { from: 'https://evil.example' });
    expect(link.text).toContain('<form method="post"');
    const prefetch = await browser.get(`${app.baseUrl}/logout`, { from: app.baseUrl, headers: { 'Sec-Purpose': 'prefetch' } });
    expect(prefetch.status).toBe(503);
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
  });

  it('logs out by a link of the app, and twice without harm', async () => {
    const browser = await world.loggedIn(app);
    expect((await browser.get(`${app.baseUrl}/logout`, { from: app.baseUrl })).json()).toEqual({ isAuthenticated: false });
    const again = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect([again.status, again.headers.location]).toEqual([303, `${app.baseUrl}/`]);
  });

  it('passes errors of the app on untouched', async () => {
    const seen = app.errors.length;
    expect((await createBrowser().get(`${app.baseUrl}/boom`)).status).toBe(500);
    expect(app.errors.slice(seen)).toEqual([new Error('the app has a bug')]);
  });
});
