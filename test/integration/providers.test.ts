/** Several authorization servers in one app: two real ones, each with its own API. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import type { CodeFlowOptions, ProviderOptions } from '../../lib/index.js';
import { invalidToken, startApi } from '../support/api-server.js';
import type { ApiServer } from '../support/api-server.js';
import type { Route, TestApp } from '../support/apps.js';
import { startAuthorizationServer, webClient } from '../support/authorization-server.js';
import type { AuthorizationServer } from '../support/authorization-server.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let acme: AuthorizationServer;
let beta: AuthorizationServer;
let betaApi: ApiServer;
beforeAll(async () => {
  world = await startWorld();
  acme = world.authorizationServer;
  beta = await startAuthorizationServer({ host: 'localhost' });
  betaApi = await startApi({ issuer: beta.issuer });
});
afterAll(async () => {
  await betaApi.stop();
  await beta.stop();
  await world.close();
});

const routes = (): Route[] => [
  { method: 'GET', path: '/who', handlers: [({ oauth: { provider, subject, grantId } }, res) => sendJson(res, 200, { provider, subject, grantId })] },
  { method: 'GET', path: '/beta', handlers: [requireAuth({ provider: 'beta' }), ({ oauth }, res) => sendJson(res, 200, { at: oauth.provider, sub: oauth.subject })] },
  { method: 'GET', path: '/gold', handlers: [requireAuth({ acr: 'gold' }), ({ oauth }, res) => sendJson(res, 200, { at: oauth.provider })] },
  {
    method: 'GET',
    path: '/beta-api',
    handlers: [async ({ oauthFetch }, res) => sendJson(res, 200, await (await oauthFetch(`${betaApi.url}whoami`)).json())],
  },
];

/** Listed as `acme` and `beta`, and registered at both. */
async function startApp(providers: unknown = { acme: acme.provider, beta: beta.provider }, options: Partial<CodeFlowOptions> = {}, baseUrl?: string): Promise<TestApp> {
  const apis = [{ url: world.api.url, provider: 'acme' }, ...(Object.hasOwn(providers as object, 'beta') ? [{ url: betaApi.url, provider: 'beta' }] : [])];
  const app = await world.app('express5', { routes: routes(), ...(baseUrl === undefined ? {} : { baseUrl }), options: { apis, ...options, providers } as Partial<CodeFlowOptions> });
  await beta.registerApp(app.baseUrl);
  return app;
}

async function loggedIn(app: TestApp, provider: string, account = 'alice'): Promise<Browser> {
  const browser = createBrowser({ login: account });
  const page = await browser.get(`${app.baseUrl}/login?provider=${provider}&returnTo=/who`);
  expect(page.json()).toMatchObject({ provider, subject: account });
  return browser;
}

const redeemed = () => [acme.tokenRequests.authorization_code, beta.tokenRequests.authorization_code];
const refreshed = () => [acme.tokenRequests.refresh_token, beta.tokenRequests.refresh_token];
const who = async (app: TestApp, browser: Browser) => (await browser.get(`${app.baseUrl}/who`)).json();

/** The address with which the server sends the browser back, before the browser goes there. */
async function answerOf(app: TestApp, browser: Browser, start: string): Promise<URL> {
  let page = await browser.get(start, { follow: false });
  for (;;) {
    const next = new URL(page.headers.location ?? '', page.url);
    if (next.origin === app.baseUrl) return next;
    page = await browser.get(next, { follow: false });
  }
}

