/**
 * OpenID Connect Back-Channel Logout 1.0 with a real server that sends real logout tokens, to two apps on one Redis. Named after the modules of the
 * OpenID Foundation's relying-party plans where there is one.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CodeFlowEvents } from '../../lib/index.js';
import type { TestApp } from '../support/apps.js';
import { asScript, createBrowser, type Browser } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { startWorld, type World } from '../support/world.js';


let world: World;
let apps: readonly [TestApp, TestApp];
const received: CodeFlowEvents['logout.received'][] = [];
const failed: CodeFlowEvents['login.failed'][] = [];
const gone: CodeFlowEvents['refresh.gone'][] = [];

beforeAll(async () => {
  world = await startWorld({ host: 'localhost' });
  const first = await world.app();
  apps = [first, await world.app('express4', { baseUrl: first.baseUrl })];
  for (const { auth } of apps) {
    auth.on('logout.received', (detail) => received.push(detail)).on('login.failed', (detail) => failed.push(detail)).on('refresh.gone', (detail) => gone.push(detail));
  }
});
afterAll(() => world.close());
afterEach(() => {
  for (const list of [received, failed, gone, world.authorizationServer.logoutsTold]) list.length = 0;
  world.authorizationServer.plan.length = 0;
  world.authorizationServer.intercept = undefined;
});

/** What each process says to this session. */
const statuses = async (browser: Browser): Promise<number[]> =>
  Promise.all(
    apps.map(async ({ origin }) => {
      const headers = { Cookie: `session=${browser.cookies.get('session', '127.0.0.1')?.value ?? ''}` };
      return (await createBrowser().get(`${origin}/api`, { ...asScript, headers })).status;
    }),
  );

/** As when another app of the same server signs the user out: nothing of it passes through ours. */
async function endAtServer(browser: Browser): Promise<void> {
  const page = await browser.get(`${world.authorizationServer.issuer}/session/end`);
  expect(page.text).toBe('Signed out at the authorization server.');
}

describe.each([
  ['by session (`sid`)', true],
  ['by user (`sub`)', false],
])('a logout token %s', (_how, bySession) => {
  beforeAll(() => world.authorizationServer.tellLogoutsTo(`${apps[1].origin}/backchannel-logout`, { bySession }));

  it('oidcc-client-test-rp-backchannel-rpinitlogout: a logout at the app comes back as a token, which is fine', async () => {
    const browser = await world.loggedIn(apps[0]);
    const page = await browser.post(`${apps[0].baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${apps[0].baseUrl}/`, { isAuthenticated: false }]);
    expect(world.authorizationServer.logoutsTold).toEqual([{ sub: 'alice', sid: expect.any(String) }]);
    expect((await browser.get(`${apps[0].baseUrl}/private`)).status).toBe(200); // and another login is as good as ever
  });

  it('a logout at the server ends the sessions meant, on both processes, at once', async () => {
    const carol = `carol${Number(bySession)}`;
    const [ended, sameUser, otherUser] = await Promise.all([carol, carol, 'bob'].map((account) => world.loggedIn(apps[0], account))) as [Browser, Browser, Browser];
    expect(await Promise.all([ended, sameUser, otherUser].map(statuses))).toEqual([[200, 200], [200, 200], [200, 200]]);
    await endAtServer(ended);
    expect(world.authorizationServer.logoutsTold).toEqual([{ sub: carol, sid: expect.any(String) }]);
    const other = bySession ? [200, 200] : [401, 401];
    expect(await Promise.all([ended, sameUser, otherUser].map(statuses))).toEqual([[401, 401], other, [200, 200]]);
    expect(received).toEqual([{ provider: 'default', by: 'backchannel', logins: bySession ? 1 : 2 }]);
  });

  it('H5: entries of sessions that ended by themselves are harmless', async () => {
    const browsers = await Promise.all(Array.from({ length: 5 }, () => world.loggedIn(apps[0], `dave${Number(bySession)}`)));
    const [first, second, ...others] = browsers as [Browser, Browser, ...Browser[]];
    await first.post(`${apps[0].baseUrl}/logout`, {}, { follow: false }); // here, and not at the server
    await endAtServer(second);
    expect(await Promise.all([first, second].map(statuses))).toEqual([[401, 401], [401, 401]]);
    expect(await Promise.all(others.map(statuses))).toEqual(others.map(() => (bySession ? [200, 200] : [401, 401])));
  });

  it('H6: one that comes while the callback is under way wins: the session does not come up, and what the code gave is taken back', async () => {
    const browser = createBrowser({ login: 'erin' });
    await browser.get(`${apps[0].baseUrl}/private`); // a session at the server
    browser.cookies.delete('session');
    const mayGoOn = gate();
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: mayGoOn.opened });
    const { revocations } = world.authorizationServer.counters;
    const callback = browser.get(`${apps[0].baseUrl}/private`);
    await arrived;
    const elsewhere = createBrowser();
    for (const cookie of browser.cookies.all('localhost')) elsewhere.cookies.receive(`${cookie.name}=${cookie.value}; Path=/`, new URL(world.authorizationServer.issuer));
    await endAtServer(elsewhere);
    expect(world.authorizationServer.logoutsTold).toEqual([{ sub: 'erin', sid: expect.any(String) }]);
    mayGoOn.open();
    const page = await callback;
    expect([page.status, page.setCookies.filter((line) => line.startsWith('session='))]).toEqual([400, []]);
    expect(failed).toEqual([{ provider: 'default', code: 'ERR_CODE_FLOW_SIGNED_OUT' }]);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    expect(await apps[0].auth.listSessions('erin')).toEqual([]); // with the one that the browser forgot
  });

  it('FAULTS 50: one that comes while a refresh is under way wins: the new tokens are not kept', async () => {
    const browser = await world.loggedIn(apps[0], 'frank');
    const mayGoOn = gate();
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', afterProcessing: mayGoOn.opened });
    world.api.plan.push({ status: 401, challenge: 'Bearer error="invalid_token"' });
    const headers = { Cookie: `session=${browser.cookies.get('session', '127.0.0.1')!.value}` };
    const request = createBrowser().get(`${apps[0].origin}/api`, { ...asScript, headers });
    await arrived;
    await endAtServer(browser);
    mayGoOn.open();
    expect((await request).status).toBe(401);
    expect(await statuses(browser)).toEqual([401, 401]);
    await eventually(() => gone.length === 1);
    expect(await world.redis.client().keys('ecf:g:*')).not.toContain(`ecf:g:{${gone[0]!.grant}}`);
  });
});
