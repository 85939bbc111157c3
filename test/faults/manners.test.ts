/** Rows of FAULTS.md that the outages leave open, on each framework: a slow, full or strange Redis, keys that change, users in a hurry. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { exportJWK, generateKeyPair } from 'jose';
import { frameworks, type Route, type TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser, type Page } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { sendJson } from '../support/http.js';
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { startWorld, type World } from '../support/world.js';

const redisTimeoutSeconds = 0.4;
/** For a machine that is busy with other tests. */
const marginSeconds = 1.5;

const disconnect: Route = {
  method: 'GET',
  path: '/disconnect',
  // As stores do that watch their connection: express-session then leaves out req.session.
  handlers: [(req, res) => sendJson(res, 200, { told: (req as unknown as { sessionStore: NodeJS.EventEmitter }).sessionStore.emit('disconnect') })],
};

describe.each(frameworks)('on %s', (framework) => {
  let world: World;
  let proxy: RedisProxy;
  let app: TestApp;
  let alice: Browser;
  let admin: Redis;
  beforeAll(async () => {
    world = await startWorld({ account: 'alice' });
    admin = world.redis.client({ disconnectTimeout: 1 }); // its timer would hold up the end of the tests
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>first', '~*', '+@all');
    proxy = await startRedisProxy(world.redis.port);
    app = await start();
    alice = await world.loggedIn(app);
  });
  afterAll(async () => {
    admin.disconnect();
    await world.close();
    await proxy.stop();
  });
  afterEach(() => {
    proxy.delayMs = 0;
  });

  const start = (routes: Route[] = [disconnect]): Promise<TestApp> =>
    world.app(framework, { routes, options: { redis: proxy.url.replace('//', '//app:first@'), redisTimeoutSeconds } });

  const stillLoggedIn = async (browser = alice): Promise<void> => {
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).json()).toMatchObject({ sub: 'alice' });
  };
  const comesBack = (browser = alice): Promise<unknown> => eventually(async () => (await browser.get(`${app.baseUrl}/private`, asScript)).status === 200);

  async function toCallback(browser: Browser): Promise<URL> {
    let next = new URL(`${app.baseUrl}/login?returnTo=/private`);
    while (!next.href.startsWith(`${app.baseUrl}/callback?`)) next = new URL((await browser.get(next, asPage)).headers.location!, next);
    return next;
  }

  /** 503, bounded in time, with nothing in it but what it may hold (I3): no cookie, no redirect, no word of the cause. */
  async function expectUnavailable(ask: () => Promise<Page>, withinSeconds: number): Promise<void> {
    const begin = performance.now();
    const answer = await ask();
    expect((performance.now() - begin) / 1000).toBeLessThan(withinSeconds + marginSeconds);
    expect([answer.status, answer.headers.location, answer.setCookies.filter((line) => line.startsWith('session='))]).toEqual([503, undefined, []]);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules|ioredis|ECONN|WRONGPASS|OOM/);
    if (!answer.headers['content-type']!.includes('json')) return;
    expect(Object.keys(answer.json()).sort()).toEqual(['code', 'correlationId', 'detail', 'status', 'title']);
  }

  it('FAULTS 8: a slow Redis slows everything down and breaks nothing: a login, a call, a logout', async () => {
    proxy.delayMs = 150;
    const browser = await world.loggedIn(app);
    expect((await browser.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
    const logout = await browser.post(`${app.baseUrl}/logout`, {}, asPage);
    expect([logout.status, logout.setCookies.filter((line) => line.startsWith('session=')).length]).toEqual([303, 1]);
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
  });

  it('FAULTS 9: it hangs in a callback and in a logout: 503 in time, nothing half done', async () => {
    const newcomer = createBrowser();
    const url = await toCallback(newcomer);
    proxy.freeze();
    try {
      await Promise.all([
        expectUnavailable(() => newcomer.get(url, asPage), 3 * redisTimeoutSeconds + 1),
        expectUnavailable(() => alice.post(`${app.baseUrl}/logout`, {}, asPage), redisTimeoutSeconds),
        expectUnavailable(() => alice.get(`${app.baseUrl}/private-token`, asScript), redisTimeoutSeconds),
      ]);
    } finally {
      proxy.resume();
    }
    await comesBack();
    expect((await newcomer.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    expect((await newcomer.get(`${app.baseUrl}/private`)).status).toBe(200);
  });

  it('FAULTS 14: it is full: who is logged in goes on and may log out, nobody else gets in by half', async () => {
    const [leaving, newcomer] = [await world.loggedIn(app), createBrowser()];
    const url = await toCallback(newcomer);
    await admin.config('SET', 'maxmemory', '1');
    try {
      await stillLoggedIn();
      expect((await alice.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
      await expectUnavailable(() => newcomer.get(url, asPage), 3 * redisTimeoutSeconds);
      expect((await newcomer.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
      expect((await leaving.post(`${app.baseUrl}/logout`, {}, asPage)).status).toBe(303);
      expect((await leaving.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
    expect((await newcomer.get(`${app.baseUrl}/private`)).status).toBe(200);
  });

  it('FAULTS 15: the password was changed: 503, told once as a problem, and nobody is signed out', async () => {
    const problems: unknown[] = [];
    app.auth.on('configuration.problem', (problem) => problems.push(problem));
    await admin.call('ACL', 'SETUSER', 'app', 'resetpass', '>second');
    await admin.call('CLIENT', 'KILL', 'USER', 'app');
    try {
      for (const [path, options] of [['/private', asPage], ['/private', asScript], ['/api', asScript], ['/', asScript]] as const) {
        await expectUnavailable(() => alice.get(app.baseUrl + path, options), redisTimeoutSeconds);
      }
      await expectUnavailable(() => alice.post(`${app.baseUrl}/logout`, {}, asPage), redisTimeoutSeconds);
      expect((await createBrowser().get(`${app.baseUrl}/private`, asPage)).status).toBe(302);
      expect((await alice.get(`${app.baseUrl}/public`)).status).toBe(200);
    } finally {
      await admin.call('ACL', 'SETUSER', 'app', '>first');
    }
    await comesBack();
    expect(problems).toEqual([{ code: 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE', message: expect.stringContaining('refuses the user name or password') }]);
  });

  it("FAULTS 23, G3: the app's session store says that it is disconnected: who is logged in stays so, and is not taken for nobody", async () => {
    const cold = await start();
    const browser = await world.loggedIn(cold);
    await browser.get(`${cold.baseUrl}/disconnect`, asScript);
    expect((await browser.get(`${cold.baseUrl}/private`, asScript)).status).toBe(200);
    proxy.refuse();
    try {
      await expectUnavailable(() => browser.get(`${cold.baseUrl}/private`, asScript), redisTimeoutSeconds);
    } finally {
      proxy.resume();
    }
    await comesBack();
  });

  it('FAULTS 41: the signing key changes while a login is under way: the keys are asked for once more, and nobody notices', async () => {
    const [first, second] = [createBrowser(), createBrowser()];
    const url = await toCallback(first);
    const { signingKeys } = world.authorizationServer;
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    await world.authorizationServer.stop();
    world.authorizationServer.signingKeys = [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256' }, ...signingKeys];
    await world.authorizationServer.restart();
    const { jwks } = world.authorizationServer.counters;
    expect((await first.get(url)).json()).toMatchObject({ sub: 'alice' });
    expect((await second.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    expect(world.authorizationServer.counters.jwks).toBeLessThanOrEqual(jwks + 1);
    await stillLoggedIn();
  });

  it('FAULTS 52, H8: two logouts at once, and a third: each ends at a page, nobody is logged in', async () => {
    const browser = await world.loggedIn(app);
    const cookie = browser.cookies.header(new URL(app.baseUrl), 'strict')!;
    const { revocations } = world.authorizationServer.counters;
    const logout = (): Promise<Page> => createBrowser().post(`${app.baseUrl}/logout`, {}, { ...asPage, headers: { Cookie: cookie } });
    const answers = [...(await Promise.all([logout(), logout()])), await logout()];
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303]);
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
  });

  it('G9: none of this came through to the app as an error', () => {
    expect(app.errors).toEqual([]);
  });
});
