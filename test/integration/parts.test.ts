/** The parts that the other tests stand on: if these lie, everything lies. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import { startApi, type ApiServer } from '../support/api-server.js';
import { startAppProcess } from '../support/app-process.js';
import { frameworks, startApp, testSecret, type TestApp } from '../support/apps.js';
import { apiAudience, startAuthorizationServer, webClient, type AuthorizationServer } from '../support/authorization-server.js';
import { createBrowser, type Browser } from '../support/browser.js';
import { CookieJar } from '../support/cookie-jar.js';
import { listen, sendJson, type ListeningServer } from '../support/http.js';
import { startRedis } from '../support/redis-server.js';

interface Tokens {
  access_token: string;
  refresh_token?: string;
  id_token?: string;
  expires_in: number;
  error?: string;
}

let server: AuthorizationServer;
let api: ApiServer;
let app: ListeningServer;
let redirectUri: string;

beforeAll(async () => {
  server = await startAuthorizationServer({ host: 'localhost' });
  api = await startApi({ issuer: server.issuer });
  app = await listen(() => (req, res) => sendJson(res, 200, { url: req.url, site: req.headers['sec-fetch-site'] }));
  await server.registerApp(`http://127.0.0.1:${app.port}`);
  redirectUri = `http://127.0.0.1:${app.port}/callback`;
});

afterAll(async () => {
  await app.close();
  await api.stop();
  await server.stop();
});

function authorizationRequest(verifier: string, parameters: Record<string, string> = {}): URL {
  const url = new URL('/auth', server.issuer);
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  url.search = new URLSearchParams({
    client_id: 'web', response_type: 'code', redirect_uri: redirectUri, scope: 'openid profile email offline_access orders:read',
    state: 'a-state', nonce: 'a-nonce', code_challenge: challenge, code_challenge_method: 'S256', ...parameters,
  }).toString();
  return url;
}

async function tokenRequest(parameters: Record<string, string>): Promise<{ status: number; tokens: Tokens }> {
  const authorization = `Basic ${Buffer.from(`${webClient.clientId}:${encodeURIComponent(webClient.clientSecret)}`).toString('base64')}`;
  const answer = await fetch(new URL('/token', server.issuer), { method: 'POST', headers: { authorization }, body: new URLSearchParams(parameters) });
  return { status: answer.status, tokens: (await answer.json()) as Tokens };
}

async function login(browser: Browser = createBrowser({ login: 'alice' })): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url');
  const page = await browser.get(authorizationRequest(verifier));
  const code = new URL(page.url).searchParams.get('code')!;
  const { tokens } = await tokenRequest({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier });
  return tokens;
}

describe('the authorization server', () => {
  it('shows a login form, then issues an ID Token, a rotating refresh token and a JWT for the API', async () => {
    const tokens = await login();
    expect(decodeJwt(tokens.id_token!)).toMatchObject({ iss: server.issuer, sub: 'alice', aud: 'web', name: 'Alice', nonce: 'a-nonce' });
    expect(decodeJwt(tokens.access_token)).toMatchObject({ iss: server.issuer, sub: 'alice', aud: apiAudience, scope: 'orders:read' });
    expect(tokens.refresh_token).toEqual(expect.any(String));
    expect(server.serverErrors).toEqual([]);
  });

  it('needs no form for a login_hint, for a set account, or for who was there before', async () => {
    const hinted = await createBrowser().get(authorizationRequest('v'.repeat(43), { login_hint: 'bob' }));
    expect(new URL(hinted.url).searchParams.get('iss')).toBe(server.issuer);
    const browser = createBrowser({ login: 'alice' });
    await browser.get(authorizationRequest('v'.repeat(43)));
    browser.login = undefined;
    const again = await browser.get(authorizationRequest('v'.repeat(43)));
    expect(new URL(again.url).pathname).toBe('/callback');
  });

  it('refuses an authorization request without PKCE', async () => {
    const page = await createBrowser({ login: 'alice' }).get(authorizationRequest('v'.repeat(43), { code_challenge: '', code_challenge_method: '' }));
    expect(new URL(page.url).searchParams.get('error')).toBe('invalid_request');
  });

  it('refuses a used refresh token and ends its whole family', async () => {
    const { refresh_token: first } = await login();
    const { tokens: second } = await tokenRequest({ grant_type: 'refresh_token', refresh_token: first! });
    expect(second.refresh_token).not.toBe(first);
    const reused = server.tokenEndpoint.reusedRefreshTokens;
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: first! })).toMatchObject({ status: 400, tokens: { error: 'invalid_grant' } });
    expect(server.tokenEndpoint.reusedRefreshTokens).toBe(reused + 1);
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: second.refresh_token! })).toMatchObject({ status: 400 });
  });

  it('refuses the refresh tokens of a user whose grants were revoked, and of nobody else', async () => {
    const alice = await login();
    const bob = await login(createBrowser({ login: 'bob' }));
    server.revokeGrantsOf('alice');
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: alice.refresh_token! })).toMatchObject({ tokens: { error: 'invalid_grant' } });
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: bob.refresh_token! })).toMatchObject({ status: 200 });
  });

  it('fails token requests as planned, without using the token up', async () => {
    const { refresh_token } = await login();
    const before = server.tokenRequests.refresh_token;
    server.plan.push({ grantType: 'refresh_token', status: 503 });
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).toMatchObject({ status: 503 });
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).toMatchObject({ status: 200 });
    expect(server.tokenRequests.refresh_token).toBe(before + 2);
  });

  it('can process a token request and lose the answer', async () => {
    const { refresh_token } = await login();
    server.plan.push({ afterProcessing: 'reset' });
    await expect(tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).rejects.toThrow('fetch failed');
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).toMatchObject({ tokens: { error: 'invalid_grant' } });
  });

  it('keeps its address, keys and memory over a restart', async () => {
    const { refresh_token } = await login();
    await server.stop();
    await expect(tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).rejects.toThrow('fetch failed');
    await server.restart();
    expect(await tokenRequest({ grant_type: 'refresh_token', refresh_token: refresh_token! })).toMatchObject({ status: 200 });
  });

  it('logs out without asking and comes back', async () => {
    const browser = createBrowser({ login: 'alice' });
    const { id_token } = await login(browser);
    const url = new URL('/session/end', server.issuer);
    url.search = new URLSearchParams({ id_token_hint: id_token!, post_logout_redirect_uri: `http://127.0.0.1:${app.port}/` }).toString();
    const page = await browser.get(url);
    expect(page.url).toBe(`http://127.0.0.1:${app.port}/`);
    browser.login = undefined;
    expect((await browser.get(authorizationRequest('v'.repeat(43)))).text).toContain('Who are you?');
  });
});

describe('the API', () => {
  const call = async (authorization?: string): Promise<Response> => fetch(`${api.url}whoami`, authorization === undefined ? {} : { headers: { authorization } });

  it('knows the user of a good token', async () => {
    const { access_token } = await login();
    const answer = await call(`Bearer ${access_token}`);
    expect(await answer.json()).toMatchObject({ sub: 'alice', scope: 'orders:read', aud: apiAudience });
    expect(api.calls.at(-1)).toMatchObject({ method: 'GET', path: '/v1/whoami', token: 'valid', subject: 'alice' });
  });

  it('refuses no token, a forged one, an ID Token and an expired one', async () => {
    const { access_token, id_token } = await login();
    server.settings.accessTokenTtl = 1;
    const { access_token: short } = await login();
    server.settings.accessTokenTtl = 60;
    const [head, body] = access_token.split('.');
    await expired(short);
    for (const [token, recorded] of [[`${head!}.${body!}.AAAA`, 'invalid'], [id_token!, 'invalid'], [short, 'expired']] as const) {
      const answer = await call(`Bearer ${token}`);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect(api.calls.at(-1)).toMatchObject({ status: 401, token: recorded });
    }
    expect((await call()).headers.get('www-authenticate')).toBe('Bearer');
  });

  it('rejects as planned, whatever the token', async () => {
    const { access_token } = await login();
    api.plan.push({ status: 401, challenge: 'Bearer error="invalid_token"' });
    expect((await call(`Bearer ${access_token}`)).status).toBe(401);
    expect((await call(`Bearer ${access_token}`)).status).toBe(200);
  });

  async function expired(token: string): Promise<void> {
    const { exp } = decodeJwt(token);
    while (Date.now() < exp! * 1000) await new Promise((resolve) => setTimeout(resolve, exp! * 1000 - Date.now()));
  }
});

describe.each(frameworks)('the test app on %s', (framework) => {
  let testApp: TestApp;

  beforeAll(async () => {
    testApp = await startApp(framework, { authorizationServer: server, api });
  });

  afterAll(async () => {
    await testApp.close();
  });

  it('has the same routes everywhere', async () => {
    const browser = createBrowser({ login: 'alice' });
    const get = async (path: string): Promise<unknown> => (await browser.get(testApp.origin + path)).json();
    expect(await get('/public')).toEqual({ public: true });
    expect(await get('/')).toEqual({ isAuthenticated: false });
    expect(await get('/private')).toMatchObject({ sub: 'alice' });
    expect(await get('/private-token')).toMatchObject({ sub: 'alice' });
    expect(await get('/api')).toMatchObject({ sub: 'alice', aud: apiAudience });
    expect((await browser.request(`${testApp.origin}/api`, { method: 'POST', body: 'hello', navigate: false, from: testApp.origin })).json()).toMatchObject({ body: 'hello' });
    expect((await browser.post(`${testApp.origin}/session`)).json()).toEqual({ counter: 1 });
    expect(await get('/session')).toEqual({ counter: 1 });
    expect(await get('/')).toMatchObject({ isAuthenticated: true, claims: { sub: 'alice' } });
  });

  it('records what nobody handles', async () => {
    expect((await createBrowser().get(`${testApp.origin}/boom`)).status).toBe(500);
    expect(testApp.errors).toMatchObject([{ message: 'the app has a bug' }]);
  });
});

describe('the test app in processes of its own', () => {
  it('shares logins over Redis behind one base URL, tells its events, and closes by itself', async () => {
    const redis = await startRedis();
    const options = { redis: redis.url, secret: testSecret };
    const first = await startAppProcess({ authorizationServer: server, api, options });
    const second = await startAppProcess({ authorizationServer: server, api, options, framework: 'connect', baseUrl: first.baseUrl });
    try {
      const browser = createBrowser({ login: 'alice' });
      await browser.get(`${first.origin}/private`);
      expect((await browser.get(`${second.origin}/api`)).json()).toMatchObject({ sub: 'alice' });
      expect(first.events.map(({ event }) => event).filter((event) => event !== 'store.ready')).toEqual(['login.succeeded']);
      expect([await first.stop(), await second.stop()]).toEqual([0, 0]);
    } finally {
      await first.kill();
      await second.kill();
      await redis.stop();
    }
  });
});

describe('the browser', () => {
  it('says cross-site where a login comes back from another site, and none for a typed address', async () => {
    const typed = await createBrowser({ login: 'alice' }).get(`http://127.0.0.1:${app.port}/`);
    expect(typed.json()).toMatchObject({ site: 'none' });
    const page = await createBrowser({ login: 'alice' }).get(authorizationRequest('v'.repeat(43)), { from: `http://127.0.0.1:${app.port}/` });
    expect(page.json()).toMatchObject({ site: 'cross-site' });
  });

  it('keeps cookies as RFC 6265bis says', () => {
    const jar = new CookieJar();
    const http = new URL('http://127.0.0.1:1/a/b');
    const https = new URL('https://app.test/a');
    jar.receive('plain=1; HttpOnly; Path=/', http);
    jar.receive('narrow=2', http);
    jar.receive('__Host-session=3; Secure; Path=/', http);
    jar.receive('__Host-session=4; Secure; Path=/', https);
    jar.receive('__Host-broken=5; Path=/', https);
    expect(jar.header(http)).toBe('narrow=2; plain=1');
    expect(jar.header(new URL('http://127.0.0.1:2/'))).toBe('plain=1');
    expect(jar.header(https)).toBe('__Host-session=4');
    jar.receive('plain=; Max-Age=0; Path=/', http);
    expect(jar.get('plain')).toBeUndefined();
  });
});

describe('the Redis server', () => {
  it('counts what it is asked for, and starts empty again on the same address', async () => {
    const redis = await startRedis();
    try {
      const client = redis.client();
      await client.ping();
      const counter = await redis.commandCounter();
      expect(await counter.total()).toBe(0);
      await client.set('key', 'value');
      await client.getex('key', 'EX', 10);
      expect(await counter.byName()).toEqual({ set: 1, getex: 1 });
      const { url, pid } = redis;
      await redis.restart();
      expect(redis.url).toBe(url);
      expect(redis.pid).not.toBe(pid);
      expect(await client.get('key')).toBeNull();
    } finally {
      await redis.stop();
    }
  });
});
