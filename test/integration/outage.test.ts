/** The authorization server or Redis is down, slow or frozen: answers stay bounded and honest, nobody is signed out, and all heals by itself. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { StoreError } from '../../lib/index.js';
import { frameworks, type Handler, type Route, type TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser, type Page, type RequestOptions } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { sendJson } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';

const redisTimeoutSeconds = 0.3;
const httpTimeoutSeconds = 0.6;
/** For a machine that is busy with other tests. */
const marginSeconds = 1.5;

const isSession = (line: string): boolean => line.startsWith('session=');

/** A handler that has read its session tells so, and goes on when the test says. */
let arrived = gate();
let mayGoOn = gate();

function slowly(method: Route['method'], path: string, handler: Handler): Route {
  const wait: Handler = async (_req, _res, next) => {
    arrived.open();
    await mayGoOn.opened;
    next();
  };
  return { method, path, handlers: [wait, handler] };
}

const slowRoutes = (apiUrl: string): Route[] => [
  slowly('POST', '/slow-logout', ({ oauth }) => oauth.logout()),
  slowly('GET', '/slow-write', ({ session, oauth }, res) => {
    session.counter = 1;
    sendJson(res, 200, { isAuthenticated: oauth.isAuthenticated });
  }),
  slowly('GET', '/slow-call', async ({ oauth, oauthFetch }, res) => {
    const outcome = await oauthFetch(`${apiUrl}whoami`).then(({ status }) => status, (error: unknown) => error instanceof StoreError && [error.status, error.code]);
    sendJson(res, 200, { subject: oauth.subject, outcome });
  }),
];

/** Bounded in time, with a time to come back, without a cookie or a redirect. */
async function expectUnavailable(ask: () => Promise<Page>, expected: { status: number; codes: readonly string[]; withinSeconds: number; html: boolean }): Promise<Page> {
  const start = performance.now();
  const answer = await ask();
  expect((performance.now() - start) / 1000).toBeLessThan(expected.withinSeconds + marginSeconds);
  expect(answer.status).toBe(expected.status);
  expect(expected.codes.filter((code) => answer.text.includes(code))).toHaveLength(1);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect([answer.headers.location, answer.setCookies.filter(isSession), answer.headers['cache-control']]).toEqual([undefined, [], 'no-store']);
  expect(answer.headers['content-type']).toBe(expected.html ? 'text/html; charset=utf-8' : 'application/problem+json');
  return answer;
}

