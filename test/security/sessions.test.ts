/** What a session promises: into which caches it goes, when it is stored, how long it lives, and what a changed or newer store does to it. */
import { Socket } from 'node:net';
import { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import { createSealer, hashId, randomId } from '../../lib/seal.js';
import { frameworks, testSecret } from '../support/apps.js';
import type { Route, TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser } from '../support/browser.js';
import type { Browser, Page } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { sendJson } from '../support/http.js';
import { startRedisProxy } from '../support/redis-proxy.js';
import type { RedisProxy } from '../support/redis-proxy.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld({ account: 'alice' });
});
afterAll(() => world.close());

const idOf = (browser: Browser): string => decodeURIComponent(browser.cookies.get('session')!.value).slice(2).split('.')[0]!;

describe.each(frameworks)('C13: what a cache may keep, on %s', (framework) => {
  const cached = { 'Cache-Control': 'public, max-age=3600' };
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/writes',
      handlers: [
        ({ session }, res) => {
          session.counter = 1;
          res.setHeader('Vary', 'Accept');
          sendJson(res, 200, {}, cached);
        },
      ],
    },
    { method: 'GET', path: '/reads', handlers: [({ session }, res) => sendJson(res, 200, { counter: session.counter }, cached)] },
    { method: 'GET', path: '/own-rule', handlers: [requireAuth(), (_req, res) => sendJson(res, 200, {}, { 'Cache-Control': 'private, max-age=60' })] },
  ];
  let app: TestApp;
  beforeAll(async () => {
    app = await world.app(framework, { routes });
  });
  const expectPrivate = ({ headers }: Page): void => {
    expect(headers['cache-control']).toBe('no-store');
    expect(headers.vary).toMatch(/(^|, )Cookie$/);
  };

  it('nothing that sets a cookie, also where the app would have it cached', async () => {
    const browser = createBrowser();
    const first = await browser.get(`${app.baseUrl}/writes`, asScript);
    expect(first.setCookies).toHaveLength(1);
    expectPrivate(first);
    expect(first.headers.vary).toBe('Accept, Cookie');
    const login = await browser.get(`${app.baseUrl}/login`, asPage);
    expect(login.setCookies).toHaveLength(1);
    expectPrivate(login);
    let callback = await browser.get(login.headers.location!, asPage);
    while (!callback.url.startsWith(`${app.baseUrl}/callback`)) callback = await browser.get(new URL(callback.headers.location!, callback.url), asPage);
    expect(callback.setCookies).toHaveLength(2);
    expectPrivate(callback);
    const logout = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect(logout.setCookies).toHaveLength(2);
    expectPrivate(logout);
  });

  it('what sets none as the app says, and no cookie comes where nothing changed', async () => {
    const browser = createBrowser();
    await browser.get(`${app.baseUrl}/writes`, asScript);
    for (const path of ['/reads', '/writes']) {
      const { headers, setCookies } = await browser.get(app.baseUrl + path, asScript);
      expect([headers['cache-control'], setCookies]).toEqual(['public, max-age=3600', []]);
    }
  });

  it('nothing of our own routes, and no refusal', async () => {
    const visitor = createBrowser();
    for (const path of ['/private', '/login', '/logout', '/callback', '/callback?state=x&code=y', '/login?provider=x&provider=y']) {
      expectPrivate(await visitor.get(app.baseUrl + path, asPage));
      expectPrivate(await visitor.get(app.baseUrl + path, asScript));
    }
  });

  it('no guarded page, unless the app knows better', async () => {
    const browser = await world.loggedIn(app);
    expectPrivate(await browser.get(`${app.baseUrl}/private`));
    expectPrivate(await browser.get(`${app.baseUrl}/api`, asScript));
    const own = await browser.get(`${app.baseUrl}/own-rule`);
    expect([own.headers['cache-control'], own.headers.vary]).toEqual(['private, max-age=60', 'Cookie']);
    expect((await browser.get(`${app.baseUrl}/public`)).headers['cache-control']).toBeUndefined();
  });
});

