/** OAuth 2.0 without OpenID Connect: there is a login, whether or not anybody knows whose it is. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { requireAuth } from '../../lib/index.js';
import type { CodeFlowOptions, ProviderOptions } from '../../lib/index.js';
import { invalidToken } from '../support/api-server.js';
import type { Route, TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const routes: Route[] = [
  { method: 'GET', path: '/who', handlers: [requireAuth(), ({ oauth: { claims, subject, grantId, scope } }, res) => sendJson(res, 200, { claims, subject, grantId, scope })] },
  { method: 'GET', path: '/gold', handlers: [requireAuth({ acr: 'gold' }), (_, res) => sendJson(res, 200, {})] },
  { method: 'GET', path: '/named', handlers: [requireAuth({ claims: ({ sub }) => sub !== undefined }), (_, res) => sendJson(res, 200, {})] },
  { method: 'GET', path: '/scoped', handlers: [requireAuth({ scope: 'orders:read' }), (_, res) => sendJson(res, 200, {})] },
];

/** Without `openid` in the scope this server gives no ID Token. */
const appWith = (provider: Partial<ProviderOptions>): Promise<TestApp> =>
  world.app('express5', { routes, options: { provider: { ...world.authorizationServer.provider, scope: 'orders:read', ...provider } } as Partial<CodeFlowOptions> });

const loggedIn = async (app: TestApp) => {
  const browser = createBrowser({ login: 'alice' });
  const page = await browser.get(`${app.baseUrl}/who`);
  return { browser, status: page.status, text: page.text, ...(page.status === 200 ? (page.json() as { claims: object; subject?: string; grantId: string; scope: string }) : {}) };
};

describe('a login of nobody knows whom', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await appWith({});
  });

  it('has no claims and no subject, and rests on its grant', async () => {
    const { status, claims, subject, grantId, scope } = await loggedIn(app);
    expect({ status, claims, subject, scope }).toEqual({ status: 200, claims: {}, subject: undefined, scope: 'orders:read' });
    expect((await app.auth.grant(grantId!).fetch(`${world.api.url}whoami`)).status).toBe(200);
  });

  it('refreshes, calls the API, and logs out', async () => {
    const { browser } = await loggedIn(app);
    const { refresh_token: refreshes } = world.authorizationServer.tokenRequests;
    world.api.plan.push(invalidToken);
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(refreshes + 1);
    const { revocations } = world.authorizationServer.counters;
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
    expect((await browser.get(`${app.baseUrl}/who`, { navigate: false })).status).toBe(401);
  });

  it('has its scope, and no claims to pass by', async () => {
    const { browser } = await loggedIn(app);
    expect((await browser.get(`${app.baseUrl}/scoped`)).status).toBe(200);
    expect((await browser.get(`${app.baseUrl}/named`)).status).toBe(403);
  });

  it('D8: cannot be asked for afresh or in a strength that nobody vouches for: an error, and no circle', async () => {
    const { browser } = await loggedIn(app);
    // oidc-provider takes these parameters with `openid` alone; others ignore them.
    world.authorizationServer.intercept = (req) => {
      req.url = req.url?.replace(/(max_age|acr_values)=\w+&?/, '') ?? '';
      return false;
    };
    const fresh = await browser.get(`${app.baseUrl}/login?max_age=1000&returnTo=/who`);
    const strong = await browser.get(`${app.baseUrl}/gold`);
    world.authorizationServer.intercept = undefined;
    expect([fresh.status, fresh.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_ID_TOKEN_INVALID')]);
    expect([strong.status, strong.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_ACR_NOT_MET')]);
  });
});

describe('claims from elsewhere', () => {
  it('come from the token response', async () => {
    const app = await appWith({ identity: (response) => ({ sub: String(decodeJwt(String(response['access_token'])).sub), from: 'the token response' }) });
    const { claims, subject, browser } = await loggedIn(app);
    expect([claims, subject]).toEqual([{ sub: 'alice', from: 'the token response' }, 'alice']);
    expect((await browser.get(`${app.baseUrl}/named`)).status).toBe(200);
    await app.auth.endSessions({ subject: 'alice' });
    expect((await browser.get(`${app.baseUrl}/who`, { navigate: false })).status).toBe(401);
  });

  it('come from a profile API, asked with the new token', async () => {
    const identity: ProviderOptions['identity'] = async (_, { fetch }) => ({ sub: ((await (await fetch(`${world.api.url}whoami`)).json()) as { sub: string }).sub });
    expect(await loggedIn(await appWith({ identity }))).toMatchObject({ claims: { sub: 'alice' }, subject: 'alice' });
  });

  it('may come from nowhere', async () => {
    expect(await loggedIn(await appWith({ identity: () => undefined }))).toMatchObject({ status: 200, claims: {} });
  });

  it.each<[string, ProviderOptions['identity']]>([
    ['throws', () => { throw new Error('sentinel: a secret'); }],
    ['names nobody', () => ({ sub: '' })],
  ])('that %s: no login, no secret told', async (_, identity) => {
    const app = await appWith({ identity });
    const { status, text, browser } = await loggedIn(app);
    expect([status, text]).toEqual([502, expect.not.stringContaining('sentinel')]);
    expect((await browser.get(`${app.baseUrl}/who`, { navigate: false })).status).toBe(401);
  });
});

describe('a token that nothing renews', () => {
  it('is used until an API refuses it; then there is one clean login', async () => {
    world.authorizationServer.settings.issueRefreshTokens = false;
    const app = await appWith({});
    const { browser } = await loggedIn(app);
    world.api.plan.push(invalidToken);
    const answer = await browser.get(`${app.baseUrl}/api`, { navigate: false });
    expect([answer.status, answer.json().code]).toEqual([401, 'ERR_CODE_FLOW_LOGIN_REQUIRED']);
    world.api.plan.push(invalidToken);
    const before = world.authorizationServer.tokenRequests.authorization_code;
    const page = await browser.get(`${app.baseUrl}/api`);
    world.authorizationServer.settings.issueRefreshTokens = true;
    expect([page.status, page.json().sub, page.url]).toEqual([200, 'alice', `${app.baseUrl}/api`]);
    expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 1);
  });
});
