/** Expired tokens are renewed once, unnoticed, across processes; only the user or a refusal ends a login. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startAppProcess } from '../support/app-process.js';
import { invalidToken } from '../support/api-server.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await startWorld({ accessTokenTtl: 1 });
  app = await world.app();
});
afterAll(() => world.close());
afterEach(() => {
  world.authorizationServer.settings.accessTokenTtl = 1;
  world.authorizationServer.plan.length = 0;
  world.api.plan.length = 0;
});

const refreshes = (): number => world.authorizationServer.tokenRequests.refresh_token;
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const callApi = (browser: Browser, origin = app.baseUrl) => browser.get(`${origin}/api`, { navigate: false });

/** By the API's word, not by a clock of ours: the token of the first call has to be refused there. */
async function expiredLogin(): Promise<Browser> {
  const browser = await world.loggedIn(app);
  const { exp } = (await callApi(browser)).json() as { exp: number };
  while (Date.now() / 1000 <= exp) await pause();
  world.authorizationServer.settings.accessTokenTtl = 60;
  return browser;
}

describe('an expired access token', () => {
  it('E13: is renewed without the user or the handler noticing', async () => {
    const browser = await expiredLogin();
    const [before, authorizations] = [refreshes(), world.authorizationServer.counters.authorizations];
    const answer = await callApi(browser);
    expect([answer.status, answer.json().sub]).toEqual([200, 'alice']);
    expect(refreshes()).toBe(before + 1);
    expect(world.authorizationServer.counters.authorizations).toBe(authorizations);
    expect(world.api.calls.at(-1)).toMatchObject({ token: 'valid' });
    await callApi(browser);
    expect(refreshes()).toBe(before + 1);
  });

  it('E1: is renewed once for 50 parallel requests', async () => {
    const browser = await expiredLogin();
    const before = refreshes();
    const answers = await Promise.all(Array.from({ length: 50 }, () => callApi(browser)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(refreshes()).toBe(before + 1);
    expect(new Set(answers.map((answer) => answer.json().jti)).size).toBe(1);
  });

  it('E1: is renewed once for 50 parallel requests on two processes', async () => {
    const options = { redis: world.redis.url };
    const start = () => startAppProcess({ authorizationServer: world.authorizationServer, api: world.api, baseUrl: app.baseUrl, options });
    const processes = await Promise.all([start(), start()]);
    try {
      const browser = await expiredLogin();
      const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
      const before = refreshes();
      world.authorizationServer.plan.push({ grantType: 'refresh_token', delayMs: 300 });
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          createBrowser().get(`${processes[index % 2]?.origin}/api`, { navigate: false, headers: { Cookie: cookie } }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      expect(refreshes()).toBe(before + 1);
      expect(new Set(answers.map((answer) => answer.json().jti)).size).toBe(1);
    } finally {
      await Promise.all(processes.map((process) => process.stop()));
    }
  }, 360_000); // it starts two processes

  it('E4, FAULTS 47: is renewed and stored even if the browser that asked went away', async () => {
    const browser = await expiredLogin();
    const before = refreshes();
    let release = (): void => undefined;
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: new Promise<void>((resolve) => (release = resolve)) });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const controller = new AbortController();
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const aborted = fetch(`${app.baseUrl}/api`, { headers: { Cookie: cookie }, signal: controller.signal }).catch(() => 'aborted');
    await arrived;
    controller.abort();
    expect(await aborted).toBe('aborted');
    release();
    expect((await callApi(browser)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });
});

describe('a token that the API refuses', () => {
  it('F6: is renewed once and the request is sent once more', async () => {
    world.authorizationServer.settings.accessTokenTtl = 60;
    const browser = await world.loggedIn(app);
    const [before, calls] = [refreshes(), world.api.calls.length];
    world.api.plan.push(invalidToken);
    expect((await callApi(browser)).status).toBe(200);
    expect([refreshes() - before, world.api.calls.length - calls]).toEqual([1, 2]);
  });

  it('F6: goes to the caller when it is refused again: two calls, one refresh', async () => {
    world.authorizationServer.settings.accessTokenTtl = 60;
    const browser = await world.loggedIn(app);
    const [before, calls] = [refreshes(), world.api.calls.length];
    world.api.plan.push(invalidToken, invalidToken);
    expect((await callApi(browser)).status).toBe(401);
    expect([refreshes() - before, world.api.calls.length - calls]).toEqual([1, 2]);
  });

  it('F7: is renewed once for 40 parallel refusals', async () => {
    world.authorizationServer.settings.accessTokenTtl = 60;
    const browser = await world.loggedIn(app);
    const [before, first] = [refreshes(), (await callApi(browser)).json().jti];
    // Refused is the token of the login alone, and not before all 40 are there with it.
    let arrived = 0;
    let release = (): void => undefined;
    const all = new Promise<void>((resolve) => (release = resolve));
    world.api.plan.push(...Array.from({ length: 40 }, () => ({ ...invalidToken, until: all })));
    const calls = world.api.calls.length;
    const answers = Array.from({ length: 40 }, () => callApi(browser));
    while (arrived < 40) {
      await pause();
      arrived = 40 - world.api.plan.length;
    }
    release();
    const statuses = (await Promise.all(answers)).map((answer) => [answer.status, answer.json().jti === first]);
    expect(statuses).toEqual(Array.from({ length: 40 }, () => [200, false]));
    expect([refreshes() - before, world.api.calls.length - calls]).toEqual([1, 80]);
  });
});

describe('only a refusal ends a login', () => {
  it('E10: a refused refresh token ends it at once', async () => {
    const browser = await expiredLogin();
    world.authorizationServer.revokeGrantsOf('alice');
    const answer = await callApi(browser);
    expect([answer.status, answer.json().code]).toEqual([401, 'ERR_CODE_FLOW_LOGIN_ENDED']);
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: false });
    expect((await browser.get(`${app.baseUrl}/private`, { navigate: false })).json().code).toBe('ERR_CODE_FLOW_LOGIN_REQUIRED');
  });

  it.each([
    ['a 500', { status: 500 }],
    ['a 503', { status: 503 }],
    ['a 429', { status: 429, headers: { 'Retry-After': '1' } }],
    ['a wrong client secret', { status: 401, body: { error: 'invalid_client' } }],
    ['garbage', { status: 200, body: 'garbage' }],
    ['a redirect', { status: 307, headers: { Location: 'http://127.0.0.1:9/' } }],
  ])('E8: %s ends nothing', async (_name, plan) => {
    const browser = await expiredLogin();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', ...plan });
    const answer = await callApi(browser);
    expect([answer.status, answer.json().code]).toEqual([503, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.setCookies).toEqual([]);
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    // E11: during the back-off nobody asks the server again, afterwards one does.
    const before = refreshes();
    expect((await callApi(browser)).status).toBe(503);
    expect(refreshes()).toBe(before);
    let recovered = await callApi(browser);
    while (recovered.status === 503) {
      await pause();
      recovered = await callApi(browser);
    }
    expect(recovered.status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });

  it('the early refresh renews the token while requests go on with the old one', async () => {
    // Whole seconds in a JWT make it end up to one second before the store thinks so: a life of 10 s begins its last fifth well before.
    world.authorizationServer.settings.accessTokenTtl = 10;
    const browser = await world.loggedIn(app);
    world.authorizationServer.settings.accessTokenTtl = 60;
    const [before, calls] = [refreshes(), world.api.calls.length];
    const first = (await callApi(browser)).json().jti;
    let last = first;
    while (last === first) {
      await pause();
      const answer = await callApi(browser);
      expect(answer.status).toBe(200);
      last = answer.json().jti;
    }
    expect(refreshes()).toBe(before + 1);
    expect(world.api.calls.slice(calls).filter(({ token }) => token !== 'valid')).toEqual([]);
  });
});

describe('logout and refresh', () => {
  it('C7, FAULTS 50: a refresh in flight does not bring a logged-out session back, and its token is revoked', async () => {
    const browser = await expiredLogin();
    let release = (): void => undefined;
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: new Promise<void>((resolve) => (release = resolve)) });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const slow = createBrowser().get(`${app.baseUrl}/api`, { navigate: false, headers: { Cookie: cookie } });
    await arrived;
    const { revocations } = world.authorizationServer.counters;
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    release();
    expect((await slow).status).toBe(401);
    expect((await createBrowser().get(`${app.baseUrl}/private`, { navigate: false, headers: { Cookie: cookie } })).status).toBe(401);
    while (world.authorizationServer.counters.revocations < revocations + 1) await pause();
    expect(await world.redis.client().keys('ecf:g:*')).not.toHaveLength(0); // others' grants are still there
  });
});
