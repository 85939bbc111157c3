/** A login belongs to the server that it was made at, and takes no more room than one login needs. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startAuthorizationServer, type AuthorizationServer } from '../support/authorization-server.js';
import { createBrowser } from '../support/browser.js';
import { startWorld, type World } from '../support/world.js';

let world: World;
let other: AuthorizationServer;
beforeAll(async () => {
  [world, other] = await Promise.all([startWorld({ accessTokenTtl: 1 }), startAuthorizationServer()]);
});
afterAll(() => Promise.all([world.close(), other.stop()]));

it('F4: tokens of one server never go to another that has its name by now; nobody is signed out by that', async () => {
  const before = await world.app();
  const browser = await world.loggedIn(before);
  const cookie = browser.cookies.header(new URL(before.baseUrl)) ?? '';
  const after = await world.app('express5', { options: { provider: other.provider } });
  const callApi = () => createBrowser().get(`${after.baseUrl}/api`, { navigate: false, headers: { Cookie: cookie } });
  let answer = await callApi();
  while (answer.status === 200) answer = await callApi();
  expect([answer.status, answer.json().code]).toEqual([503, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE']);
  expect((await createBrowser().get(`${after.baseUrl}/private`, { navigate: false, headers: { Cookie: cookie } })).status).toBe(200);
  const logout = await createBrowser().post(`${after.baseUrl}/logout`, {}, { navigate: false, headers: { Cookie: cookie } });
  expect([logout.status, logout.headers.location]).toEqual([303, `${after.baseUrl}/`]);
  expect([other.tokenRequests.refresh_token, other.counters.revocations, other.counters.endSessions]).toEqual([0, 0, 0]);
});

it('J5: a login of more than 64 KB is refused, leaves nothing behind, and its token is taken back', async () => {
  const identity = () => ({ sub: 'alice', blob: 'x'.repeat(70_000) });
  const app = await world.app('express5', { options: { provider: { ...world.authorizationServer.provider, identity } } });
  // But for the mark of a code that was redeemed.
  const stored = async () => (await world.redis.client().keys('*')).filter((key) => !key.startsWith('ecf:t:')).sort();
  const keys = await stored();
  const { revocations } = world.authorizationServer.counters;
  const page = await createBrowser({ login: 'alice' }).get(`${app.baseUrl}/private`);
  expect([page.status, page.text.includes('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID')]).toEqual([502, true]);
  expect(page.setCookies.filter((line) => line.startsWith('session='))).toEqual([]);
  expect(await stored()).toEqual(keys);
  expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
});
