/** Aidbox's `/oauth2` endpoints through the preset, at an emulator that knows nothing but their document (PROVIDERS, 2). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ProviderOptions } from '../../lib/index.js';
import { aidboxLegacy } from '../../lib/providers/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { AidboxOAuth2 } from '../support/servers/aidbox-oauth2.js';
import { isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

let server: AidboxOAuth2;
let world: SystemWorld;
const provider = (changes: Partial<Parameters<typeof aidboxLegacy>[0]> = {}): ProviderOptions =>
  aidboxLegacy({ baseUrl: server.origin, clientId: server.clientId, clientSecret: server.clientSecret, ...changes });

beforeAll(async () => {
  server = await new AidboxOAuth2().start();
  world = await startSystemWorld(server);
});
afterAll(() => world.close());
afterEach(() => {
  server.settings.refuseLogin = undefined;
  expect(server.refusals.splice(0)).toEqual([]);
});

/** The two forms of the token request, and the two kinds of login. */
const forms = {
  'a form-encoded token request with HTTP Basic': {},
  'a JSON token request with the secret in it': { tokenRequestFormat: 'json', clientAuthentication: 'client_secret_post' },
} as const;

describe.each(Object.entries(forms))('with %s', (_name, form) => {
  const format = 'tokenRequestFormat' in form ? form.tokenRequestFormat : 'form';
  let app: TestApp;
  let openid: TestApp;
  beforeAll(async () => {
    app = await world.app({ provider: provider(form) });
    openid = await world.app({ provider: provider({ ...form, responseType: 'code id_token' }) });
  });

  it('a login works without OpenID Connect; nobody knows who it is, and the guards rest on the grant', async () => {
    const before = server.tokenRequests[format];
    const browser = await world.loggedIn(app);
    expect(server.tokenRequests[format]).toBe(before + 1);
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: true, claims: {} });
    expect((await browser.get(`${app.baseUrl}/private-token`)).status).toBe(200);
    expect((await openApiPage(browser, app)).json()).toMatchObject({ sub: 'alice' });
  });

  it('a login with code id_token brings the code alone in the query, and the ID Token from the token endpoint', async () => {
    const browser = await world.loggedIn(openid, 'bob');
    const page = await browser.get(`${openid.baseUrl}/`);
    expect(page.json()).toEqual({ isAuthenticated: true, claims: expect.objectContaining({ sub: 'bob', iss: server.issuer }) });
    expect((await openApiPage(browser, openid)).json()).toMatchObject({ sub: 'bob' });
  });

  it('a token that does not say when it ends is used until the API refuses it: then one clean login', async () => {
    const browser = await world.loggedIn(openid);
    const [{ authorizations, loginForms }, calls] = [{ ...server.counters }, server.apiCalls.length];
    for (let call = 0; call < 3; call += 1) expect((await openApiPage(browser, openid)).status).toBe(200);
    expect(server.counters.authorizations).toBe(authorizations);
    server.expireAccessTokens();
    const page = await openApiPage(browser, openid);
    expect([page.status, page.url]).toEqual([200, `${openid.baseUrl}/api`]);
    expect(server.counters).toMatchObject({ authorizations: authorizations + 1, loginForms });
    expect(server.apiCalls.slice(calls).map(({ status }) => status)).toEqual([200, 200, 200, 401, 200]);
  });

  it('a script, which cannot be sent to a login, gets 401 instead', async () => {
    const browser = await world.loggedIn(app);
    server.expireAccessTokens();
    const answer = await browser.get(`${app.baseUrl}/api`, { navigate: false });
    expect([answer.status, answer.json().code]).toEqual([401, 'ERR_CODE_FLOW_LOGIN_REQUIRED']);
  });
});

describe('at the /oauth2 endpoints', () => {
  it('a login that the user refuses leaves nothing behind', async () => {
    const app = await world.app({ provider: provider() });
    server.settings.refuseLogin = 'access_denied';
    const [added, browser] = [await world.addedKeys(), createBrowser({ login: 'alice' })];
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status >= 400, page.url.startsWith(`${app.baseUrl}/callback`)]).toEqual([true, true]);
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
  });

  it('a logout ends the login here; the document has neither revocation nor a logout', async () => {
    const app = await world.app({ provider: provider() });
    const browser = await world.loggedIn(app);
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/`, { isAuthenticated: false }]);
  });
});
