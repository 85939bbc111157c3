/** The connection to Redis fails around one command of a login, which is then sent again: what comes twice must not look like somebody else's. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createBrowser, type Browser } from '../support/browser.js';
import { gate } from '../support/eventually.js';
import { startFaultWorld, type FaultApp, type FaultWorld } from '../support/fault-world.js';

let world: FaultWorld;
let app: FaultApp;
beforeAll(async () => {
  world = await startFaultWorld({ account: 'alice' });
  app = await world.fresh();
});
afterAll(() => world.close());

/** The address at which the login comes back, not visited yet. */
async function toCallback(browser: Browser): Promise<string> {
  let url = new URL(`${app.baseUrl}/login?login_hint=alice&returnTo=/private`);
  while (!url.href.startsWith(`${app.baseUrl}/callback?`)) url = new URL((await browser.get(url, { follow: false })).headers.location!, url);
  return url.href;
}

const isLoggedIn = async (browser: Browser): Promise<boolean> => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200;

it.each(['lose the reply', 'cut'] as const)('A12: the claim of a login, %s: it is this login\'s own all the same', async (fault) => {
  const browser = createBrowser();
  const url = await toCallback(browser);
  const met = world.proxy.next('set', fault);
  const page = await browser.get(url, { follow: false });
  await met;
  expect([page.status, page.headers.location]).toEqual([303, `${app.baseUrl}/private`]);
  expect(await isLoggedIn(browser)).toBe(true);
});

it('C7: a login does not take its own note, written twice, for that of another: it notices that its session was logged out', async () => {
  const elsewhere = await world.fresh({ baseUrl: app.baseUrl }, { direct: true });
  const browser = createBrowser();
  await browser.get(await toCallback(browser));
  const headers = { Cookie: browser.cookies.header(new URL(app.baseUrl))! };
  const url = await toCallback(browser);
  const loggedOut = gate();
  const indexed = world.proxy.next('evalsha', { holdUntil: loggedOut.opened });
  const finishing = browser.get(url, { follow: false });
  await indexed;
  expect((await createBrowser().request(`${elsewhere.origin}/logout`, { method: 'POST', follow: false, headers })).status).toBe(303);
  const noted = world.proxy.next('set', 'lose the reply');
  loggedOut.open();
  await noted;
  expect((await finishing).status).toBe(400);
  expect(await isLoggedIn(browser)).toBe(false);
});
