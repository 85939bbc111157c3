/**
 * Everybody gets their own identity and their own token, whatever happens at the same time.
 * @jest-environment-options {"watch": false}
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import { systemClock, type Clock } from '../../lib/clock.js';
import { createEvents } from '../../lib/events.js';
import type { Grant } from '../../lib/grants/grant.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import { createTokenManager } from '../../lib/grants/token-manager.js';
import type { TokenManager } from '../../lib/grants/token-manager.js';
import { resolveOptions } from '../../lib/options.js';
import { createProvider } from '../../lib/provider/create-provider.js';
import { connectRedis } from '../../lib/redis-connection.js';
import type { RedisConnection } from '../../lib/redis-connection.js';
import { createSealer } from '../../lib/seal.js';
import { startApp, testSecret, type AppRequest, type Route, type TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { longTimeouts, startFaultWorld } from '../support/fault-world.js';
import type { FaultWorld, Login } from '../support/fault-world.js';
import { readBody, sendJson } from '../support/http.js';
import { startManyUsersServer, type ManyUsersServer } from '../support/many-users-server.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld({ timeouts: longTimeouts });
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();

describe('E18, F10: many users, many APIs', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  afterAll(() => agent.destroy());

  /** Two processes with users of this server; nothing here is about time, so nothing is short of it. */
  async function town(settings: { apis: number; accessTokenSeconds: number; users: number }) {
    const server = await startManyUsersServer(settings);
    const options = { ...server.options, httpTimeoutSeconds: 20, redisTimeoutSeconds: 10, redis: world.redis.url };
    const start = () => startApp('express5', { options, routes: [callRoute(server)] });
    const apps = [await start(), await start()] as const;
    const users: { name: string; cookie: string }[] = [];
    const names = Array.from({ length: settings.users }, (_, index) => `user${index}`);
    await inParallel(20, names, async (name) => void users.push({ name, cookie: await logIn(server, apps[0], name) }));
    const stop = () => Promise.all([...apps.map((app) => app.close()), server.stop()]);
    return { server, apps, users, stop };
  }

  async function logIn(server: ManyUsersServer, { origin }: TestApp, user: string): Promise<string> {
    const browser = createBrowser();
    const { headers } = await browser.get(`${origin}/login`, { follow: false });
    const sent = new URL(headers.location!);
    const answer = new URLSearchParams({ code: server.codeFor(user, sent), state: sent.searchParams.get('state')! });
    await browser.get(`${origin}/callback?${answer.toString()}`, { follow: false });
    return browser.cookies.header(new URL(origin))!;
  }

  function get(url: string, cookie: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent, headers: { Cookie: cookie } }, (res) => void readBody(res).then((body) => resolve(body.toString()), reject));
      // A connection that the server closed just then because it was idle.
      sent.once('error', (error) => (sent.reusedSocket ? resolve(get(url, cookie)) : reject(error))).end();
    });
  }

  it("E18: 200 users with 50 requests each, four APIs, two processes: each API call carries its own user's token for that API", async () => {
    const { server, apps, users, stop } = await town({ apis: 4, accessTokenSeconds: 4, users: 200 });
    const requests = Array.from({ length: 50 }, (_, turn) => users.map((user) => ({ ...user, turn }))).flat();
    const wrong: unknown[] = [];
    await inParallel(100, requests, async ({ name, cookie, turn }) => {
      const api = server.apis[(turn * 7 + name.length) % server.apis.length]!;
      const answer = await get(`${apps[turn % 2]!.origin}/call?api=${api}`, cookie);
      const expected = JSON.stringify({ user: name, api });
      if (answer !== expected) wrong.push({ expected, answer });
    });
    await stop();
    expect([wrong.slice(0, 3), server.mistakes.slice(0, 3)]).toEqual([[], []]);
    expect([server.apiCalls, server.refreshes > users.length * 3]).toEqual([requests.length, true]);
  }, 360_000);

  it('E18: ten APIs of one user, asked at once with no token yet: one refresh for each, one after the other', async () => {
    const { server, apps, users, stop } = await town({ apis: 11, accessTokenSeconds: 60, users: 1 });
    const { name, cookie } = users[0]!;
    const asked = server.apis.slice(1).flatMap((api) => [api, api, api]);
    const answers = await Promise.all(asked.map((api, index) => get(`${apps[index % 2]!.origin}/call?api=${api}`, cookie)));
    await stop();
    expect(answers).toEqual(asked.map((api) => JSON.stringify({ user: name, api })));
    expect([server.refreshes, server.mistakes]).toEqual([10, []]);
  });
});

