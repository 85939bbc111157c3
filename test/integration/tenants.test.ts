/** `providers` as a function: a thousand tenants of one real server, each with a client of its own; and each server's own way of logging out. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { requireAuth } from '../../lib/index.js';
import type { CodeFlowOptions, ProviderOptions } from '../../lib/index.js';
import { invalidToken } from '../support/api-server.js';
import type { Route, TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { readBody, sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const who: Route = { method: 'GET', path: '/who', handlers: [requireAuth(), ({ oauth: { provider, subject, grantId } }, res) => sendJson(res, 200, { provider, subject, grantId })] };
const t7: Route = { method: 'GET', path: '/t7', handlers: [requireAuth({ provider: 't7' }), ({ oauth }, res) => sendJson(res, 200, { at: oauth.provider })] };

describe('a thousand tenants', () => {
  const asked: string[] = [];
  let app: TestApp;
  let isDown = false;

  /** What a table of tenants would say. */
  const find = async (name: string): Promise<ProviderOptions | undefined> => {
    asked.push(name);
    if (isDown) throw new Error('the database is down');
    return /^t\d{1,3}$/.test(name) ? { issuer: world.authorizationServer.issuer, clientId: `client-${name}`, clientSecret: `the secret of the client of ${name}` } : undefined;
  };

  const registerTenant = (name: string, baseUrl: string) =>
    world.authorizationServer.registerClient({
      client_id: `client-${name}`,
      client_secret: `the secret of the client of ${name}`,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${baseUrl}/callback`],
      post_logout_redirect_uris: [`${baseUrl}/`],
    });

  beforeAll(async () => {
    app = await world.app('express5', { routes: [who, t7], options: { providers: find } as Partial<CodeFlowOptions> });
    for (const name of ['t0', 't7', 't999']) await registerTenant(name, app.baseUrl);
  });

  const start = (name: string, browser: Browser = createBrowser()) => browser.get(`${app.baseUrl}/login?provider=${name}&returnTo=/who`, { follow: false });
  const loggedIn = async (name: string) => {
    const browser = createBrowser({ login: 'alice' });
    expect((await browser.get(`${app.baseUrl}/login?provider=${name}&returnTo=/who`)).json()).toMatchObject({ provider: name, subject: 'alice' });
    return browser;
  };

  it('are not asked for before somebody logs in there, and then once', async () => {
    expect(asked).toEqual([]);
    const starts = await Promise.all([start('t0'), start('t0'), start('t0')]);
    expect(starts.map(({ status, headers }) => [status, new URL(headers.location ?? '').searchParams.get('client_id')])).toEqual(Array(3).fill([302, 'client-t0']));
    expect(asked).toEqual(['t0']);
  });

  it('each send to their own client, and are kept within a bound', async () => {
    for (let index = 0; index < 1000; index += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, offset) => start(`t${index + offset}`)));
      expect(answers.map(({ headers }) => new URL(headers.location ?? '').searchParams.get('client_id'))).toEqual(answers.map((_, offset) => `client-t${index + offset}`));
    }
    expect(new Set(asked).size).toBe(1000);
    const before = asked.length;
    await loggedIn('t999');
    expect(asked).toHaveLength(before);
    await loggedIn('t0'); // pushed out long ago
    expect(asked.slice(before)).toEqual(['t0']);
  });

  it('are refreshed, ended and stepped to like listed ones', async () => {
    const browser = await loggedIn('t0');
    const { refresh_token: refreshes } = world.authorizationServer.tokenRequests;
    world.api.plan.push(invalidToken);
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    const job = app.auth.grant(((await browser.get(`${app.baseUrl}/who`)).json() as { grantId: string }).grantId);
    world.api.plan.push(invalidToken);
    expect((await job.fetch(`${world.api.url}whoami`)).status).toBe(200);
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(refreshes + 2);
    expect((await browser.get(`${app.baseUrl}/t7`)).json()).toEqual({ at: 't7' });
    const { revocations } = world.authorizationServer.counters;
    expect((await browser.post(`${app.baseUrl}/logout`)).json()).toEqual({ isAuthenticated: false });
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
  });

  it('that nobody knows are refused; a function that fails is 503 and signs out nobody', async () => {
    const refused = await start('acme');
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_PROVIDER_UNKNOWN')]);
    const browser = await loggedIn('t7');
    isDown = true;
    const down = await start('t1');
    expect([down.status, down.headers['retry-after'], down.text]).toEqual([503, '5', expect.stringContaining('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE')]);
    expect((await browser.get(`${app.baseUrl}/who`)).json()).toMatchObject({ provider: 't7' });
    isDown = false;
    expect((await start('t1')).status).toBe(302);
  });

  it('have no default: a page that needs just any login says that one has to be chosen', async () => {
    const page = await createBrowser().get(`${app.baseUrl}/private`);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_PROVIDER_UNKNOWN')]);
  });

  it('whose server does not name itself have a callback each', async () => {
    const metadata = (await (await fetch(`${world.authorizationServer.issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;
    delete metadata['authorization_response_iss_parameter_supported'];
    const silent = await world.app('express5', {
      routes: [who],
      options: { providers: (name: string) => (name === 't5' ? { ...world.authorizationServer.provider, issuer: undefined, server: metadata } : undefined) } as never,
    });
    await world.authorizationServer.registerApp(silent.baseUrl, { callback: '/callback/t5' });
    const page = await createBrowser({ login: 'alice' }).get(`${silent.baseUrl}/login?provider=t5&returnTo=/who`);
    expect([page.status, page.hops.some(({ url }) => new URL(url).pathname === '/callback/t5')]).toEqual([200, true]);
    const elsewhere = await createBrowser().get(`${silent.baseUrl}/callback/t5/more`);
    expect(elsewhere.status).toBe(404); // the app's, not ours
  });
});

