/** `routes.session`: who is logged in and until when, for scripts. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBrowser, type Browser, type Page, type RequestOptions } from '../support/browser.js';
import { frameworks, type TestApp } from '../support/apps.js';
import { startFaultWorld, type FaultWorld } from '../support/fault-world.js';
import { sendJson } from '../support/http.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world.close());

const look = (app: TestApp, browser: Browser, query = '', options: RequestOptions = {}): Promise<Page> =>
  browser.request(`${app.baseUrl}/me${query}`, { navigate: false, ...options });

/** How long the only session in Redis would last. */
async function idleLeft(): Promise<number> {
  const [key, ...others] = await world.client.keys('ecf:s:*');
  expect(others).toEqual([]);
  return world.client.ttl(key!);
}

async function loggedInAlone(app: TestApp): Promise<Browser> {
  await world.client.flushall();
  return world.loggedIn(app);
}

describe.each(frameworks)('on %s', (framework) => {
  let app: TestApp;
  beforeAll(async () => {
    const posted = { method: 'POST', path: '/me', handlers: [(_req: unknown, res: Parameters<typeof sendJson>[0]) => sendJson(res, 200, { posted: true })] } as const;
    app = await world.app(framework, { routes: [posted], options: { routes: { session: '/me' }, session: { idleTimeoutSeconds: 1000, absoluteTimeoutSeconds: 5000 } } });
  });

  it('tells who is logged in, and when that ends', async () => {
    const browser = await loggedInAlone(app);
    const page = await look(app, browser);
    const now = Date.now() / 1000;
    const body = page.json();
    expect([page.status, page.setCookies]).toEqual([200, []]);
    expect(page.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', vary: 'Cookie', 'x-content-type-options': 'nosniff' });
    expect(body).toMatchObject({ authenticated: true, subject: 'alice', provider: 'default', claims: { name: 'Alice', email: expect.any(String) } });
    expect([body.expiresAt - body.loginAt, Math.abs(body.idleExpiresAt - now - 1000) < 5, body.secondsLeft > 995]).toEqual([5000, true, true]);
    // Claims of the protocol are nobody's business in the page, and a token is not there to be told.
    expect(Object.keys(body.claims)).not.toEqual(expect.arrayContaining(['sid']));
    expect(Object.keys(body).sort()).toEqual(['authenticated', 'claims', 'expiresAt', 'idleExpiresAt', 'loginAt', 'provider', 'secondsLeft', 'subject']);
  });

  it('tells that nobody is', async () => {
    const ended = await loggedInAlone(app);
    await world.client.flushall();
    for (const browser of [createBrowser(), ended]) {
      for (const query of ['', '?renew=false']) {
        const page = await look(app, browser, query);
        expect([page.status, page.setCookies, page.json()]).toEqual([200, [], { authenticated: false }]);
      }
    }
  });

  it('answers HEAD without a body, and leaves other methods to the app', async () => {
    const browser = await loggedInAlone(app);
    const head = await look(app, browser, '', { method: 'HEAD' });
    expect([head.status, head.text, head.headers['cache-control']]).toEqual([200, '', 'no-store']);
    expect((await look(app, browser, '', { method: 'POST' })).json()).toEqual({ posted: true });
  });

  it('C17: renews the idle time as any request does, but not when asked not to', async () => {
    const browser = await loggedInAlone(app);
    const [key] = await world.client.keys('ecf:s:*');
    await world.client.expire(key!, 500);
    const left = await look(app, browser, '?renew=false');
    expect([left.json().secondsLeft <= 500, left.json().secondsLeft > 490, (await idleLeft()) <= 500]).toEqual([true, true, true]);
    expect((await look(app, browser, '?renew=false', { method: 'HEAD' })).status).toBe(200);
    expect(await idleLeft()).toBeLessThanOrEqual(500);
    await look(app, browser);
    expect(await idleLeft()).toBeGreaterThan(990);
  });
});

it('answers 503 while Redis cannot tell, renewing or not', async () => {
  const app = await world.fresh({ routes: { session: '/me' } });
  const browser = await world.loggedIn(app);
  world.proxy.refuse();
  const answers = await Promise.all(['', '?renew=false'].map((query) => look(app, browser, query)));
  world.proxy.resume();
  for (const page of answers) {
    expect([page.status, page.setCookies, page.json().code]).toEqual([503, [], expect.stringMatching(/^ERR_CODE_FLOW_STORE_/)]);
    expect(page.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': expect.any(String), 'cache-control': 'no-store' });
  }
});

it('serves the memory store too, and the claims that the app names', async () => {
  const app = await world.app('express5', { options: { redis: undefined, routes: { session: '/me' }, sessionClaims: ['sub', 'name', '__proto__', 'no such'], session: { idleTimeoutSeconds: 100 } } });
  const browser = await world.loggedIn(app);
  for (const query of ['', '?renew=false']) {
    const { claims, secondsLeft } = (await look(app, browser, query)).json();
    expect([claims, secondsLeft > 95 && secondsLeft <= 100]).toEqual([{ sub: 'alice', name: 'Alice' }, true]);
  }
});

it('is not there unless it is asked for, and is nowhere to come back to', async () => {
  const [off, on] = [await world.app(), await world.app('express5', { options: { routes: { session: '/me' } } })];
  expect((await look(off, createBrowser())).status).toBe(404);
  const page = await createBrowser({ login: 'alice' }).get(`${on.baseUrl}/login?returnTo=/me`);
  expect(page.url).toBe(`${on.baseUrl}/`);
});
