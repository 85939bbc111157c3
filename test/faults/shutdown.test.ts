/** FAULTS 45: processes come and go under load, and close() in the middle of everything. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createBrowser, type Page } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { leaseMs, longTimeouts, startFaultWorld } from '../support/fault-world.js';
import type { FaultApp, FaultWorld, Login } from '../support/fault-world.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();

describe('FAULTS 45: close()', () => {
  it('lets the refresh in flight finish, answers its request, and starts no other', async () => {
    const [app, login, other, before] = [await world.fresh(), await world.expired(), await world.expired(), refreshes()];
    const release = gate();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: release.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const request = app.call(login);
    await arrived;
    const closed = app.auth.close();
    const refused = await app.call(other);
    expect([refused.status, refused.json().code]).toEqual([503, 'ERR_CODE_FLOW_CLOSED']);
    release.open();
    expect((await request).status).toBe(200);
    await closed;
    expect([await login.record.version(), refreshes()]).toEqual([2, before + 1]);
  });

  it('waits for a commit that could not be stored yet', async () => {
    const [app, login] = [await world.fresh({ httpTimeoutSeconds: 4 }), await world.expired()];
    const met = world.proxy.next('COMMIT', 'cut').then(() => world.proxy.refuse());
    expect((await app.call(login)).status).toBe(200);
    await met;
    let isClosed = false;
    const closed = app.auth.close().then(() => (isClosed = true));
    expect([await login.record.version(), isClosed]).toEqual([1, false]);
    world.proxy.resume();
    await closed;
    expect(await login.record.version()).toBe(2);
  });

  it('ends at its deadline, whatever the server does; the lock ends by its lease', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const release = gate();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: release.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const request = app.call(login);
    await arrived;
    const began = performance.now();
    await app.auth.close({ timeoutSeconds: 0.2 });
    expect(performance.now() - began).toBeLessThan(700);
    expect(await login.record.lockLeftMs()).toBeLessThanOrEqual(leaseMs);
    expect((await request).status).toBe(503);
    release.open();
  });
});

it('FAULTS 45: a hundred rolling restarts of two processes under load lose no login and no rotation', async () => {
  world.authorizationServer.settings.accessTokenTtl = 2;
  const [before, again] = [refreshes(), world.authorizationServer.tokenEndpoint.reusedRefreshTokens];
  const start = (): Promise<FaultApp> => world.fresh(longTimeouts, { direct: true });
  const slots: [FaultApp, FaultApp] = [await start(), await start()];
  const logins = await Promise.all(Array.from({ length: 6 }, () => world.login()));
  const load = logins.map((login) => keepCalling(login, slots));
  for (let restarts = 0; restarts < 100; restarts += 1) {
    const old = slots[restarts % 2]!;
    slots[restarts % 2] = await start();
    await old.drain();
  }
  const answers = (await Promise.all(load.map((client) => client.stop()))).flat();
  // The API checks whole seconds: a token that is over there a moment before it is here is refreshed once, and may be over again.
  const [wrong, late] = [answers.filter(({ status }) => status !== 200 && status !== 401), answers.filter(({ status }) => status === 401)];
  expect(wrong.map(({ status, text }) => `${status} ${text}`)).toEqual([]);
  expect(late.length).toBeLessThan(answers.length / 20);
  expect([refreshes() - before > logins.length, world.authorizationServer.tokenEndpoint.reusedRefreshTokens]).toEqual([true, again]);
  for (const login of logins) expect((await slots[0].call(login, '/private-token')).json().sub).toBe(login.account);
}, 360_000);

/** One user who never stops; a connection that a closing process refused is made to the other, as a load balancer does. */
function keepCalling({ cookie }: Login, slots: readonly FaultApp[]): { stop: () => Promise<Page[]> } {
  const load = { goesOn: true };
  const answers: Page[] = [];
  const call = (slot: number): Promise<Page> => createBrowser().get(`${slots[slot]!.origin}/api`, { navigate: false, headers: { Cookie: cookie } });
  const work = (async () => {
    for (let turn = 0; load.goesOn; turn += 1) answers.push(await call(turn % 2).catch(() => eventually(() => call((turn + 1) % 2))));
  })();
  return {
    async stop() {
      load.goesOn = false;
      await work;
      return answers;
    },
  };
}