describe('the logout of each server', () => {
  const loggedOut = async (provider: object) => {
    const app = await world.app('express5', { routes: [who], options: { provider: { ...world.authorizationServer.provider, ...provider } } as Partial<CodeFlowOptions> });
    const failed: unknown[] = [];
    app.auth.on('logout.revocation_failed', (detail) => failed.push(detail));
    const browser = await world.loggedIn(app);
    const { revocations } = world.authorizationServer.counters;
    const page = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect((await browser.get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(401);
    return { location: page.headers.location, revocations: world.authorizationServer.counters.revocations - revocations, failed, app };
  };

  it('calls the server\'s own, with the access token, before the revocation; then goes to its logout page', async () => {
    const calls: string[] = [];
    const { location, revocations, failed } = await loggedOut({
      endSession: async ({ fetch }: { fetch: typeof globalThis.fetch }) => {
        const answer = await fetch(`${world.api.url}whoami`, { method: 'DELETE' });
        calls.push(`${answer.status} as ${((await answer.json()) as { sub: string }).sub}, ${world.api.calls.at(-1)?.method ?? ''}`);
      },
    });
    expect([calls, revocations, failed]).toEqual([['200 as alice, DELETE'], 1, []]);
    expect(location).toContain(`${world.authorizationServer.issuer}/session/end`);
  });

  it('takes back the access token where the server knows no other', async () => {
    const taken: URLSearchParams[] = [];
    world.authorizationServer.intercept = async (req, res) => {
      if (req.url !== '/token/revocation') return false;
      taken.push(new URLSearchParams((await readBody(req)).toString()));
      res.end();
      return true;
    };
    const { revocations, failed } = await loggedOut({ revocation: 'access_token' });
    world.authorizationServer.intercept = undefined;
    expect([revocations, failed]).toEqual([1, []]);
    expect(taken.map((form) => [form.get('token_type_hint'), decodeJwt(form.get('token') ?? '').sub])).toEqual([['access_token', 'alice']]);
  });

  it('is complete here although the server\'s own call fails, and that is told', async () => {
    const { failed } = await loggedOut({ endSession: () => Promise.reject(new Error('sentinel')) });
    expect(failed).toMatchObject([{ provider: 'default', code: expect.stringMatching(/^ERR_CODE_FLOW_PROVIDER_/) }]);
  });

  it('needs nothing of a server that has nothing', async () => {
    const { authorization_endpoint, token_endpoint, jwks_uri, issuer } = (await (await fetch(`${world.authorizationServer.issuer}/.well-known/openid-configuration`)).json()) as Record<string, string>;
    const { location, revocations, failed, app } = await loggedOut({ issuer: undefined, server: { issuer, authorization_endpoint, token_endpoint, jwks_uri } });
    expect([location, revocations, failed]).toEqual([`${app.baseUrl}/`, 0, []]);
  });
});

describe('a session cookie with SameSite=Strict', () => {
  it('A17: is replaced by a login although the way back does not bring it along', async () => {
    const other = await startWorld({ host: 'localhost' });
    const app = await other.app('express5', { options: { session: { sameSite: 'strict' } } });
    const browser = createBrowser({ login: 'alice' });
    await browser.get(`${app.baseUrl}/login?returnTo=/public`);
    expect((await browser.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'alice' });
    const before = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    await browser.get(`${app.baseUrl}/login?prompt=login&login_hint=bob&returnTo=/public`);
    expect((await browser.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'bob' });
    expect((await createBrowser().get(`${app.baseUrl}/private`, { navigate: false, headers: { Cookie: before } })).status).toBe(401);
    await other.close();
  });
});
