/** BlackBerry AtHoc through its preset, at an emulator that knows nothing but its document (PROVIDERS, 4). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { athoc } from '../../lib/providers/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { AtHoc } from '../support/servers/athoc.js';
import { isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

const kinds: Record<string, { clientSecret?: string }> = { 'a public client': {}, 'a confidential client': { clientSecret: 'athoc-secret_for.tests' } };

describe.each(Object.entries(kinds))('AtHoc with %s', (_name, kind) => {
  let server: AtHoc;
  let world: SystemWorld;
  let app: TestApp;
  const provider = (organizationCode = 'red') => athoc({ baseUrl: server.origin, organizationCode, clientId: server.clientId, ...kind });

  beforeAll(async () => {
    server = await new AtHoc(kind).start();
    world = await startSystemWorld(server);
    app = await world.app({ provider: provider() });
  });
  afterAll(() => world.close());
  afterEach(() => {
    server.settings.accessTokenSeconds = 3600;
    expect(server.refusals.splice(0)).toEqual([]);
  });

  it('a login works without the ID Token that was asked for; nobody knows who it is, and the guards rest on the grant', async () => {
    const browser = await world.loggedIn(app);
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: true, claims: {} });
    expect((await browser.get(`${app.baseUrl}/private-token`)).status).toBe(200);
    expect((await openApiPage(browser, app)).json()).toMatchObject({ sub: 'alice', organization: 'red' });
  });

  it('an API of the server can say who it is', async () => {
    const identified = await world.app({
      provider: { ...provider(), identity: async (_tokens, { fetch }) => (await (await fetch(`${server.apiUrl}whoami`)).json()) as { sub: string } },
    });
    const browser = await world.loggedIn(identified, 'bob');
    expect((await browser.get(`${identified.baseUrl}/`)).json()).toMatchObject({ claims: { sub: 'bob', organization: 'red' } });
  });

  it('each organisation has a login and an access token of its own', async () => {
    const both = await world.app({ provider: undefined, providers: { red: provider('red'), blue: provider('blue') } });
    const browser = createBrowser({ login: 'alice' });
    for (const organization of ['red', 'blue', 'red']) {
      await browser.get(`${both.baseUrl}/login?provider=${organization}&returnTo=/private`);
      expect((await openApiPage(browser, both)).json()).toMatchObject({ sub: 'alice', organization });
    }
  });

  it('an answer for one organisation is not accepted for the other', async () => {
    const both = await world.app({ provider: undefined, providers: { red: provider('red'), blue: provider('blue') } });
    const browser = createBrowser({ login: 'alice' });
    const started = await browser.get(`${both.baseUrl}/login?provider=red`, { follow: false });
    const atServer = await browser.get(started.headers.location ?? '');
    const callback = atServer.hops.find(({ location }) => location?.startsWith(both.baseUrl) === true)?.location ?? '';
    expect(callback).toContain('/callback/red?');
    const fresh = await browser.get(`${both.baseUrl}/login?provider=red`, { follow: false });
    const state = new URL(fresh.headers.location ?? '').searchParams.get('state');
    const mixedUp = new URL(callback.replace('/callback/red', '/callback/blue'));
    mixedUp.searchParams.set('state', state ?? '');
    const page = await browser.get(mixedUp);
    expect([page.status >= 400, page.url.startsWith(`${both.baseUrl}/callback/blue`)]).toEqual([true, true]);
  });

  it('refused credentials end on a page of the server, and the abandoned login leaves nothing behind', async () => {
    const added = await world.addedKeys();
    const browser = createBrowser({ login: 'stranger' });
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status, page.url.startsWith(server.origin)]).toEqual([400, true]);
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
    // Only the browser remembers that a login was begun: for ten minutes, and never more than five.
    for (let attempt = 0; attempt < 6; attempt += 1) await browser.get(`${app.baseUrl}/private`);
    const begun = browser.cookies.all().filter(({ name }) => name.startsWith('session-login-'));
    expect(begun.length).toBeLessThanOrEqual(5);
    for (const { expires } of begun) expect(expires! - Date.now()).toBeLessThanOrEqual(600_000);
    expect(await added()).toEqual([]);
    browser.login = 'alice';
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
  });

  it('a wrong organisation code ends there as well', async () => {
    const lost = await world.app({ provider: provider('green') });
    const page = await createBrowser({ login: 'alice' }).get(`${lost.baseUrl}/private`);
    expect([page.status, page.url.startsWith(server.origin)]).toEqual([400, true]);
  });

  it('a refresh is written in JSON and takes the new refresh token', async () => {
    const browser = await world.loggedIn(app);
    const { refreshes, authorizations } = server.counters;
    for (const round of [1, 2]) {
      server.expireAccessTokens();
      expect((await openApiPage(browser, app)).json()).toMatchObject({ organization: 'red' });
      expect(server.counters.refreshes).toBe(refreshes + round);
    }
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

  it('a logout ends the login here; the document has neither revocation nor a logout', async () => {
    const browser = await world.loggedIn(app);
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/`, { isAuthenticated: false }]);
  });
});
