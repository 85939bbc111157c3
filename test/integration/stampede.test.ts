/**
 * Many requests and many processes meet one login whose access token is over: one of them renews it, for all.
 * @jest-environment-options {"debug": false}
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startAppProcess, type AppProcess } from '../support/app-process.js';
import type { TestApp } from '../support/apps.js';
import type { Browser } from '../support/browser.js';
import { startPlainApi, type PlainApi } from '../support/plain-api.js';
import { startWorld, type World } from '../support/world.js';

const PROCESSES = 8;
const ROUNDS = 200;

let world: World;
let api: PlainApi;
/** Where users log in. */
let front: TestApp;
let processes: readonly AppProcess[];
/** Tokens that the API takes no more. */
const refused = new Set<string>();

beforeAll(async () => {
  world = await startWorld();
  api = await startPlainApi(({ jti }) => refused.has(jti));
  // A busy machine is no fault of the code under test.
  const options = { redis: world.redis.url, apis: [api.url], redisTimeoutSeconds: 10, httpTimeoutSeconds: 20 };
  front = await world.app('express5', { options });
  const { authorizationServer } = world;
  processes = await Promise.all(Array.from({ length: PROCESSES }, () => startAppProcess({ authorizationServer, baseUrl: front.baseUrl, options })));
}, 360_000);
afterAll(async () => {
  await Promise.all(processes.map((process) => process.stop()));
  await world.close();
  await api.close();
});
afterEach(() => {
  world.authorizationServer.settings.accessTokenTtl = 60;
  // However it went: no refresh token was ever spent twice, and none was refused.
  expect(world.authorizationServer.tokenEndpoint.reusedRefreshTokens).toBe(0);
  expect(processes.flatMap(({ events }) => events).filter(({ event }) => event === 'refresh.refused' || event === 'refresh.failed')).toEqual([]);
});

const refreshes = (): number => world.authorizationServer.tokenRequests.refresh_token;
const cookieOf = (browser: Browser): string => browser.cookies.header(new URL(front.baseUrl)) ?? '';

/** By keep-alive connections, as a load balancer has them. Answers the token that reached the API, or the status. */
async function call(origin: string, cookie: string): Promise<string> {
  const answer = await fetch(`${origin}/api`, { headers: { cookie } });
  const { jti } = (await answer.json()) as { jti?: string };
  return answer.status === 200 && jti !== undefined ? jti : `status ${answer.status}`;
}

/** A user whose access token was good for a second and is over. */
async function expiredLogin(account: string): Promise<string> {
  world.authorizationServer.settings.accessTokenTtl = 1;
  const cookie = cookieOf(await world.loggedIn(front, account));
  world.authorizationServer.settings.accessTokenTtl = 60;
  const over = Date.now() + 1000;
  while (Date.now() <= over) await new Promise((resolve) => setTimeout(resolve, 20));
  return cookie;
}

/** All at once, evenly over the origins. */
const stampede = (origins: readonly string[], count: number, cookie: string): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => call(origins[index % origins.length]!, cookie)));

describe('200 requests at once on an expired login', () => {
  it('E1, FAULTS 49: on 8 processes make one token call, and each gets its token', async () => {
    const cookie = await expiredLogin('alice');
    const before = refreshes();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', delayMs: 300 });
    const startedAt = performance.now();
    const commands = await world.redis.commandCounter();
    const answers = await stampede(processes.map(({ origin }) => origin), 200, cookie);
    const elapsedMs = performance.now() - startedAt;
    expect(answers).toEqual(Array.from({ length: 200 }, () => answers[0]));
    expect(answers[0]).not.toMatch(/status/);
    expect(refreshes() - before).toBe(1);
    // Each request reads once; beyond that one waiter per process asks every 25 to 75 ms, less jitter, whether the refresh is done.
    const { evalsha = 0, eval: texts = 0 } = await commands.byName();
    expect(evalsha + texts).toBeLessThanOrEqual(200 + PROCESSES * (elapsedMs / 60 + 6));
  });

  it('E1, FAULTS 49: on one process make one token call, and each gets its token', async () => {
    const cookie = await expiredLogin('bob');
    const before = refreshes();
    const answers = await stampede([processes[0]!.origin], 200, cookie);
    expect(answers).toEqual(Array.from({ length: 200 }, () => answers[0]));
    expect(answers[0]).not.toMatch(/status/);
    expect(refreshes() - before).toBe(1);
  });
});

describe(`${ROUNDS} stampedes in a row on one login`, () => {
  it(`F7: of ${PROCESSES} processes whose token the API refuses make ${ROUNDS} token calls, and lose no request`, async () => {
    const cookie = cookieOf(await world.loggedIn(front, 'carol'));
    const origins = processes.map(({ origin }) => origin);
    const before = refreshes();
    let current = await call(origins[0]!, cookie);
    for (let round = 1; round <= ROUNDS; round += 1) {
      refused.add(current);
      const answers = new Set(await stampede(origins, PROCESSES * 2, cookie));
      expect({ round, tokens: answers.size }).toEqual({ round, tokens: 1 });
      const [next = ''] = answers;
      expect({ round, next }).toEqual({ round, next: expect.not.stringMatching(/status/) });
      expect(refused.has(next)).toBe(false);
      current = next;
    }
    expect(refreshes() - before).toBe(ROUNDS);
  }, 360_000);

  it('E1: of users whose tokens end again and again make no call with a spent refresh token', async () => {
    world.authorizationServer.settings.accessTokenTtl = 1;
    const origins = processes.map(({ origin }) => origin);
    const cookies = await Promise.all(Array.from({ length: 10 }, async (_, index) => cookieOf(await world.loggedIn(front, `user${index}`))));
    const before = refreshes();
    for (let round = 1; round <= 4; round += 1) {
      const over = Date.now() + 1000;
      while (Date.now() <= over) await new Promise((resolve) => setTimeout(resolve, 20));
      const answers = await Promise.all(cookies.map((cookie) => stampede(origins, PROCESSES * 2, cookie)));
      expect(answers.flat().filter((answer) => answer.startsWith('status'))).toEqual([]);
    }
    // A round that takes longer than a token lives renews it again.
    expect(refreshes() - before).toBeGreaterThanOrEqual(10 * 4);
  }, 360_000);
});
