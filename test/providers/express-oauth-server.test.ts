/** A server that nobody here has written: @node-oauth/express-oauth-server, plain OAuth 2.0, described by hand. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ProviderOptions } from '../../lib/index.js';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { ExpressOAuthServer } from '../support/servers/express-oauth-server.js';
import { isLoggedIn, openApiPage, startSystemWorld, type SystemWorld } from '../support/servers/world.js';

let server: ExpressOAuthServer;
let world: SystemWorld;
let app: TestApp;

const provider = (changes: Partial<ProviderOptions> = {}) =>
  ({
    server: { issuer: server.origin, authorization_endpoint: `${server.origin}/authorize`, token_endpoint: `${server.origin}/token` },
    clientId: server.clientId,
    clientSecret: server.settings.clientSecret,
    scope: 'orders',
    identity: async (_tokens, { fetch }) => (await (await fetch(`${server.origin}/profile`)).json()) as { sub: string },
    ...changes,
  }) as ProviderOptions;

beforeAll(async () => {
  server = await new ExpressOAuthServer().start();
  world = await startSystemWorld(server);
  app = await world.app({ provider: provider() });
});
afterAll(() => world.close());

describe('@node-oauth/express-oauth-server', () => {
  it('logs in with PKCE; the profile API says who it is', async () => {
    const browser = await world.loggedIn(app, 'alice');
    expect((await browser.get(`${app.baseUrl}/`)).json()).toEqual({ isAuthenticated: true, claims: { sub: 'alice', login: 'alice' } });
    expect((await openApiPage(browser, app)).json()).toMatchObject({ sub: 'alice' });
  });

  it('without an identity a login works as well, and nobody knows who it is', async () => {
    const unknown = await world.app({ provider: provider({ identity: undefined }) });
    const browser = await world.loggedIn(unknown, 'bob');
    expect((await browser.get(`${unknown.baseUrl}/`)).json()).toEqual({ isAuthenticated: true, claims: {} });
    expect((await openApiPage(browser, unknown)).json()).toMatchObject({ sub: 'bob' });
  });

  it('refreshes once for twenty requests, although a refresh token works once', async () => {
    const browser = await world.loggedIn(app);
    const { refreshes, authorizations } = server.counters;
    for (const round of [1, 2]) {
      // Its 401 has no WWW-Authenticate.
      server.expireAccessTokens();
      const pages = await Promise.all(Array.from({ length: 20 }, () => openApiPage(browser, app)));
      expect(pages.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      expect(server.counters).toMatchObject({ refreshes: refreshes + round, authorizations });
    }
  });

  it('a refused refresh leads to one clean login', async () => {
    const browser = await world.loggedIn(app);
    const { authorizations } = server.counters;
    server.expireAccessTokens();
    server.forgetRefreshTokens();
    expect((await openApiPage(browser, app)).status).toBe(200);
    expect(server.counters.authorizations).toBe(authorizations + 1);
  });

  it('a user who refuses ends on its page with status 400, and nothing is left behind', async () => {
    const [added, browser] = [await world.addedKeys(), createBrowser({ login: 'stranger' })];
    const page = await browser.get(`${app.baseUrl}/private`);
    expect([page.status, page.url.startsWith(server.origin)]).toEqual([400, true]);
    expect([await isLoggedIn(browser, app), await added()]).toEqual([false, []]);
  });

  it('a logout ends the login here', async () => {
    const browser = await world.loggedIn(app);
    expect((await browser.post(`${app.baseUrl}/logout`)).json()).toEqual({ isAuthenticated: false });
  });
});

describe('a secret at a server that decodes nothing in HTTP Basic', () => {
  const odd = 'p@ss word/100%+:';

  it.each([
    ['an ordinary secret', 'a-secret_with.marks~', {}],
    ['an odd one, sent as it is', 'p@ss/100%+word', { basicCredentialsEncoding: 'raw' }],
    ['an odd one, in the body', odd, { clientAuthentication: 'client_secret_post' }],
  ] as const)('%s works', async (_name, clientSecret, changes) => {
    server.settings.clientSecret = clientSecret;
    const other = await world.app({ provider: provider(changes) });
    const browser = await world.loggedIn(other);
    server.expireAccessTokens();
    expect((await openApiPage(browser, other)).status).toBe(200);
  });

  it('an odd one in the usual encoding is refused there, and the app says so without looping', async () => {
    server.settings.clientSecret = odd;
    const other = await world.app({ provider: provider() });
    const page = await createBrowser({ login: 'alice' }).get(`${other.baseUrl}/private`);
    expect([page.status >= 500, page.url.startsWith(`${other.baseUrl}/callback`), page.text.includes('p@ss')]).toEqual([true, true, false]);
  });
});