describe('a login that cannot be stored is none', () => {
  let proxy: RedisProxy;
  let app: TestApp;
  beforeAll(async () => {
    proxy = await startRedisProxy(world.redis.port);
    app = await world.app('express5', { options: { redis: proxy.url } });
  });
  afterAll(() => proxy.stop());
  const redeemed = () => world.authorizationServer.tokenRequests.authorization_code;
  const grants = async () => (await world.redis.client().keys('ecf:g:*')).sort();

  async function toCallback(browser: Browser): Promise<URL> {
    let page = await browser.get(`${app.baseUrl}/login?returnTo=/private`, asPage);
    while (!page.headers.location!.startsWith(`${app.baseUrl}/callback`)) page = await browser.get(new URL(page.headers.location!, page.url), asPage);
    return new URL(page.headers.location!);
  }
  const expectFailed = (answer: Page): void => {
    expect([answer.status, answer.setCookies, answer.headers.location]).toEqual([503, [], undefined]);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  };

  it('FAULTS 6: Redis goes before the code is redeemed: 503, and the same address works a moment later', async () => {
    const browser = createBrowser();
    const url = await toCallback(browser);
    const before = redeemed();
    proxy.every('set', 'cut');
    expectFailed(await browser.get(url, asPage));
    proxy.resume();
    expect(redeemed()).toBe(before);
    const page = await eventually(async () => {
      const again = await browser.get(url);
      return again.status === 503 ? undefined : again;
    });
    expect([page.status, page.url, redeemed()]).toEqual([200, `${app.baseUrl}/private`, before + 1]);
  });

  it('C3: the old session cannot be deleted: 503, the old cookie stays as it is, and the new tokens are gone and revoked', async () => {
    const browser = await world.loggedIn(app);
    const url = await toCallback(browser);
    const [before, { revocations }] = [await grants(), world.authorizationServer.counters];
    const session = browser.cookies.get('session')!.value;
    proxy.every('getdel', 'cut');
    expectFailed(await browser.get(url, asPage));
    proxy.resume();
    expect(browser.cookies.get('session')!.value).toBe(session);
    await eventually(async () => (await browser.get(`${app.baseUrl}/private`, asScript)).status === 200);
    await eventually(async () => (await grants()).length <= before.length);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
  });

  it('C4: no byte of the answer leaves before session and tokens are stored', async () => {
    const browser = createBrowser();
    const url = await toCallback(browser);
    const stored = gate();
    const order: string[] = [];
    const claimed = proxy.next('set', { holdUntil: Promise.resolve() });
    const sessionComes = proxy.next('set', { holdUntil: stored.opened });
    const answer = browser.get(url, asPage).then((page) => {
      order.push('answer');
      return page;
    });
    await claimed;
    await sessionComes;
    await new Promise((resolve) => setTimeout(resolve, 100)); // an answer that were too early would have come
    order.push('stored');
    stored.open();
    expect([(await answer).status, order]).toEqual([303, ['stored', 'answer']]);
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(200);
  });

  it('C5: the new session cannot be stored: 503, no cookie, and the refresh token is revoked', async () => {
    const browser = createBrowser();
    const url = await toCallback(browser);
    const [before, { revocations }] = [await grants(), world.authorizationServer.counters];
    const claimed = proxy.next('set', { holdUntil: Promise.resolve() });
    const answer = browser.get(url, asPage);
    await claimed;
    proxy.every('set', 'cut');
    expectFailed(await answer);
    proxy.resume();
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    await eventually(async () => (await grants()).join() === before.join());
    expect(browser.cookies.get('session')).toBeUndefined();
  });

  it('FAULTS 48: the browser goes away during the callback: the code is redeemed once, and signing in again works', async () => {
    const browser = createBrowser();
    const url = await toCallback(browser);
    const before = redeemed();
    const answered = gate();
    world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: answered.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const Cookie = browser.cookies.header(url)!;
    const gone = new AbortController();
    const aborted = fetch(url, { headers: { Cookie }, redirect: 'manual', signal: gone.signal }).then(
      () => 'answered',
      () => 'aborted',
    );
    await arrived;
    gone.abort();
    expect(await aborted).toBe('aborted');
    answered.open();
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(401);
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    expect(redeemed()).toBe(before + 2);
    expect(app.errors).toEqual([]);
  });
});

describe('C8: a refresh after the headers have gone', () => {
  it('is stored, and needs no cookie', async () => {
    const streams: Route = {
      method: 'GET',
      path: '/streams',
      handlers: [
        async ({ oauthFetch }, res) => {
          res.writeHead(200, { 'Content-Type': 'text/event-stream' });
          res.flushHeaders();
          res.write(': begins\n\n');
          const answer = await oauthFetch(`${world.api.url}whoami`);
          res.end(`data: ${await answer.text()}\n\n`);
        },
      ],
    };
    world.authorizationServer.settings.accessTokenTtl = 1;
    const app = await world.app('express5', { routes: [streams] });
    const browser = await world.loggedIn(app);
    world.authorizationServer.settings.accessTokenTtl = 60;
    const refreshes = world.authorizationServer.tokenRequests.refresh_token;
    await new Promise((resolve) => setTimeout(resolve, 1500)); // the token's second is over
    const answer = await browser.get(`${app.baseUrl}/streams`, asScript);
    expect([answer.status, answer.setCookies, answer.text]).toEqual([200, [], expect.stringContaining('"sub":"alice"')]);
    const cold = await world.app(); // asks Redis
    expect((await browser.get(`${cold.baseUrl}/api`, asScript)).status).toBe(200);
    expect([world.authorizationServer.tokenRequests.refresh_token, app.errors]).toEqual([refreshes + 1, []]);
  });
});

