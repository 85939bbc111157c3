/** Answers that come as a cross-site POST: `form_post`, and OpenID Connect's hybrid flow by it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import { codeFlow, handleAuthErrors, requireAuth } from '../../lib/index.js';
import type { CodeFlowOptions } from '../../lib/index.js';
import { frameworks, testSecret } from '../support/apps.js';
import type { Framework, TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { untilAnswer } from '../support/form-post.js';
import { listen } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld({ host: 'localhost' }); // another site than the apps on 127.0.0.1
});
afterAll(() => world.close());

/** Chromium and Firefox take Secure cookies from loopback. */
const newBrowser = (login = 'alice') => createBrowser({ login, secureOnLoopback: true });
const codesRedeemed = () => world.authorizationServer.tokenRequests.authorization_code;

function appWith(provider: object, framework: Framework = 'express5', options: Partial<CodeFlowOptions> = {}): Promise<TestApp> {
  return world.app(framework, { options: { ...options, provider: { ...world.authorizationServer.provider, ...provider } } as Partial<CodeFlowOptions> });
}

const startUrl = (app: TestApp) => `${app.baseUrl}/login?returnTo=/private&login_hint=alice`;
const isLoggedIn = async (app: TestApp, browser: Browser) => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200;

describe.each(frameworks)('form_post on %s', (framework) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await appWith({ responseMode: 'form_post' }, framework, { session: { keep: ['counter'] } });
  });

  it('logs in by a POST from the other site, and no address holds a code', async () => {
    const browser = newBrowser();
    const page = await browser.get(`${app.baseUrl}/private?x=1`);
    expect([page.status, page.url, page.json().sub]).toEqual([200, `${app.baseUrl}/private?x=1`, 'alice']);
    const callback = page.hops.find(({ url }) => url.includes('/callback'));
    expect(callback).toMatchObject({ method: 'POST', status: 303, url: `${app.baseUrl}/callback` });
    expect(page.hops.map(({ url }) => url).join()).not.toContain('code=');
  });

  it('has a transaction cookie that survives the way back, and a session cookie that stays as strict as ever', async () => {
    const browser = newBrowser();
    const start = await browser.get(startUrl(app), { follow: false });
    expect(start.setCookies).toEqual([expect.stringMatching(/^session-login-[\w-]+=.*; Max-Age=600; HttpOnly; Secure; SameSite=None$/)]);
    const page = await browser.get(`${app.baseUrl}/private`);
    const answered = page.hops.find(({ method, url }) => method === 'POST' && url.startsWith(app.baseUrl));
    expect(answered?.setCookies).toEqual([
      expect.stringMatching(/^session=.*; HttpOnly; SameSite=Lax$/),
      expect.stringMatching(/^session-login-[\w-]+=.*; Max-Age=600; HttpOnly; Secure; SameSite=None$/),
    ]);
    const logout = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect(logout.setCookies).toContainEqual(expect.stringMatching(/^session-login-[\w-]+=; .*Max-Age=0; .*Secure; SameSite=None$/));
  });

  it('C1, C2, A17: replaces the session that the browser had, although the POST did not carry its cookie', async () => {
    const browser = newBrowser('bob');
    await browser.get(`${app.baseUrl}/private`);
    await browser.post(`${app.baseUrl}/session`, {}, { navigate: false });
    const before = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const { revocations } = world.authorizationServer.counters;
    const page = await browser.get(`${app.baseUrl}/login?returnTo=/session&login_hint=alice&prompt=login`);
    expect([page.status, page.json()]).toEqual([200, { counter: 1 }]);
    expect((await browser.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    const replayed = await createBrowser().get(`${app.baseUrl}/private`, { navigate: false, headers: { Cookie: before } });
    expect(replayed.status).toBe(401);
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
  });

  it('a refused login comes back by POST too', async () => {
    world.authorizationServer.settings.refuseLogin = 'access_denied';
    const page = await newBrowser().get(`${app.baseUrl}/private`);
    world.authorizationServer.settings.refuseLogin = undefined;
    expect([page.status, page.hops.at(-1)?.method]).toEqual([400, 'POST']);
    expect(page.text).toContain('ERR_CODE_FLOW_LOGIN_REFUSED');
  });
});

