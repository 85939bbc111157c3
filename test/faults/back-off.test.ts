/** E11: a server that fails is left alone, however many requests want a token. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Page } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { longTimeouts, startFaultWorld } from '../support/fault-world.js';
import type { FaultApp, FaultWorld, Login } from '../support/fault-world.js';

let world: FaultWorld;
let fails = true;
/** When the token endpoint was called for a refresh, monotonic milliseconds. */
const calls: number[] = [];
beforeAll(async () => {
  world = await startFaultWorld({ timeouts: longTimeouts });
});
afterAll(() => world.close());

it('E11, FAULTS 30: a hundred requests a second on two processes: one token call per back-off, and each back-off is longer', async () => {
  const apps = [await world.fresh(), await world.fresh()];
  const login = await world.expired();
  const bystander = await world.expired();
  world.authorizationServer.intercept = (req, res) => {
    if (req.url !== '/token' || !fails) return false;
    calls.push(performance.now());
    res.writeHead(503, { 'Retry-After': '1' }).end();
    return true;
  };
  const answers = await hammer(apps, login, 6000);
  expect(answers.length).toBeGreaterThan(200);
  expect(new Set(answers)).toEqual(new Set([503]));
  const pauses = calls.slice(1).map((at, index) => at - calls[index]!);
  // 1, 2, 4 s, a fifth more or less, and never less than the second that the server asked for.
  expect(calls.length).toBeGreaterThanOrEqual(3);
  expect(calls.length).toBeLessThanOrEqual(4);
  for (const [index, gap] of pauses.entries()) expect(gap).toBeGreaterThanOrEqual(Math.max(990, 2 ** index * 800 - 10));

  fails = false;
  expect((await apps[0]!.call(bystander)).status).toBe(200);
  await eventually(async () => (await apps[0]!.call(login)).status === 200);
  expect((await apps[1]!.call(login)).status).toBe(200);
}, 360_000);

it('E11: an API whose resource the server does not know waits by itself: the login\'s own token is renewed meanwhile', async () => {
  // With rotation this server spends the refresh token before it looks at the resource.
  const own = await startFaultWorld({ policy: 'no rotation', timeouts: longTimeouts });
  try {
    const { api, authorizationServer } = own;
    // However slow this machine is, the pause is not over before the test.
    authorizationServer.intercept = (_req, res) => {
      res.setHeader('Retry-After', '60');
      return false;
    };
    const apis = [{ url: api.url }, { url: `${api.origin}/v1/echo`, resource: 'https://nobody-knows.example/' }];
    const [app, other] = [await own.fresh({ apis }), await own.fresh({ apis })];
    const login = await own.expired();
    const before = own.refreshes();
    const echo = ({ origin }: FaultApp): Promise<Page> => login.browser.post(`${origin}/api`, { any: 'thing' }, { navigate: false, headers: { Cookie: login.cookie } });
    // The server refuses it with `invalid_target`; nobody asks again so soon, in no process.
    const answers = [await echo(app), await echo(app), await echo(other)];
    expect(answers.map(({ status, headers }) => [status, 'retry-after' in headers])).toEqual([[503, true], [503, true], [503, true]]);
    expect(own.refreshes()).toBe(before + 1);
    expect((await app.call(login)).status).toBe(200);
    expect(own.refreshes()).toBe(before + 2);
    expect((await echo(other)).status).toBe(503);
    expect((await other.call(login)).status).toBe(200);
  } finally {
    await own.close();
  }
});

/** A hundred requests a second, one after the other started whatever becomes of the ones before. */
async function hammer(apps: readonly FaultApp[], login: Login, forMs: number): Promise<number[]> {
  const answers: Promise<number>[] = [];
  const end = performance.now() + forMs;
  for (let index = 0; performance.now() < end; index += 1) {
    answers.push(apps[index % apps.length]!.call(login).then(({ status }) => status));
    await pause(10);
  }
  return Promise.all(answers);
}