describe.each(frameworks)('on %s', (framework) => {
  let world: World;
  let app: TestApp;
  let alice: Browser;
  beforeAll(async () => {
    world = await startWorld({ account: 'alice' });
    app = await start();
    alice = await world.loggedIn(app);
  });
  afterAll(() => world.close());
  afterEach(() => {
    world.authorizationServer.plan.length = 0;
    world.authorizationServer.intercept = undefined;
    [arrived, mayGoOn] = [gate(), gate()];
  });

  const start = (options = {}): Promise<TestApp> =>
    world.app(framework, { routes: slowRoutes(world.api.url), options: { redisTimeoutSeconds, httpTimeoutSeconds, ...options } });

  const stillLoggedIn = async (browser = alice, at = app): Promise<void> => {
    expect((await browser.get(`${at.baseUrl}/private`, asScript)).json()).toMatchObject({ sub: 'alice' });
  };

  /** Goes the whole way of a login up to the callback, which it does not visit. */
  async function toCallback(browser: Browser): Promise<URL> {
    let next = new URL(`${app.baseUrl}/login?returnTo=/private`);
    while (!next.href.startsWith(`${app.baseUrl}/callback?`)) next = new URL((await browser.get(next, asPage)).headers.location!, next);
    return next;
  }

  describe('the authorization server', () => {
    const down = { status: 503, codes: ['ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'], withinSeconds: httpTimeoutSeconds };
    const slow = { ...down, status: 504, codes: ['ERR_CODE_FLOW_PROVIDER_TIMEOUT'] };

    let isDown = false;
    async function stop(): Promise<void> {
      await world.authorizationServer.stop();
      isDown = true;
    }
    async function revive(): Promise<void> {
      if (isDown) await world.authorizationServer.restart();
      isDown = false;
    }
    afterEach(revive); // after a test that failed half-way

    it('FAULTS 25, J1: down when the app starts: a login gets 503, who is logged in stays so, and it works as soon as the server is back', async () => {
      await stop();
      const cold = await start();
      const browser = createBrowser();
      await expectUnavailable(() => browser.get(`${cold.baseUrl}/login`, asPage), { ...down, html: true });
      // During the back-off nobody asks again, so many at once are as quick.
      const answers = await Promise.all(Array.from({ length: 20 }, () => browser.get(`${cold.baseUrl}/login`, asPage)));
      for (const answer of answers) expect([answer.status, answer.headers['retry-after'] === undefined, answer.setCookies]).toEqual([503, false, []]);
      expect((await browser.get(`${cold.baseUrl}/public`)).status).toBe(200);
      expect((await browser.get(`${cold.baseUrl}/private`, asScript)).status).toBe(401);
      await stillLoggedIn(alice, cold);
      await stillLoggedIn();
      await revive();
      await eventually(async () => (await browser.get(`${cold.baseUrl}/private`)).status === 200);
      expect(cold.errors).toEqual([]);
    });

    it('FAULTS 25: silent when the app starts: 504 in time', async () => {
      const hang = gate();
      world.authorizationServer.intercept = async () => {
        await hang.opened;
        return false;
      };
      const cold = await start();
      await expectUnavailable(() => createBrowser().get(`${cold.baseUrl}/login`, asPage), { ...slow, html: true });
      await stillLoggedIn(alice, cold);
      hang.open();
      await eventually(async () => (await createBrowser().get(`${cold.baseUrl}/private`)).status === 200);
    });

    it('FAULTS 27: its token endpoint fails in the callback: 503, no session, one token call', async () => {
      for (const [options, html] of [[asPage, true], [asScript, false]] as const) {
        const browser = createBrowser();
        const url = await toCallback(browser);
        const before = world.authorizationServer.tokenRequests.authorization_code;
        world.authorizationServer.plan.push({ grantType: 'authorization_code', status: 503 });
        const answer = await expectUnavailable(() => browser.get(url, options), { ...down, html });
        if (html) expect(answer.text).toContain(`href="${app.baseUrl}/login"`);
        expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 1);
        expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
        // The code may be spent: nobody tries it again, a new login does.
        expect((await browser.get(url, asPage)).text).toContain('ERR_CODE_FLOW_LOGIN_USED');
        expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
        expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 2);
      }
      await stillLoggedIn();
    });

    it('FAULTS 27: its token endpoint hangs up in the callback: likewise', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const before = world.authorizationServer.tokenRequests.authorization_code;
      world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: 'reset' });
      await expectUnavailable(() => browser.get(url, asPage), { ...down, html: true });
      expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 1);
    });

    it('FAULTS 27: it goes away between the login and the callback: likewise', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      await stop();
      await expectUnavailable(() => browser.get(url, asPage), { ...down, html: true });
      await stillLoggedIn();
      await revive();
    });

    it('FAULTS 39: its token endpoint is too slow in the callback: a page with 504, no session', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const hang = gate();
      const before = world.authorizationServer.tokenRequests.authorization_code;
      world.authorizationServer.plan.push({ grantType: 'authorization_code', until: hang.opened });
      const answer = await expectUnavailable(() => browser.get(url, asPage), { ...slow, html: true });
      hang.open();
      expect(answer.text).toContain(`href="${app.baseUrl}/login"`);
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
      expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 1);
    });

    it('H1: its revocation endpoint is silent: the user is signed out all the same, in time', async () => {
      const browser = await world.loggedIn(app);
      const hang = gate();
      world.authorizationServer.intercept = async (req) => {
        if (req.url === '/token/revocation') await hang.opened;
        return false;
      };
      const begin = performance.now();
      const answer = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
      expect((performance.now() - begin) / 1000).toBeLessThan(httpTimeoutSeconds + marginSeconds);
      hang.open();
      expect([answer.status, answer.setCookies.filter(isSession).length]).toEqual([303, 1]);
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    });
  });

  describe('Redis', () => {
    const unknown = { status: 503, codes: ['ERR_CODE_FLOW_STORE_UNAVAILABLE', 'ERR_CODE_FLOW_STORE_TIMEOUT'], withinSeconds: redisTimeoutSeconds };

    let isDown = false;
    async function revive(): Promise<void> {
      if (isDown) await world.redis.restart();
      isDown = false;
    }
    afterEach(async () => {
      await revive(); // after a test that failed half-way
      await eventually(async () => (await alice.get(`${app.baseUrl}/private`, asScript)).status === 200);
    });

    /** What everybody sees while Redis cannot be asked. All at once: none waits for another. */
    async function expectOutage(at = app): Promise<void> {
      const withSession = ([path, html]: readonly [string, boolean]): Promise<unknown> =>
        expectUnavailable(() => alice.get(at.baseUrl + path, html ? asPage : asScript), { ...unknown, html });
      const notSignedOut = { ...unknown, codes: ['ERR_CODE_FLOW_LOGOUT_INCOMPLETE'], html: true };
      const anonymous = async (path: string, options: RequestOptions, status: number): Promise<void> => {
        expect((await createBrowser().get(at.baseUrl + path, options)).status).toBe(status);
      };
      await Promise.all([
        // G3: whoever asks on a route without a guard is not told that nobody is there either.
        ...([['/private', true], ['/private', false], ['/api', false], ['/', true], ['/', false], ['/session', false]] as const).map(withSession),
        expectUnavailable(() => alice.post(`${at.baseUrl}/logout`, {}, { follow: false }), notSignedOut),
        alice.get(`${at.baseUrl}/public`).then((answer) => expect([answer.status, answer.setCookies]).toEqual([200, []])),
        anonymous('/private', asPage, 302),
        anonymous('/private', asScript, 401),
        anonymous('/public', asPage, 200),
        anonymous('/login', asPage, 302),
      ]);
    }

    async function asAdministrator(act: (redis: Redis) => Promise<unknown>): Promise<void> {
      const redis = world.redis.client({ disconnectTimeout: 1 }); // its timer would hold up the end of the tests
      await act(redis);
      redis.disconnect();
    }

    /** Redis comes back with what it held: it is without persistence otherwise. */
    async function killWithDump(): Promise<void> {
      await asAdministrator((redis) => redis.save());
      await world.redis.kill();
      isDown = true;
    }

    it('FAULTS 2, 3, H2: killed: whoever has a session gets 503, everybody else what they always get; nobody is signed out by it', async () => {
      const cookie = alice.cookies.get('session');
      const problems: unknown[] = [];
      app.auth.on('store.failed', (detail) => problems.push(detail));
      await killWithDump();
      await expectOutage();
      await revive();
      await eventually(async () => (await alice.get(`${app.baseUrl}/private`, asScript)).status === 200);
      expect(alice.cookies.get('session')).toEqual(cookie);
      expect((await alice.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
      expect(problems).not.toHaveLength(0);
      expect(app.errors).toEqual([]);
    });

    it('FAULTS 9: frozen: likewise, within the deadline, and the old commands do no harm when it thaws', async () => {
      process.kill(world.redis.pid, 'SIGSTOP');
      try {
        await expectOutage();
      } finally {
        process.kill(world.redis.pid, 'SIGCONT');
      }
      await eventually(async () => (await alice.get(`${app.baseUrl}/private`, asScript)).status === 200);
      expect((await alice.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
      expect(app.errors).toEqual([]);
    });

    it('FAULTS 1: down when the app starts: likewise, and it works as soon as Redis is there', async () => {
      await killWithDump();
      const cold = await start();
      await expectOutage(cold);
      await revive();
      await eventually(async () => (await alice.get(`${cold.baseUrl}/private`, asScript)).status === 200);
      expect((await alice.get(`${cold.baseUrl}/api`, asScript)).status).toBe(200);
    });

    it('FAULTS 21: emptied: everybody logs in again, and the scripts load by themselves', async () => {
      const browser = await world.loggedIn(app);
      await asAdministrator(async (redis) => {
        await redis.script('FLUSH');
        await redis.flushall();
      });
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
      alice = await world.loggedIn(app);
      expect((await alice.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
    });

    it('FAULTS 6, C5: dies between the code exchange and the storing: 503, no session, and the refresh token is revoked', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const { revocations } = world.authorizationServer.counters;
      const processed = gate();
      world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: processed.opened });
      const requested = world.authorizationServer.tokenEndpoint.nextRequest();
      const answer = expectUnavailable(() => browser.get(url, asPage), { ...unknown, withinSeconds: 3 * redisTimeoutSeconds, html: true });
      await requested;
      await killWithDump();
      processed.open();
      expect((await answer).text).toContain(`href="${app.baseUrl}/login"`);
      expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
      await revive();
      await eventually(async () => (await alice.get(`${app.baseUrl}/private`, asScript)).status === 200);
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
      expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    });

    it('FAULTS 24, H2: dies during a logout: "not signed out yet", which is true, and later it works', async () => {
      const browser = await world.loggedIn(app);
      const answer = expectUnavailable(
        () => browser.post(`${app.baseUrl}/slow-logout`, {}, { follow: false }),
        { status: 503, codes: ['ERR_CODE_FLOW_LOGOUT_INCOMPLETE'], withinSeconds: 5, html: true },
      );
      await arrived.opened;
      await killWithDump();
      mayGoOn.open();
      expect((await answer).setCookies).toEqual([]);
      await revive();
      await eventually(async () => (await browser.get(`${app.baseUrl}/private`, asScript)).status === 200);
      const again = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
      expect([again.status, again.setCookies.filter(isSession).length]).toEqual([303, 1]);
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    });

    it('FAULTS 11, 14, H2: reads, but takes no writes: whoever is logged in goes on, a logout is not claimed', async () => {
      const browser = await world.loggedIn(app);
      await asAdministrator((redis) => redis.config('SET', 'min-replicas-to-write', '1'));
      try {
        await stillLoggedIn(browser);
        expect((await browser.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
        const logout = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
        expect([logout.status, logout.setCookies]).toEqual([503, []]);
        expect(logout.text).toContain('ERR_CODE_FLOW_LOGOUT_INCOMPLETE');
        await stillLoggedIn(browser);
        const newcomer = createBrowser();
        const url = await toCallback(newcomer);
        await expectUnavailable(() => newcomer.get(url, asPage), { ...unknown, withinSeconds: 3 * redisTimeoutSeconds, html: true });
      } finally {
        await asAdministrator((redis) => redis.config('SET', 'min-replicas-to-write', '0'));
      }
      expect((await browser.post(`${app.baseUrl}/logout`, {}, { follow: false })).status).toBe(303);
    });

    it('FAULTS 4: dies between the reading of the session and the handler: the user is known, and no call goes out without a token', async () => {
      const cold = await start(); // holds no token yet
      const calls = world.api.calls.length;
      const answer = alice.get(`${cold.baseUrl}/slow-call`, asScript);
      await arrived.opened;
      await killWithDump();
      mayGoOn.open();
      const { subject, outcome } = (await answer).json();
      expect([subject, outcome[0], world.api.calls.length]).toEqual(['alice', 503, calls]);
      expect(unknown.codes).toContain(outcome[1]);
      await revive();
    });

    it('FAULTS 4: likewise, and a token that this process knows to be good is still of use', async () => {
      expect((await alice.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
      const answer = alice.get(`${app.baseUrl}/slow-call`, asScript);
      await arrived.opened;
      await killWithDump();
      mayGoOn.open();
      expect((await answer).json()).toEqual({ subject: 'alice', outcome: 200 });
      await revive();
    });

    it('FAULTS 5: dies before the app\'s session is saved: the answer stands', async () => {
      const answer = alice.get(`${app.baseUrl}/slow-write`, asScript);
      await arrived.opened;
      await killWithDump();
      mayGoOn.open();
      expect((await answer).json()).toEqual({ isAuthenticated: true });
      await revive();
      expect(app.errors).toEqual([]);
    });
  });
});