describe('an answer by form_post', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await appWith({ responseMode: 'form_post' });
  });

  const body = (fields: Record<string, string>, ...more: [string, string][]) => new URLSearchParams([...Object.entries(fields), ...more]).toString();

  it.each<[string, (fields: Record<string, string>) => { body: string; headers?: Record<string, string> }]>([
    ['A8: with a code twice', (fields) => ({ body: body(fields, ['code', 'another']) })],
    ['as JSON', (fields) => ({ body: JSON.stringify(fields), headers: { 'Content-Type': 'application/json' } })],
    ['without a type', (fields) => ({ body: body(fields), headers: { 'Content-Type': '' } })],
    ['of more than 16 KB', (fields) => ({ body: body(fields, ['more', 'x'.repeat(20_000)]) })],
    ['without a state', ({ state: _, ...fields }) => ({ body: body(fields) })],
    ['with a wrong state', (fields) => ({ body: body({ ...fields, state: `${fields['state']!}x` }) })],
  ])('%s is refused, and redeems and spends nothing', async (_, change) => {
    const browser = newBrowser();
    const { action, fields } = await untilAnswer(browser, startUrl(app));
    const before = codesRedeemed();
    const from = world.authorizationServer.issuer;
    const bad = change(fields);
    const refused = await browser.post(action, {}, { from, ...bad, headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...bad.headers } });
    expect(refused.status).toBe(400);
    expect([codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([before, false]);
    expect((await browser.post(action, fields, { from })).url).toBe(`${app.baseUrl}/private`);
    expect([codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([before + 1, true]);
  });

  it('counts in the body alone, and by POST alone', async () => {
    const browser = newBrowser();
    const { action, fields } = await untilAnswer(browser, startUrl(app));
    const before = codesRedeemed();
    const from = world.authorizationServer.issuer;
    const query = `${action}?${body(fields)}`;
    for (const attempt of [await browser.get(query, { from }), await browser.post(query, fields, { from })]) {
      expect([attempt.status, attempt.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_CALLBACK_INVALID')]);
    }
    expect([codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([before, false]);
  });

  it('A1, A3: is of no use in another browser, and of none the second time', async () => {
    const browser = newBrowser();
    const { action, fields } = await untilAnswer(browser, startUrl(app));
    const from = world.authorizationServer.issuer;
    const stolen = await newBrowser().post(action, fields, { from });
    expect([stolen.status, stolen.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_STATE_UNKNOWN')]);
    const Cookie = browser.cookies.header(new URL(action))!;
    await browser.post(action, fields, { from });
    const before = codesRedeemed();
    const replayed = await newBrowser().post(action, fields, { from, headers: { Cookie } });
    expect([replayed.status, replayed.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_LOGIN_USED')]);
    const again = await browser.post(action, fields, { from });
    expect([again.status, again.url]).toEqual([200, `${app.baseUrl}/private`]);
    expect([codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([before, true]);
  });

  it('sent twice at once redeems the code once', async () => {
    const browser = newBrowser();
    await browser.get(`${app.baseUrl}/private`); // both have a session to wait for
    const { action, fields } = await untilAnswer(browser, startUrl(app));
    const before = codesRedeemed();
    await world.redis.client().client('PAUSE', 100); // so that both have found the login before one of them goes on
    const options = { from: world.authorizationServer.issuer, follow: false };
    const answers = await Promise.all([browser.post(action, fields, options), browser.post(action, fields, options)]);
    // Whichever comes late has the session of before to go on with.
    expect(answers.map(({ headers }) => headers.location)).toEqual([`${app.baseUrl}/private`, `${app.baseUrl}/private`]);
    expect([codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([before + 1, true]);
  });

  it('is no answer where the app asked for a redirect', async () => {
    const plain = await appWith({});
    const browser = newBrowser();
    const before = codesRedeemed();
    const start = await browser.get(startUrl(plain), { follow: false });
    let url = start.headers.location ?? '';
    while (!url.startsWith(`${plain.baseUrl}/callback`)) url = new URL((await browser.get(url, { follow: false })).headers.location ?? '', url).href;
    const fields = Object.fromEntries(new URL(url).searchParams);
    const posted = await browser.post(`${plain.baseUrl}/callback`, fields, { from: plain.baseUrl });
    expect([posted.status, posted.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_CALLBACK_INVALID')]);
    expect(codesRedeemed()).toBe(before);
    expect((await browser.get(url)).url).toBe(`${plain.baseUrl}/private`);
  });
});

describe('behind a body parser of the app', () => {
  it.each([
    ['express.urlencoded()', express.urlencoded({ extended: true })],
    ['express.text()', express.text({ type: '*/*' })],
    ['express.json(), which leaves forms alone', express.json()],
  ])('%s', async (_, parser) => {
    const listening = await listen(async (port) => {
      const baseUrl = `http://127.0.0.1:${port}`;
      await world.authorizationServer.registerApp(baseUrl);
      const app = express();
      app.use(parser);
      app.use(codeFlow({ provider: { ...world.authorizationServer.provider, responseMode: 'form_post' }, baseUrl, secret: testSecret }));
      app.get('/private', requireAuth(), (req, res) => void res.json(req.oauth.claims));
      app.use(handleAuthErrors());
      return app;
    });
    const baseUrl = `http://127.0.0.1:${listening.port}`;
    expect((await newBrowser().get(`${baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    const browser = newBrowser();
    const { action, fields } = await untilAnswer(browser, `${baseUrl}/login?login_hint=alice`);
    const twice = new URLSearchParams([...Object.entries(fields), ['code', 'another']]).toString();
    expect((await browser.post(action, {}, { from: world.authorizationServer.issuer, body: twice })).status).toBe(400);
    await listening.close();
  });
});

describe('the hybrid flow', () => {
  // oidc-provider wants https for every client whose ID Token comes through the browser.
  const baseUrl = 'https://app.example.test';
  const client = { clientId: 'hybrid', clientSecret: 'the secret of the client hybrid, for tests' };
  let app: TestApp;
  beforeAll(async () => {
    await world.authorizationServer.registerClient({
      client_id: client.clientId,
      client_secret: client.clientSecret,
      grant_types: ['authorization_code', 'implicit', 'refresh_token'],
      response_types: ['code id_token'],
      redirect_uris: [`${baseUrl}/callback`],
      post_logout_redirect_uris: [`${baseUrl}/`],
    });
    const provider = { ...world.authorizationServer.provider, ...client, responseType: 'code id_token' as const };
    app = await world.app('express5', { baseUrl, options: { provider } });
  });
  const newBrowser = (login = 'alice') => createBrowser({ login, proxies: { [baseUrl]: app.origin } });

  it('comes by form_post without being told so, and logs in', async () => {
    const browser = newBrowser();
    const { fields } = await untilAnswer(browser, startUrl(app));
    expect(Object.keys(fields).sort()).toEqual(['code', 'id_token', 'state']); // `iss` stands in the ID Token (RFC 9207 §2.4)
    const page = await newBrowser().get(`${app.baseUrl}/private`);
    expect([page.status, page.json().sub]).toEqual([200, 'alice']);
    expect(page.json()).not.toHaveProperty('c_hash');
  });

  it('refreshes, calls the API and logs out as any other login', async () => {
    const browser = newBrowser();
    await browser.get(`${app.baseUrl}/private`);
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    expect((await browser.post(`${app.baseUrl}/logout`)).json()).toEqual({ isAuthenticated: false });
  });

  it.each<[string, (mine: Record<string, string>, other: Record<string, string>) => Record<string, string>]>([
    ['the code of another login, against c_hash', (mine, other) => ({ ...mine, code: other['code']! })],
    ['the ID Token of another login, against the nonce', (mine, other) => ({ ...mine, id_token: other['id_token']! })],
    ['the code and the ID Token of another login', (mine, other) => ({ ...mine, code: other['code']!, id_token: other['id_token']! })],
    ['no ID Token', ({ id_token: _, ...mine }) => mine],
    ['a changed ID Token', (mine) => ({ ...mine, id_token: mine['id_token']!.replace(/\.[^.]+$/, '.AAAA') })],
  ])('refuses %s before it redeems anything', async (_, change) => {
    const browser = newBrowser();
    const mine = await untilAnswer(browser, startUrl(app));
    const other = await untilAnswer(newBrowser(), startUrl(app).replace('alice', 'bob'));
    const before = codesRedeemed();
    const refused = await browser.post(mine.action, change(mine.fields, other.fields), { from: world.authorizationServer.issuer });
    expect([refused.status, codesRedeemed(), await isLoggedIn(app, browser)]).toEqual([400, before, false]);
  });
});
