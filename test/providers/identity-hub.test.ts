/** The Identity Hub through its preset, at an emulator that knows nothing but its document (PROVIDERS, 3). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { identityHub } from '../../lib/providers/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { IdentityHub } from '../support/servers/identity-hub.js';
import { grantIdOf, isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

let server: IdentityHub;
let world: SystemWorld;
let app: TestApp;
const provider = () => identityHub({ tenant: server.tenant, baseUrl: server.origin, clientId: server.clientId, clientSecret: server.clientSecret, scope: 'openid profile' });

beforeAll(async () => {
  server = await new IdentityHub().start();
  world = await startSystemWorld(server);
  app = await world.app({ provider: provider() });
});
afterAll(() => world.close());
afterEach(() => {
  server.settings.refuseLogin = undefined;
  server.settings.accessTokenSeconds = 3600;
  server.blocked.clear();
  expect(server.refusals.splice(0)).toEqual([]);
});

describe('a login at The Identity Hub', () => {
  it('brings the claims of the ID Token, and a token for the API', async () => {
    const browser = await world.loggedIn(app, 'alice');
    expect((await browser.get(`${app.baseUrl}/`)).json()).toMatchObject({ isAuthenticated: true, claims: { sub: 'alice', iss: server.issuer } });
    expect((await openApiPage(browser, app)).json()).toEqual({ sub: 'alice', scope: 'openid profile' });
  });

  it('works without OpenID Connect: no ID Token, no claims, the API as before', async () => {
    const plain = await world.app({ provider: { ...provider(), scope: 'profile' } });
    const browser = await world.loggedIn(plain, 'bob');
    expect((await browser.get(`${plain.baseUrl}/`)).json()).toEqual({ isAuthenticated: true, claims: {} });
    expect((await openApiPage(browser, plain)).json()).toMatchObject({ sub: 'bob' });
  });

  it('that the user refuses leaves nothing behind', async () => {
    server.settings.refuseLogin = 'access_denied';
    const [added, browser] = [await world.addedKeys(), createBrowser({ login: 'alice' })];
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status >= 400, page.url.startsWith(`${app.baseUrl}/callback`)]).toEqual([true, true]);
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
  });
});

describe('a refresh at The Identity Hub', () => {
  it('replaces the refresh token, each of which works once', async () => {
    const browser = await world.loggedIn(app);
    const [{ refreshes, authorizations }, { refreshTokens }] = [server.counters, server.live];
    for (const round of [1, 2, 3]) {
      server.expireAccessTokens();
      expect((await openApiPage(browser, app)).status).toBe(200);
      expect(server.counters.refreshes).toBe(refreshes + round);
    }
    expect([server.counters.authorizations, server.live.refreshTokens]).toEqual([authorizations, refreshTokens]);
  });

  it('happens once for twenty requests at a time', async () => {
    const browser = await world.loggedIn(app);
    const { refreshes } = server.counters;
    server.expireAccessTokens();
    const pages = await Promise.all(Array.from({ length: 20 }, () => openApiPage(browser, app)));
    expect(pages.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(server.counters.refreshes).toBe(refreshes + 1);
  });

  it('that is refused, because the user was blocked or has other rights now, leads to one clean login', async () => {
    const browser = await world.loggedIn(app, 'carol');
    const { authorizations } = server.counters;
    server.expireAccessTokens();
    server.blocked.add('carol');
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.counters.authorizations).toBe(authorizations + 1);
  });
});

describe('while the user is offline', () => {
  it('a server process calls the API with refreshed tokens, and many calls share one refresh', async () => {
    const kept = await world.app({ provider: provider(), session: { keepGrant: true, idleTimeoutSeconds: 1, absoluteTimeoutSeconds: 1 } });
    const browser = await world.loggedIn(kept, 'dave');
    const job = kept.auth.grant(await grantIdOf(browser, kept));
    // The user's session is over by time; the tokens are not.
    await eventually(async () => !(await isLoggedIn(browser, kept)));
    const { refreshes, loginForms } = server.counters;
    for (const round of [1, 2]) {
      server.expireAccessTokens();
      const answers = await Promise.all([1, 2, 3].map(() => job.fetch(`${server.apiUrl}whoami`)));
      for (const answer of answers) expect([answer.status, await answer.json()]).toEqual([200, { sub: 'dave', scope: 'openid profile' }]);
      expect(server.counters.refreshes).toBe(refreshes + round);
    }
    expect(server.counters.loginForms).toBe(loginForms);
  });

  it('is told so when the user was blocked meanwhile, and sends no request without a token', async () => {
    const browser = await world.loggedIn(app, 'erin');
    const job = app.auth.grant(await grantIdOf(browser, app));
    server.expireAccessTokens();
    server.blocked.add('erin');
    await expect(job.fetch(`${server.apiUrl}whoami`)).rejects.toMatchObject({ status: 401 });
    const calls = server.apiCalls.length;
    await expect(job.fetch(`${server.apiUrl}whoami`)).rejects.toMatchObject({ status: 401 });
    expect(server.apiCalls).toHaveLength(calls);
  });
});

describe('a logout at The Identity Hub', () => {
  it('revokes the access token, also one that a refresh brought', async () => {
    const browser = await world.loggedIn(app);
    server.expireAccessTokens();
    await openApiPage(browser, app);
    const [{ revocations }, { accessTokens }] = [server.counters, server.live];
    const page = await browser.post(`${app.baseUrl}/logout`);
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/`, { isAuthenticated: false }]);
    expect([server.counters.revocations, server.live.accessTokens]).toEqual([revocations + 1, accessTokens - 1]);
  });

  it('ends what background jobs may do as well', async () => {
    const browser = await world.loggedIn(app);
    const job = app.auth.grant(await grantIdOf(browser, app));
    await browser.post(`${app.baseUrl}/logout`);
    await expect(job.getAccessToken()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
  });
});
