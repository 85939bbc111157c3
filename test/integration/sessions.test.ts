/** The sessions of a user: listed, named, and ended, on two apps that share one Redis, and in memory. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ListedSession } from '../../lib/index.js';
import { createSealer, hashId } from '../../lib/seal.js';
import { testSecret, type Route, type TestApp } from '../support/apps.js';
import { asScript, createBrowser, type Browser } from '../support/browser.js';
import { gate } from '../support/eventually.js';
import { sendJson } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';

const own: Route = { method: 'GET', path: '/own', handlers: [({ oauth }, res) => sendJson(res, 200, { sessionId: oauth.sessionId, grantId: oauth.grantId })] };

let world: World;
let apps: readonly [TestApp, TestApp];
beforeAll(async () => {
  world = await startWorld();
  const first = await world.app('express5', { routes: [own] });
  apps = [first, await world.app('connect', { routes: [own], baseUrl: first.baseUrl })];
});
afterAll(() => world.close());

const isLoggedIn = async (browser: Browser, app = apps[0]): Promise<boolean> => (await browser.get(`${app.baseUrl}/private`, asScript)).status === 200;
const sessionIdOf = async (browser: Browser, app = apps[0]): Promise<string> => (await browser.get(`${app.baseUrl}/own`, asScript)).json().sessionId as string;

describe.each(['Redis', 'memory'] as const)('with %s', (store) => {
  let app: TestApp;
  beforeAll(async () => {
    app = store === 'Redis' ? apps[0] : await world.app('express5', { routes: [own], options: { redis: undefined } });
  });

  it('lists when, where and by what a user logged in, and when they were last seen', async () => {
    const started = Math.floor(Date.now() / 1000);
    const browser = createBrowser({ login: `lena-${store}` });
    await browser.get(`${app.baseUrl}/private`, { headers: { 'User-Agent': 'x' } });
    await browser.get(`${app.baseUrl}/login?returnTo=/private`, { headers: { 'User-Agent': 'y' } }); // takes the first one's place
    const phone = await world.loggedIn(app, `lena-${store}`);
    const sessions = await app.auth.listSessions(`lena-${store}`);
    expect(sessions).toHaveLength(2);
    for (const session of sessions) {
      expect(session).toEqual({ sessionId: expect.any(String), provider: 'default', loginAt: expect.any(Number), lastSeenAt: expect.any(Number), expiresAt: session.loginAt + 604_800, label: undefined });
      expect(session.loginAt - started).toBeLessThan(10);
      expect(session.lastSeenAt).toBeGreaterThanOrEqual(session.loginAt);
    }
    expect(sessions.map(({ sessionId }) => sessionId).sort()).toEqual([await sessionIdOf(browser, app), await sessionIdOf(phone, app)].sort());
  });

  it('ends one by its name, and leaves the others', async () => {
    const [laptop, phone] = [await world.loggedIn(app, `mia-${store}`), await world.loggedIn(app, `mia-${store}`)];
    const sessionId = await sessionIdOf(phone, app);
    await app.auth.endSessions({ sessionId });
    expect([await isLoggedIn(laptop, app), await isLoggedIn(phone, app)]).toEqual([true, false]);
    expect((await app.auth.listSessions(`mia-${store}`)).map((session) => session.sessionId)).toEqual([await sessionIdOf(laptop, app)]);
    await app.auth.endSessions({ sessionId }); // once more: it is over already
  });

  it('signs a user out everywhere', async () => {
    const browsers = [await world.loggedIn(app, `nora-${store}`), await world.loggedIn(app, `nora-${store}`), await world.loggedIn(app, `otto-${store}`)];
    await app.auth.endSessions({ subject: `nora-${store}` });
    expect(await Promise.all(browsers.map((browser) => isLoggedIn(browser, app)))).toEqual([false, false, true]);
    expect(await app.auth.listSessions(`nora-${store}`)).toEqual([]);
    expect(await isLoggedIn(await world.loggedIn(app, `nora-${store}`), app)).toBe(true); // and they may come back at once
  });

  it('H6: also who is at the callback while it happens; what the code gave is taken back', async () => {
    const mayGoOn = gate();
    world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: mayGoOn.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const { revocations } = world.authorizationServer.counters;
    const browser = createBrowser({ login: `paul-${store}` });
    const callback = browser.get(`${app.baseUrl}/private`);
    await arrived;
    await app.auth.endSessions({ subject: `paul-${store}` });
    mayGoOn.open();
    const page = await callback;
    expect([page.status, page.text.includes('ERR_CODE_FLOW_SIGNED_OUT'), browser.cookies.get('session', '127.0.0.1')]).toEqual([400, true, undefined]);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    expect(await app.auth.listSessions(`paul-${store}`)).toEqual([]);
  });

  it('C7: a logout while the same browser logs in again: neither the old nor the new session is left', async () => {
    const browser = await world.loggedIn(app, `rosa-${store}`);
    const mayGoOn = gate();
    world.authorizationServer.plan.push({ grantType: 'authorization_code', afterProcessing: mayGoOn.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const callback = browser.get(`${app.baseUrl}/login?returnTo=/private`);
    await arrived;
    const headers = { Cookie: browser.cookies.header(new URL(app.baseUrl))! };
    const logout = await createBrowser().post(`${app.baseUrl}/logout`, {}, { follow: false, headers });
    expect(logout.status).toBe(303);
    mayGoOn.open();
    expect((await callback).status).toBe(400);
    expect(await app.auth.listSessions(`rosa-${store}`)).toEqual([]);
  });

  it('C7: a logout that is overtaken by the login that took its session\'s place ends that, too', async () => {
    const browser = await world.loggedIn(app, `tom-${store}`);
    const headers = { Cookie: `session=${browser.cookies.get('session', '127.0.0.1')!.value}` };
    expect((await browser.get(`${app.baseUrl}/login?returnTo=/private`)).status).toBe(200);
    expect((await createBrowser().get(`${app.baseUrl}/private`, { ...asScript, headers })).status).toBe(401);
    expect((await createBrowser().post(`${app.baseUrl}/logout`, {}, { follow: false, headers })).status).toBe(303);
    expect(await isLoggedIn(browser, app)).toBe(false);
    expect(await app.auth.listSessions(`tom-${store}`)).toEqual([]);
  });
});

describe('the name of a session', () => {
  it('opens nothing, holds no id, and cannot be made up', async () => {
    const browser = await world.loggedIn(apps[0], 'uma');
    const { sessionId, grantId } = (await browser.get(`${apps[0].baseUrl}/own`, asScript)).json() as { sessionId: string; grantId: string };
    const cookie = browser.cookies.get('session', '127.0.0.1')!.value;
    expect(sessionId).not.toContain(grantId);
    expect(sessionId).not.toContain(cookie.slice(4, 20));
    expect((await createBrowser().get(`${apps[0].baseUrl}/private`, { ...asScript, headers: { Cookie: `session=s:${sessionId}` } })).status).toBe(401);
    const [session, grant, mac] = sessionId.split('.') as [string, string, string];
    const forged = [`${hashId('x')}.${grant}.${mac}`, `${session}.${hashId('y')}.${mac}`, `${session}.${grant}.${hashId('z')}`, `${session}.${grant}`, '', 'x'.repeat(10_000), session];
    for (const name of forged) await expect(apps[0].auth.endSessions({ sessionId: name })).rejects.toMatchObject({ name: 'AccessDeniedError', code: 'ERR_CODE_FLOW_SESSION_UNKNOWN', status: 403 });
    expect(await isLoggedIn(browser)).toBe(true);
  });

  it('is the same on every process', async () => {
    const browser = await world.loggedIn(apps[0], 'vera');
    const headers = { Cookie: browser.cookies.header(new URL(apps[0].baseUrl))! };
    const other = (await createBrowser().get(`${apps[1].origin}/own`, { ...asScript, headers })).json() as { sessionId: string };
    expect(other.sessionId).toBe(await sessionIdOf(browser));
    await apps[1].auth.endSessions({ sessionId: other.sessionId });
    expect(await isLoggedIn(browser)).toBe(false);
  });

  it('says what the browser called itself, cut short and without control characters', async () => {
    const browser = createBrowser({ login: 'will' });
    let page = await browser.get(`${apps[0].baseUrl}/login`, { follow: false });
    while (!page.headers.location!.startsWith(`${apps[0].baseUrl}/callback`)) page = page.headers.location!.includes('/interaction/') ? await throughLogin(browser, page.headers.location!, page.url) : await browser.get(new URL(page.headers.location!, page.url), { follow: false });
    await browser.get(page.headers.location!, { follow: false, headers: { 'User-Agent': `Browser/1 ${'y'.repeat(300)}` } });
    const [session] = (await apps[0].auth.listSessions('will')) as [ListedSession];
    expect(session.label).toBe(`Browser/1 ${'y'.repeat(190)}`);
  });
});

async function throughLogin(browser: Browser, location: string, from: string): ReturnType<Browser['get']> {
  const form = await browser.get(new URL(location, from), { follow: false });
  const action = /action="([^"]*)"/.exec(form.text)?.[1];
  return browser.post(new URL(action ?? form.url, form.url), { username: browser.login! }, { follow: false });
}

describe('a user with 1,000 sessions', () => {
  it('is listed and signed out with a bounded number of commands', async () => {
    const browser = await world.loggedIn(apps[0], 'zoe');
    const redis = world.redis.client();
    const counter = await world.redis.commandCounter();
    await addSessions(redis, 999);
    await counter.reset();
    const sessions = await apps[0].auth.listSessions('zoe');
    expect(sessions).toHaveLength(1000);
    await counter.reset();
    await apps[0].auth.endSessions({ subject: 'zoe' });
    const { del = 0, evalsha = 0, lset = 0, lrem = 0, ...others } = await counter.byName();
    expect({ del, evalsha, lset, lrem }).toEqual({ del: 20, evalsha: 11, lset: 1000, lrem: 10 }); // the last two within the scripts
    expect(Object.values(others).reduce((sum, calls) => sum + calls, 0)).toBeLessThan(30); // what else the scripts do
    expect(await apps[0].auth.listSessions('zoe')).toEqual([]);
    expect(await isLoggedIn(browser)).toBe(false);
    const left = await redis.keys('ecf:[sg]:*');
    expect(left.filter((key) => key.includes('copy'))).toEqual([]);
  });
});

/** As `createLoginIndex()` and the stores write them, for the user zoe at the default provider. */
async function addSessions(redis: ReturnType<World['redis']['client']>, count: number): Promise<void> {
  const sealer = createSealer([testSecret]);
  const name = JSON.stringify(['default', 'zoe']);
  const now = Math.floor(Date.now() / 1000);
  const pipeline = redis.pipeline();
  for (let index = 0; index < count; index++) {
    const [session, grant] = [`copy${hashId(`s${index}`).slice(4)}`, `copy${hashId(`g${index}`).slice(4)}`];
    const entry = { session, grant, provider: 'default', loginAt: now, expiresAt: now + 3600 };
    pipeline.rpush(`ecf:i:${hashId(name)}`, Buffer.concat([Buffer.from(`${now + 3600}:`), sealer.seal('login index', name, JSON.stringify(entry))]));
    pipeline.set(`ecf:s:${session}`, 'x', 'EX', 3600);
    pipeline.hset(`ecf:g:{${grant}}`, 'v', '1');
  }
  await pipeline.exec();
}
