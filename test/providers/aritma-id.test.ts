/** Aritma ID through its preset, at an emulator that knows nothing but its document (PROVIDERS, 1). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { aritmaId } from '../../lib/providers/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { AritmaId } from '../support/servers/aritma-id.js';
import { isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

const scope = 'openid profile offline_access banking.ais.read';

let server: AritmaId;
let world: SystemWorld;
let app: TestApp;
const provider = (tenant = 'acme') => aritmaId({ tenant, baseUrl: server.origin, clientId: server.clientId, clientSecret: server.clientSecret, scope });

beforeAll(async () => {
  server = await new AritmaId().start();
  world = await startSystemWorld(server);
  const companies = { method: 'GET' as const, path: '/companies', handlers: [forwardCompanies] };
  app = await world.app({ provider: provider() }, [companies]);
});
afterAll(() => world.close());
afterEach(() => {
  server.settings.refuseLogin = undefined;
  server.settings.accessTokenSeconds = 86_400;
  expect(server.refusals.splice(0)).toEqual([]);
});

async function forwardCompanies(req: { oauthFetch: typeof fetch }, res: { end(text: string): void }): Promise<void> {
  res.end(await (await req.oauthFetch(`${server.apiUrl}v3/companies`)).text());
}

describe('a login at Aritma ID', () => {
  it('brings the user back with the claims of the ID Token', async () => {
    const before = { ...server.counters };
    const browser = await world.loggedIn(app, 'alice');
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({
      isAuthenticated: true,
      claims: expect.objectContaining({ iss: server.issuerOf('acme'), sub: 'alice', name: 'alice of the test' }),
    });
    expect(server.counters).toEqual({ ...before, authorizations: before.authorizations + 1, loginForms: before.loginForms + 1, exchanges: before.exchanges + 1 });
    expect(server.clientAuthentication).toBe('client_secret_post');
  });

  it('lets the app call GET /api/v3/companies with the token of its session', async () => {
    const browser = await world.loggedIn(app, 'bob');
    expect((await browser.get(`${app.baseUrl}/companies`)).json()).toEqual({ sub: 'bob', scope, tenant: 'acme' });
    expect(server.apiCalls.at(-1)).toEqual({ path: '/api/v3/companies', status: 200, account: 'bob' });
  });

  it('serves several tenants, each with tokens and refreshes of its own', async () => {
    const both = await world.app({ provider: undefined, providers: { acme: provider('acme'), globex: provider('globex') } });
    for (const tenant of server.tenants) {
      const browser = createBrowser({ login: 'alice' });
      await browser.get(`${both.baseUrl}/login?provider=${tenant}&returnTo=/private`);
      expect((await browser.get(`${both.baseUrl}/`)).json()).toMatchObject({ claims: { iss: server.issuerOf(tenant) } });
      server.expireAccessTokens();
      expect((await openApiPage(browser, both)).json()).toMatchObject({ sub: 'alice', tenant });
    }
  });

  it('finds tenants by a function', async () => {
    const asked: string[] = [];
    const providers = (name: string) => {
      asked.push(name);
      return name === 'globex' ? provider(name) : undefined;
    };
    const many = await world.app({ provider: undefined, providers });
    server.registerRedirectUri(`${many.baseUrl}/callback/globex`);
    const browser = createBrowser({ login: 'alice' });
    const page = await browser.get(`${many.baseUrl}/login?provider=globex&returnTo=/api`);
    expect(page.json()).toMatchObject({ sub: 'alice', tenant: 'globex' });
    expect(asked).toEqual(['globex']);
    const unknown = await browser.get(`${many.baseUrl}/login?provider=initech`);
    expect([unknown.status >= 400, unknown.url.startsWith(many.baseUrl)]).toEqual([true, true]);
  });

  it('works with HTTP Basic as well', async () => {
    const basic = await world.app({ provider: { ...provider(), clientAuthentication: 'client_secret_basic' } });
    expect(await isLoggedIn(await world.loggedIn(basic), basic)).toBe(true);
    expect(server.clientAuthentication).toBe('client_secret_basic');
  });

  it('that the user refuses leaves nothing behind', async () => {
    server.settings.refuseLogin = 'access_denied';
    const [added, browser] = [await world.addedKeys(), createBrowser({ login: 'alice' })];
    const page = await browser.get(`${app.baseUrl}/private`);
    expect(page.url).toContain(`${app.baseUrl}/callback`);
    expect(page.status).toBeGreaterThanOrEqual(400);
    expect(page.text).not.toContain('access_denied');
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
  });
});

describe('a refresh at Aritma ID', () => {
  it('keeps the refresh token that it has, since the answer brings no new one', async () => {
    const browser = await world.loggedIn(app);
    const { refreshes, authorizations } = server.counters;
    for (const round of [1, 2, 3]) {
      server.expireAccessTokens();
      const page = await openApiPage(browser, app);
      expect([page.status, page.json().sub, server.counters.refreshes]).toEqual([200, 'alice', refreshes + round]);
    }
    expect(server.counters.authorizations).toBe(authorizations);
  });

  it('comes before the API is asked when the token has run out', async () => {
    server.expireAccessTokens();
    server.settings.accessTokenSeconds = 1;
    const browser = await world.loggedIn(app);
    server.settings.accessTokenSeconds = 86_400;
    await eventually(() => server.live.accessTokens === 0);
    const calls = server.apiCalls.length;
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.apiCalls.slice(calls).map(({ status }) => status)).toEqual([200]);
  });

  it('that is refused leads to one clean login', async () => {
    const browser = await world.loggedIn(app);
    const { authorizations, loginForms } = server.counters;
    server.expireAccessTokens();
    server.expireRefreshTokens();
    const page = await openApiPage(browser, app);
    expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/api`]);
    // The session at the server lives, so nobody had to type anything.
    expect(server.counters).toMatchObject({ authorizations: authorizations + 1, loginForms });
  });

  it('is not tried without offline_access: one clean login', async () => {
    const online = await world.app({ provider: { ...provider(), scope: 'openid' } });
    const browser = await world.loggedIn(online);
    const { authorizations, refreshes } = server.counters;
    server.expireAccessTokens();
    expect((await openApiPage(browser, online)).status).toBe(200);
    expect(server.counters).toMatchObject({ authorizations: authorizations + 1, refreshes });
  });
});

describe('the prompts of Aritma ID', () => {
  it('prompt=none comes back to where it started, with a flag, when nobody is logged in there', async () => {
    const browser = createBrowser();
    const page = await browser.get(`${app.baseUrl}/login?prompt=none&returnTo=/public%3Fx=1`);
    expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/public?x=1&login=required`]);
    expect(await isLoggedIn(browser, app)).toBe(false);
  });

  it('prompt=none logs in silently when somebody is', async () => {
    const browser = await world.loggedIn(app);
    await browser.post(`${app.baseUrl}/logout`);
    const { loginForms } = server.counters;
    const page = await browser.get(`${app.baseUrl}/login?prompt=none&returnTo=/public`);
    expect([page.url, await isLoggedIn(browser, app), server.counters.loginForms]).toEqual([`${app.baseUrl}/public`, true, loginForms]);
  });

  it('prompt=login with acr_values=mfa asks again, whoever is logged in', async () => {
    const browser = await world.loggedIn(app);
    const [{ loginForms }, { mfaLogins }] = [server.counters, server];
    const page = await browser.get(`${app.baseUrl}/login?prompt=login&acr_values=mfa&returnTo=/private`);
    expect(page.status).toBe(200);
    expect(server.counters.loginForms).toBe(loginForms + 1);
    expect(server.mfaLogins).toBeGreaterThan(mfaLogins);
  });

  it('acr_values=mfa alone is refused there, and the app says so without looping', async () => {
    const page = await createBrowser({ login: 'alice' }).get(`${app.baseUrl}/login?acr_values=mfa`);
    expect([page.status >= 400, page.url.startsWith(`${app.baseUrl}/callback`)]).toEqual([true, true]);
    expect(server.refusals.splice(0)).toEqual([expect.objectContaining({ reason: 'acr_values=mfa must come together with prompt=login' })]);
  });
});

describe('a logout', () => {
  it('ends the login here; the document has neither revocation nor a logout page', async () => {
    const browser = await world.loggedIn(app);
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/`, { isAuthenticated: false }]);
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).status).toBe(401);
  });
});
