/** What another site makes a signed-in browser send to guarded routes and to the logout (THREATS G6, H3). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import { frameworks, type Route, type TestApp } from '../support/apps.js';
import { createBrowser, type Browser } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';

const trusted = 'https://admin.example.com';

describe.each(frameworks)('G6: a state-changing request on %s', (framework) => {
  let world: World;
  let app: TestApp;
  let alice: Browser;
  let orders = 0;
  const routes: Route[] = [
    { method: 'POST', path: '/orders', handlers: [requireAuth(), (_req, res) => sendJson(res, 201, { orders: ++orders })] },
    { method: 'POST', path: '/unguarded', handlers: [(_req, res) => sendJson(res, 201, {})] },
  ];
  beforeAll(async () => {
    world = await startWorld({ account: 'alice' });
    app = await world.app(framework, { routes, options: { trustedOrigins: [trusted] } });
    alice = await world.loggedIn(app);
  });
  afterAll(() => world.close());

  /** As a browser whose cookie comes along; `undefined` takes away what the test browser would send. */
  async function post(path: string, headers: Record<string, string | undefined>, cookie = alice.cookies.header(new URL(app.baseUrl), 'strict')): Promise<Response> {
    const sent = Object.entries({ cookie, ...headers }).filter((entry): entry is [string, string] => entry[1] !== undefined);
    // Node's fetch writes Sec-Fetch-Mode and no Sec-Fetch-Site of its own.
    return fetch(app.baseUrl + path, { method: 'POST', headers: sent, redirect: 'manual' });
  }

  async function expectRefused(answer: Response): Promise<void> {
    const body = await answer.text();
    expect([answer.status, answer.headers.get('set-cookie'), answer.headers.get('location')]).toEqual([403, null, null]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(body).toContain('ERR_CODE_FLOW_CROSS_ORIGIN');
  }

  const foreign: [string, Record<string, string>][] = [
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['another site, by its Origin alone', { origin: 'https://evil.example' }],
    ['a sibling subdomain, whose requests carry the cookie', { 'sec-fetch-site': 'same-site', origin: 'https://other.app.example.com' }],
    ['a frame without an origin', { 'sec-fetch-site': 'cross-site', origin: 'null' }],
    ['a frame without an origin, in an old browser', { origin: 'null' }],
  ];

  it.each(foreign)('from %s is refused with 403, and its handler does not run', async (_name, headers) => {
    const before = orders;
    await expectRefused(await post('/orders', headers));
    expect(orders).toBe(before);
  });

  it.each(foreign)('from %s logs nobody out', async (_name, headers) => {
    await expectRefused(await post('/logout', headers));
    expect((await alice.get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(200);
  });

  it('is refused before anybody asks who is logged in: with 403 also for strangers', async () => {
    await expectRefused(await post('/orders', { 'sec-fetch-site': 'cross-site' }, ''));
  });

  it('is shown to a person as a page', async () => {
    const page = await alice.post(`${app.baseUrl}/orders`, {}, { from: 'https://evil.example', headers: { Cookie: alice.cookies.header(new URL(app.baseUrl), 'strict')! } });
    expect([page.status, page.headers['content-type']]).toEqual([403, 'text/html; charset=utf-8']);
    expect(page.text).toContain('came from another site');
  });

  it.each<[string, Record<string, string | undefined>]>([
    ['the app itself', { 'sec-fetch-site': 'same-origin' }],
    ['a trusted origin', { 'sec-fetch-site': 'same-site', origin: trusted }],
    ['a trusted origin, in an old browser', { origin: trusted }],
    ['a client that has the cookie and sends neither header', {}],
  ])('from %s runs', async (_name, headers) => {
    const before = orders;
    expect((await post('/orders', headers)).status).toBe(201);
    expect(orders).toBe(before + 1);
  });

  it('from the app itself, in an old browser, runs', async () => {
    expect((await post('/orders', { origin: app.baseUrl })).status).toBe(201);
  });

  it('from a stranger without either header is a matter of the login alone', async () => {
    expect((await post('/orders', {}, '')).status).toBe(401);
  });

  it('on a route without a guard is the app\'s business', async () => {
    expect((await post('/unguarded', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).status).toBe(201);
  });

  it('from a trusted origin logs out', async () => {
    const bob = await world.loggedIn(app, 'bob');
    const answer = await post('/logout', { 'sec-fetch-site': 'same-site', origin: trusted }, bob.cookies.header(new URL(app.baseUrl), 'strict'));
    expect(answer.status).toBe(303);
    expect((await bob.get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(401);
  });

  it('a GET from another site is a visit like another', async () => {
    expect((await createBrowser().get(`${app.baseUrl}/private`, { from: 'https://evil.example', follow: false })).status).toBe(302);
    expect((await alice.get(`${app.baseUrl}/private`, { from: 'https://evil.example' })).status).toBe(200);
  });
});