describe('a login', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });

  it('happens at the provider that the login names, and at the first one if it names none', async () => {
    await loggedIn(app, 'beta');
    const browser = createBrowser({ login: 'bob' });
    await browser.get(`${app.baseUrl}/private`);
    expect(await who(app, browser)).toMatchObject({ provider: 'acme', subject: 'bob' });
  });

  it.each(['provider=nobody', 'provider=', 'provider=__proto__', 'provider=constructor', 'provider=acme%2f..', 'provider=acme&provider=beta'])(
    'with %s is refused with a page that repeats nothing',
    async (query) => {
      const page = await createBrowser().get(`${app.baseUrl}/login?${query}`);
      expect([page.status, page.setCookies]).toEqual([400, []]);
      expect(page.text).toContain('ERR_CODE_FLOW_PROVIDER_UNKNOWN');
      expect(page.text).not.toContain('nobody');
    },
  );

  it('of another provider is sent to the right one when a page asks for that, and replaced', async () => {
    const browser = await loggedIn(app, 'acme');
    const { revocations } = acme.counters;
    const page = await browser.get(`${app.baseUrl}/beta?x=1`);
    expect([page.status, page.url, page.json()]).toEqual([200, `${app.baseUrl}/beta?x=1`, { at: 'beta', sub: 'alice' }]);
    expect(page.hops[0]?.location).toBe(`${app.baseUrl}/login?provider=beta&returnTo=${encodeURIComponent(`${app.baseUrl}/beta?x=1`)}`);
    expect(acme.counters.revocations).toBe(revocations + 1);
    expect((await browser.get(`${app.baseUrl}/beta`)).hops).toHaveLength(1);
  });

  it.each(['acme', undefined])('of %s is 401 for everything but a page, with the address of the right login', async (provider) => {
    const browser = provider === undefined ? createBrowser() : await loggedIn(app, provider);
    const answer = await browser.get(`${app.baseUrl}/beta`, { navigate: false });
    expect([answer.status, answer.setCookies]).toEqual([401, []]);
    expect(answer.json()).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', login: `${app.baseUrl}/login?provider=beta` });
  });

  it('that was refused can be started again at the same provider', async () => {
    beta.settings.refuseLogin = 'access_denied';
    const failed: unknown[] = [];
    app.auth.on('login.failed', (detail) => failed.push(detail));
    const page = await createBrowser({ login: 'alice' }).get(`${app.baseUrl}/login?provider=beta`);
    beta.settings.refuseLogin = undefined;
    expect([page.status, page.text]).toEqual([400, expect.stringContaining(`href="${app.baseUrl}/login?provider=beta"`)]);
    expect(failed).toEqual([{ code: 'ERR_CODE_FLOW_LOGIN_REFUSED', provider: 'beta' }]);
  });

  it('is stepped up at its own provider', async () => {
    const browser = await loggedIn(app, 'beta');
    const { status, headers } = await browser.get(`${app.baseUrl}/gold`, { follow: false });
    expect([status, headers.location]).toEqual([302, expect.stringMatching(`^${beta.issuer}/auth\\?.*acr_values=gold`)]);
  });

  it('is refreshed and ended at its own provider', async () => {
    const browser = await loggedIn(app, 'beta');
    const [atAcme, atBeta] = refreshed();
    betaApi.plan.push(invalidToken);
    expect((await browser.get(`${app.baseUrl}/beta-api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    expect(refreshed()).toEqual([atAcme, atBeta! + 1]);
    const before = [acme.counters.revocations, acme.counters.endSessions, beta.counters.revocations];
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([acme.counters.revocations, acme.counters.endSessions, beta.counters.revocations]).toEqual([before[0], before[1], before[2]! + 1]);
    expect(page.hops.some(({ url }) => url.startsWith(`${beta.issuer}/session/end`))).toBe(true);
  });
});

describe('an API that is bound to a provider', () => {
  it('gets a token of that provider, and none of another', async () => {
    const app = await startApp();
    const browser = await loggedIn(app, 'acme');
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    const calls = betaApi.calls.length;
    const refused = await browser.get(`${app.baseUrl}/beta-api`, { navigate: false });
    expect([refused.status, refused.json()]).toEqual([401, expect.objectContaining({ login: `${app.baseUrl}/login?provider=beta` })]);
    expect(betaApi.calls).toHaveLength(calls);
    const page = await browser.get(`${app.baseUrl}/beta-api`);
    expect([page.status, page.json().sub]).toEqual([200, 'alice']);
    expect(betaApi.calls.slice(calls)).toMatchObject([{ token: 'valid', subject: 'alice' }]);
  });

  it('one that is bound to none gets the token of whatever login there is', async () => {
    const app = await startApp(undefined, { apis: [world.api.url, betaApi.url] });
    expect((await (await loggedIn(app, 'beta')).get(`${app.baseUrl}/beta-api`)).json()).toMatchObject({ sub: 'alice' });
    expect((await (await loggedIn(app, 'acme')).get(`${app.baseUrl}/api`)).json()).toMatchObject({ sub: 'alice' });
  });
});

describe('equal accounts at two providers are two users', () => {
  it('each with tokens of its own, also for background jobs', async () => {
    const app = await startApp();
    const grants = await Promise.all(['acme', 'beta'].map(async (provider) => (await who(app, await loggedIn(app, provider, 'carol'))).grantId as string));
    const jobs = grants.map((grantId) => app.auth.grant(grantId));
    const before = refreshed();
    for (const api of [world.api, betaApi]) api.plan.push(invalidToken);
    const answers = await Promise.all([jobs[0]!.fetch(`${world.api.url}whoami`), jobs[1]!.fetch(`${betaApi.url}whoami`)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(refreshed()).toEqual(before.map((count) => count + 1));
    await expect(jobs[0]!.fetch(`${betaApi.url}whoami`)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', provider: 'beta' });
  });

  it('whose logins are ended apart', async () => {
    const app = await startApp();
    const [atAcme, atBeta] = [await loggedIn(app, 'acme', 'dave'), await loggedIn(app, 'beta', 'dave')];
    const isLoggedIn = async (browser: Browser) => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200;
    await app.auth.endSessions({ subject: 'dave', provider: 'beta' });
    expect([await isLoggedIn(atAcme), await isLoggedIn(atBeta)]).toEqual([true, false]);
    await app.auth.endSessions({ subject: 'dave' });
    expect(await isLoggedIn(atAcme)).toBe(false);
  });
});

describe('A6, A7: the answer of one provider is never accepted for another (RFC 9700 §4.4)', () => {
  const refuses = async (browser: Browser, url: URL, code: string) => {
    const before = redeemed();
    const page = await browser.get(url);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining(code)]);
    expect(redeemed()).toEqual(before);
  };

  it('by the `iss` of its answers, where servers send it (RFC 9207)', async () => {
    const app = await startApp();
    const browser = createBrowser();
    const mine = await answerOf(app, browser, `${app.baseUrl}/login?provider=acme&login_hint=alice&returnTo=/who`);
    const foreign = await answerOf(app, browser, `${app.baseUrl}/login?provider=beta&login_hint=mallory`);
    expect([mine.pathname, foreign.pathname]).toEqual(['/callback', '/callback']);
    foreign.searchParams.set('state', mine.searchParams.get('state')!);
    await refuses(browser, foreign, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
    expect(await who(app, browser)).toEqual({});
  });

  it('and not by leaving `iss` out', async () => {
    const app = await startApp();
    const browser = createBrowser();
    const mine = await answerOf(app, browser, `${app.baseUrl}/login?provider=acme&login_hint=alice`);
    mine.searchParams.delete('iss');
    await refuses(browser, mine, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
  });

  const byHand = async (server: AuthorizationServer): Promise<ProviderOptions> => {
    const { authorization_response_iss_parameter_supported: _, ...metadata } = await (await fetch(`${server.issuer}/.well-known/openid-configuration`)).json() as never as Record<string, unknown>;
    return { server: metadata as never, ...webClient };
  };

  it('by a redirect URI per provider, where servers do not', async () => {
    const app = await startApp({ acme: await byHand(acme), beta: await byHand(beta) });
    await acme.registerApp(app.baseUrl, { callback: '/callback/acme' });
    await beta.registerApp(app.baseUrl, { callback: '/callback/beta' });
    const browser = createBrowser();
    const mine = await answerOf(app, browser, `${app.baseUrl}/login?provider=acme&login_hint=alice&returnTo=/who`);
    const foreign = await answerOf(app, browser, `${app.baseUrl}/login?provider=beta&login_hint=mallory`);
    expect([mine.pathname, foreign.pathname]).toEqual(['/callback/acme', '/callback/beta']);
    for (const url of [mine, foreign]) url.searchParams.delete('iss');
    const genuine = new URL(mine);
    foreign.searchParams.set('state', mine.searchParams.get('state')!);
    await refuses(browser, foreign, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
    mine.pathname = '/callback/beta';
    await refuses(browser, mine, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
    mine.pathname = '/callback';
    await refuses(browser, mine, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
    expect((await browser.get(genuine)).json()).toMatchObject({ provider: 'acme', subject: 'alice' });
  });

  it('with a path of one\'s own choice', async () => {
    const app = await startApp({ acme: { ...(await byHand(acme)), callbackPath: '/auth/acme/back' }, beta: beta.provider });
    await acme.registerApp(app.baseUrl, { callback: '/auth/acme/back' });
    const page = await createBrowser({ login: 'alice' }).get(`${app.baseUrl}/beta`);
    expect(page.json()).toMatchObject({ at: 'beta' });
    const browser = createBrowser({ login: 'alice' });
    const own = await browser.get(`${app.baseUrl}/who`).then(() => browser.get(`${app.baseUrl}/login?returnTo=/who`));
    expect([own.json().provider, own.hops.some(({ url }) => new URL(url).pathname === '/auth/acme/back')]).toEqual(['acme', true]);
  });

  it('and never on a shared path without `iss`: that is a mistake of the app, and loud', async () => {
    const app = await startApp({ acme: acme.provider, beta: { ...(await byHand(beta)), callbackPath: '/callback' } });
    expect((await createBrowser({ login: 'alice' }).get(`${app.baseUrl}/login?provider=beta`)).status).toBe(500);
    expect(app.errors).toMatchObject([{ code: 'ERR_CODE_FLOW_OPTION_CONFLICT', message: expect.stringContaining('such as "/callback/beta"') }]);
  });

  it('also when the name came to mean another server meanwhile', async () => {
    const callbackPath = '/back';
    const before = await startApp({ acme: { ...(await byHand(acme)), callbackPath } });
    const after = await startApp({ acme: { ...(await byHand(beta)), callbackPath } }, {}, before.baseUrl);
    await acme.registerApp(before.baseUrl, { callback: callbackPath });
    const browser = createBrowser();
    const answer = await answerOf(before, browser, `${before.baseUrl}/login?provider=acme&login_hint=alice&returnTo=/who`);
    answer.searchParams.delete('iss');
    const elsewhere = new URL(answer);
    elsewhere.port = String(after.port);
    await refuses(browser, elsewhere, 'ERR_CODE_FLOW_ISSUER_MISMATCH');
    expect((await browser.get(answer)).json()).toMatchObject({ provider: 'acme', subject: 'alice' });
  });
});

describe('a provider that is no longer among the options', () => {
  it('signs out nobody: pages go on, tokens wait, and the logout works', async () => {
    const full = await startApp();
    const reduced = await startApp({ acme: acme.provider }, { apis: [world.api.url, betaApi.url] }, full.baseUrl);
    const browser = await loggedIn(full, 'beta');
    expect((await browser.get(`${reduced.origin}/private`)).json()).toMatchObject({ sub: 'alice' });
    betaApi.plan.push(invalidToken);
    const answer = await browser.get(`${reduced.origin}/beta-api`, { navigate: false });
    expect([answer.status, answer.json().code]).toEqual([503, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE']);
    expect((await browser.get(`${full.baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    const out = await browser.post(`${reduced.origin}/logout`, {}, { follow: false, from: reduced.origin });
    expect([out.status, out.headers.location]).toEqual([303, `${full.baseUrl}/`]);
    expect((await browser.get(`${full.baseUrl}/private`, { navigate: false })).status).toBe(401);
  });
});