describe('C16, FAULTS 22, 53: a stored session', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await world.app();
  });
  const redis = () => world.redis.client();
  const keyOf = (browser: Browser): string => `ecf:s:${hashId(idOf(browser))}`;
  const answers = async (browser: Browser): Promise<number[]> => [
    (await browser.get(`${app.baseUrl}/private`, asScript)).status,
    (await browser.get(`${app.baseUrl}/private`, asPage)).status,
    (await browser.get(`${app.baseUrl}/`, asScript)).status,
    (await browser.get(`${app.baseUrl}/session`, asScript)).status,
  ];

  it.each([
    ['garbage', () => 'garbage'],
    ['JSON of another program', () => '{"cookie":{}}'],
    ['bytes', () => Buffer.from([0xff, 0, 0xfe]).toString('latin1')],
    ['another session\'s value', () => createSealer([testSecret]).seal('session', randomId(), '{"data":{},"expiresAt":9999999999}')],
    ['a value of another kind', (id: string) => createSealer([testSecret]).seal('grant', id, '{"data":{},"expiresAt":9999999999}')],
    ['JSON that is no session', (id: string) => createSealer([testSecret]).seal('session', id, 'null')],
    ['a login of no known shape', (id: string) => createSealer([testSecret]).seal('session', id, '{"data":{},"login":{"sub":"x"},"expiresAt":9999999999}')],
  ])('that is %s is no session, is removed, and never an error', async (_name, value) => {
    const browser = await world.loggedIn(app);
    await redis().set(keyOf(browser), value(idOf(browser)), 'EX', 100);
    expect(await answers(browser)).toEqual([401, 302, 200, 200]);
    expect(await redis().exists(keyOf(browser))).toBe(0);
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
  });

  it.each([
    ['of a newer format', (value: Buffer) => Buffer.from(value).fill(2, 0, 1)],
    ['sealed with a secret that this process has not got yet', (value: Buffer) => Buffer.from(value).fill(0, 1, 5)],
  ])('%s is left for those who can read it', async (_name, change) => {
    const browser = await world.loggedIn(app);
    const value = (await redis().getBuffer(keyOf(browser)))!;
    await redis().set(keyOf(browser), change(value), 'EX', 100);
    expect(await answers(browser)).toEqual([401, 302, 200, 200]);
    expect(await redis().getBuffer(keyOf(browser))).toEqual(change(value));
    await redis().set(keyOf(browser), value, 'EX', 100); // the newer process reads it
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(200);
  });
});

describe('C17: by our own clock', () => {
  it('a session ends at its absolute time although it is used and Redis still has it, and at its idle time without use', async () => {
    const app = await world.app('express5', { options: { session: { idleTimeoutSeconds: 2, absoluteTimeoutSeconds: 4 } } });
    const [busy, idle] = [await world.loggedIn(app), await world.loggedIn(app)];
    const start = Date.now();
    const key = `ecf:s:${hashId(idOf(busy))}`;
    const status = async (browser: Browser) => (await browser.get(`${app.baseUrl}/api`, asScript)).status;
    let lastGood = 0;
    await eventually(async () => {
      await world.redis.client().persist(key); // whatever Redis thinks
      const at = Date.now();
      if ((await status(busy)) !== 200) return true;
      lastGood = at - start;
      return false;
    });
    expect(lastGood).toBeGreaterThan(2000);
    expect(lastGood).toBeLessThan(4500);
    expect(await status(idle)).toBe(401);
  });
});

describe('C19: no session id', () => {
  it('is shorter than 256 bits or ever repeated, and none is in any event or error', async () => {
    const seen: string[] = [];
    const app = await world.app();
    for (const event of ['login.succeeded', 'login.failed', 'logout.completed', 'store.failed'] as const) app.auth.on(event, (detail) => seen.push(JSON.stringify(detail)));
    const ids = [];
    for (let round = 0; round < 5; round += 1) {
      const browser = await world.loggedIn(app);
      ids.push(idOf(browser));
      await browser.post(`${app.baseUrl}/logout`);
    }
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) {
      expect(Buffer.from(id, 'base64url')).toHaveLength(32);
      for (const line of seen) expect(line).not.toContain(id);
    }
    expect(seen.length).toBeGreaterThanOrEqual(10);
  });
});

describe('A1, A11: ten thousand anonymous starts of a login', () => {
  it('write nothing to Redis, and repeat no state, nonce or challenge', async () => {
    const app = await world.app();
    const added = await world.redis.addedKeys();
    const counter = await world.redis.commandCounter();
    const seen = { state: new Set(), nonce: new Set(), code_challenge: new Set() };
    const start = (): Promise<URL> =>
      new Promise((resolve, reject) => {
        const req = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/login' });
        const res = new ServerResponse(req);
        res.end = () => {
          resolve(new URL(String(res.getHeader('Location'))));
          return res;
        };
        app.auth(req, res, reject);
      });
    for (let round = 0; round < 10_000; round += 1) {
      const { searchParams } = await start();
      for (const [name, values] of Object.entries(seen)) values.add(searchParams.get(name));
    }
    expect(Object.values(seen).map(({ size: different }) => different)).toEqual([10_000, 10_000, 10_000]);
    expect(await counter.byName()).toEqual({});
    expect(await added()).toEqual([]);
  }, 360_000);
});
