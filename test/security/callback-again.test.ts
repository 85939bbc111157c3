/** A callback that is visited again: by the back button, by another process of the fleet, by whoever stole the address. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import type { Route, TestApp } from '../support/apps.js';
import { asPage, createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

const baseUrl = 'https://app.example.test';
const steppedUp: Route[] = [
  { method: 'GET', path: '/gold', handlers: [requireAuth({ acr: 'gold' }), ({ oauth }, res) => sendJson(res, 200, oauth.claims)] },
  { method: 'GET', path: '/fresh', handlers: [requireAuth({ maxAgeSeconds: 4 }), ({ oauth }, res) => sendJson(res, 200, oauth.claims)] },
];

let world: World;
let here: TestApp;
let there: TestApp;
beforeAll(async () => {
  world = await startWorld();
  [here, there] = [await world.app('express5', { baseUrl, routes: steppedUp }), await world.app('express4', { baseUrl, routes: steppedUp })];
});
afterAll(() => world.close());

const redeemed = () => world.authorizationServer.tokenRequests.authorization_code;
const at = (app: TestApp, browser = createBrowser()): Browser => {
  const moved = createBrowser({ proxies: { [baseUrl]: app.origin }, login: browser.login! });
  for (const cookie of browser.cookies.all()) moved.cookies.set(cookie);
  return moved;
};

/** Goes the whole way of a login up to the callback, which it does not visit. */
async function toCallback(browser: Browser, path: string): Promise<URL> {
  let next = new URL(baseUrl + path);
  for (;;) {
    const { headers, status } = await browser.get(next, asPage);
    if (headers.location === undefined) throw new Error(`the way to the callback ended with ${status}`);
    next = new URL(headers.location, next);
    if (next.href.startsWith(`${baseUrl}/callback?`)) return next;
  }
}

describe('A12: after a login', () => {
  it('the back button leads to where the user was going, in every process, whether the session still lives or not', async () => {
    const browser = at(here);
    const url = await toCallback(browser, '/login?login_hint=alice&returnTo=/private%3Fpage%3D2');
    const before = redeemed();
    expect((await browser.get(url, asPage)).headers.location).toBe(`${baseUrl}/private?page=2`);
    for (const process of [here, there]) {
      const again = await at(process, browser).get(url, asPage);
      expect([again.status, again.headers.location, again.setCookies]).toEqual([303, `${baseUrl}/private?page=2`, []]);
    }
    await browser.post(`${baseUrl}/session`, {}, { navigate: false });
    expect(redeemed()).toBe(before + 1);
  });

  it('a replay with the same cookies is refused in every process, and no code is redeemed twice', async () => {
    const browser = at(here);
    const url = await toCallback(browser, '/login?login_hint=alice&returnTo=/private');
    const thief = createBrowser();
    for (const cookie of browser.cookies.all()) thief.cookies.set(cookie);
    const before = redeemed();
    expect((await browser.get(url, asPage)).status).toBe(303);
    for (const process of [there, here]) {
      const replayed = await at(process, thief).get(url, asPage);
      expect([replayed.status, replayed.setCookies]).toEqual([400, []]);
      expect(replayed.text).toContain('ERR_CODE_FLOW_LOGIN_USED');
    }
    expect(redeemed()).toBe(before + 1);
    expect((await at(there, browser).get(`${baseUrl}/private`, { navigate: false })).status).toBe(200);
  });

  it('that two processes finish at once there is one', async () => {
    const browser = at(here);
    const url = await toCallback(browser, '/login?login_hint=alice&returnTo=/private');
    const before = redeemed();
    const answers = await Promise.all([at(here, browser).get(url, asPage), at(there, browser).get(url, asPage)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400]);
    expect(redeemed()).toBe(before + 1);
  });

  it('A11: what comes back without a code writes nothing, and can be visited again', async () => {
    const browser = at(here);
    const url = await toCallback(browser, '/login?login_hint=alice');
    const added = await world.redis.addedKeys();
    const refused = new URL(url);
    refused.searchParams.delete('code');
    refused.searchParams.set('error', 'access_denied');
    expect((await browser.get(refused, asPage)).text).toContain('ERR_CODE_FLOW_LOGIN_REFUSED');
    expect(await added()).toEqual([]);
  });
});

describe('a step-up', () => {
  it('that comes back as another user fails; her tokens are taken back, and the login goes on as it was', async () => {
    const browser = at(here, createBrowser({ login: 'alice' }));
    await browser.get(`${baseUrl}/private`);
    const session = browser.cookies.get('__Host-session')!.value;
    const { revocations } = world.authorizationServer.counters;
    world.authorizationServer.settings.account = 'mallory';
    for (const { name } of browser.cookies.all('127.0.0.1')) browser.cookies.delete(name);
    const page = await browser.get(`${baseUrl}/gold`);
    world.authorizationServer.settings.account = undefined;
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_SUBJECT_MISMATCH')]);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    expect((await browser.get(`${baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    expect(browser.cookies.get('__Host-session')!.value).toBe(session);
  });

  it('that is not as strong as was asked for fails, and takes nothing back: the same user\'s live tokens might go too', async () => {
    const browser = at(here, createBrowser({ login: 'alice' }));
    await browser.get(`${baseUrl}/private`);
    const { revocations } = world.authorizationServer.counters;
    const page = await browser.get(`${baseUrl}/gold`);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_ACR_NOT_MET')]);
    expect(world.authorizationServer.counters.revocations).toBe(revocations);
    expect((await browser.get(`${baseUrl}/private`, { navigate: false })).status).toBe(200);
  });

  it('that is not as strong, when its login has ended meanwhile, takes its tokens back', async () => {
    const browser = at(here, createBrowser({ login: 'alice' }));
    await browser.get(`${baseUrl}/private`);
    const url = await toCallback(browser, '/gold');
    browser.cookies.delete('__Host-session');
    const { revocations } = world.authorizationServer.counters;
    expect((await browser.get(url, asPage)).text).toContain('ERR_CODE_FLOW_ACR_NOT_MET');
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
  });

  it('C1: makes a new session, and the old id is dead', async () => {
    const browser = at(here, createBrowser({ login: 'alice' }));
    await browser.get(`${baseUrl}/private`);
    const old = browser.cookies.get('__Host-session')!.value;
    await new Promise((resolve) => setTimeout(resolve, 5100)); // past maxAgeSeconds, which counts whole seconds
    expect((await browser.get(`${baseUrl}/fresh`)).json()).toMatchObject({ sub: 'alice' });
    expect(browser.cookies.get('__Host-session')!.value).not.toBe(old);
    const dead = await at(there).get(`${baseUrl}/private`, { navigate: false, headers: { Cookie: `__Host-session=${old}` } });
    expect(dead.status).toBe(401);
  });
});