function callRoute(server: ManyUsersServer): Route {
  return {
    method: 'GET',
    path: '/call',
    handlers: [
      async (req: AppRequest, res) => {
        const api = new URL(req.url!, 'http://app').searchParams.get('api')!;
        const answer = await req.oauthFetch(`${server.urlOf(api)}whoami`, { headers: { 'X-User': req.oauth.subject! } });
        sendJson(res, answer.status, await answer.json());
      },
    ],
  };
}

async function inParallel<T>(width: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

it('E19, FAULTS 51: another user logs in while a refresh is in flight: its answer belongs to nobody and is revoked', async () => {
  const [app, login] = [await world.fresh(), await world.expired()];
  const { counters, plan, tokenEndpoint } = world.authorizationServer;
  const release = gate();
  plan.push({ grantType: 'refresh_token', afterProcessing: release.opened });
  const arrived = tokenEndpoint.nextRequest();
  const slow = app.call(login);
  await arrived;
  login.browser.login = 'bob';
  const page = await login.browser.get(`${app.origin}/login?prompt=login&login_hint=bob&returnTo=/private`);
  expect([page.status, page.json().sub]).toEqual([200, 'bob']);
  const { revocations } = counters;
  release.open();
  expect((await slow).status).toBe(401);
  await eventually(() => app.count('refresh.gone') === 1 && counters.revocations > revocations);
  expect(await login.record.version()).toBe(0);
  expect((await login.browser.get(`${app.origin}/api`, { navigate: false })).json().sub).toBe('bob');
});

describe("E15: two processes whose clocks are ten minutes off, one each way", () => {
  const connections: RedisConnection[] = [];
  afterAll(() => Promise.all(connections.map((connection) => connection.close())));

  function processAt(minutes: number): { tokens: TokenManager; grantOf: (login: Login) => Grant } {
    const shift = minutes * 60_000;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + shift, monotonic: () => systemClock.monotonic() + shift };
    const events = createEvents();
    const connection = connectRedis(world.redis.url, 0.5, events);
    connections.push(connection);
    const options = resolveOptions({ provider: world.authorizationServer.provider, baseUrl: 'http://127.0.0.1:9', secret: testSecret });
    const timeouts = { httpTimeoutSeconds: 1, redisTimeoutSeconds: 0.5, idleTimeoutSeconds: 3600 };
    const provider = createProvider(options.provider!, { fetch, httpTimeoutSeconds: 1, clock });
    const tokens = createTokenManager({ store: createRedisGrantStore(connection, createSealer([testSecret])), clock, events, ...timeouts });
    const loginAt = Math.floor(systemClock.now() / 1000);
    return {
      tokens,
      grantOf: ({ grantId, account }) => ({ grantId, provider, subject: account, loginAt, expiresAt: loginAt + 86_400, confirmedAt: clock.monotonic() }),
    };
  }

  it('E15: decide the same about a token that is good, and about one that is over', async () => {
    const processes = [processAt(10), processAt(-10)];
    const login = await world.login();
    const before = refreshes();
    const good = await Promise.all(processes.map(({ tokens, grantOf }) => tokens.accessToken(grantOf(login), {})));
    expect([new Set(good.map(({ token }) => token)).size, refreshes()]).toEqual([1, before]);
    const others = [processAt(10), processAt(-10)];
    await login.record.expireTokens();
    const renewed = await Promise.all(others.map(({ tokens, grantOf }) => tokens.accessToken(grantOf(login), {})));
    expect([new Set(renewed.map(({ token }) => token)).size, renewed[0]!.token === good[0]!.token, refreshes()]).toEqual([1, false, before + 1]);
    expect(renewed.map(({ version }) => version)).toEqual([2, 2]);
  });
});
