/** Aidbox's `/auth` endpoints through the preset, at an emulator that knows nothing but their document (PROVIDERS, 5). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { aidbox } from '../../lib/providers/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { AidboxAuth, type AidboxClient } from '../support/servers/aidbox-auth.js';
import { isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

const kinds: Record<string, Partial<AidboxClient>> = { 'a client with a secret': {}, 'a PKCE client without a secret': { secretRequired: false } };

let server: AidboxAuth;
let world: SystemWorld;
let app: TestApp;

async function start(client: Partial<AidboxClient>): Promise<void> {
  server = await new AidboxAuth(client).start();
  world = await startSystemWorld(server);
  const clientSecret = server.client.secretRequired ? server.clientSecret : undefined;
  app = await world.app({ provider: aidbox({ baseUrl: server.origin, clientId: server.clientId, clientSecret }) });
}

const nothingRefused = (): void => expect(server.refusals.splice(0)).toEqual([]);

describe.each(Object.entries(kinds))('Aidbox with %s', (_name, client) => {
  beforeAll(() => start(client));
  afterAll(() => world.close());
  afterEach(() => {
    server.settings.refuseLogin = undefined;
    server.settings.accessTokenSeconds = 3600;
    nothingRefused();
  });

  it('a login takes the user from userinfo of the token response', async () => {
    const browser = await world.loggedIn(app, 'alice');
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({
      isAuthenticated: true,
      claims: { sub: 'alice', id: 'alice', email: 'alice@example.org', resourceType: 'User' },
    });
    expect((await openApiPage(browser, app)).json()).toMatchObject({ sub: 'alice' });
  });

  it('login_hint fills in the login page', async () => {
    const page = await createBrowser().get(`${app.baseUrl}/login?login_hint=carol`);
    expect([page.url.startsWith(server.origin), page.text.includes('value="carol"')]).toEqual([true, true]);
  });

  it('a refresh is written in JSON and keeps the refresh token and the user', async () => {
    const browser = await world.loggedIn(app, 'bob');
    const { refreshes, authorizations } = server.counters;
    for (const round of [1, 2]) {
      server.expireAccessTokens();
      expect((await openApiPage(browser, app)).status).toBe(200);
      expect(server.counters.refreshes).toBe(refreshes + round);
    }
    expect((await browser.get(`${app.baseUrl}/`)).json()).toMatchObject({ claims: { sub: 'bob' } });
    expect(server.counters.authorizations).toBe(authorizations);
  });

  it('a token that has run out by expires_in is refreshed before the API is asked', async () => {
    server.expireAccessTokens();
    server.settings.accessTokenSeconds = 1;
    const browser = await world.loggedIn(app);
    server.settings.accessTokenSeconds = 3600;
    await eventually(() => server.live.accessTokens === 0);
    const calls = server.apiCalls.length;
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.apiCalls.slice(calls).map(({ status }) => status)).toEqual([200]);
  });

  it('a refresh token that has ended leads to one clean login', async () => {
    const browser = await world.loggedIn(app);
    const { authorizations } = server.counters;
    server.expireAccessTokens();
    server.expireRefreshTokens();
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.counters.authorizations).toBe(authorizations + 1);
  });

  it('a login that the user refuses leaves nothing behind', async () => {
    server.settings.refuseLogin = 'access_denied';
    const [added, browser] = [await world.addedKeys(), createBrowser({ login: 'alice' })];
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status >= 400, page.url.startsWith(`${app.baseUrl}/callback`)]).toEqual([true, true]);
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
  });

  it('a logout closes the session with DELETE /Session, also after a refresh', async () => {
    const browser = await world.loggedIn(app);
    server.expireAccessTokens();
    await openApiPage(browser, app);
    const { closedSessions, live } = server;
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/`, { isAuthenticated: false }]);
    expect(server.closedSessions).toBe(closedSessions + 1);
    expect(server.live.accessTokens).toBe(live.accessTokens - 1);
    expect(server.live.refreshTokens).toBe(live.refreshTokens - 1);
    // A first-party client shares the session with Aidbox itself: the next login has to be typed.
    expect(server.live.browserSessions).toBe(live.browserSessions - 1);
    browser.login = undefined;
    expect((await browser.get(`${app.baseUrl}/private`)).text).toContain('name="username"');
  });

  it('a logout works here while Aidbox has forgotten the session already', async () => {
    const browser = await world.loggedIn(app);
    server.expireAccessTokens();
    const failed: unknown[] = [];
    app.auth.on('logout.revocation_failed', (event) => failed.push(event));
    expect((await browser.post(`${app.baseUrl}/logout`)).json()).toEqual({ isAuthenticated: false });
    expect(failed).toHaveLength(1);
    expect(server.refusals.splice(0)).toEqual([{ endpoint: 'DELETE /Session', reason: 'no access token that works' }]);
  });
});

describe('Aidbox with a client that has no refresh tokens and is not first-party', () => {
  beforeAll(() => start({ refreshToken: false, firstParty: false }));
  afterAll(() => world.close());
  afterEach(nothingRefused);

  it('an expired token leads to one clean login', async () => {
    const browser = await world.loggedIn(app);
    const { authorizations } = server.counters;
    server.expireAccessTokens();
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.counters).toMatchObject({ authorizations: authorizations + 1, refreshes: 0 });
  });

  it("a logout leaves the user's session at Aidbox alone", async () => {
    const browser = await world.loggedIn(app);
    const { browserSessions } = server.live;
    await browser.post(`${app.baseUrl}/logout`);
    expect(server.live.browserSessions).toBe(browserSessions);
  });
});
