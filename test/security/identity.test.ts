/** Who somebody is, is told by the session and the server that they logged in at: by no header, no name and no address. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createSealer } from '../../lib/seal.js';
import { frameworks, startApp, testSecret, type Route, type TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser, type Page } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';

const whoami: Route = { method: 'GET', path: '/whoami', handlers: [({ oauth: { subject, provider, claims } }, res) => sendJson(res, 200, { subject, provider, claims })] };

let server: LyingServer;
let second: LyingServer;
let app: TestApp;
beforeEach(async () => {
  [server, second] = await Promise.all([startLyingServer(), startLyingServer()]);
});
afterEach(async () => {
  await app.close();
  await Promise.all([server.close(), second.close()]);
});

const providerAt = ({ issuer, clientId, clientSecret }: LyingServer) => ({ issuer, clientId, clientSecret });

async function login(browser: Browser, path = '/login?returnTo=/whoami'): Promise<Page> {
  const begun = await browser.get(app.baseUrl + path, asPage);
  const { headers } = await browser.get(begun.headers.location!, asPage);
  return browser.get(headers.location!, asPage);
}

async function loggedIn(path?: string): Promise<Browser> {
  const browser = createBrowser();
  expect((await login(browser, path)).status).toBe(303);
  return browser;
}

describe('D11: identity is the server and its subject', () => {
  beforeEach(async () => {
    app = await startApp('express5', { routes: [whoami], options: { providers: { first: providerAt(server), second: providerAt(second) } } as object });
  });

  const named = (sub: string, email: string) => (claims: Record<string, unknown>) => server.sign({ ...claims, sub, email, email_verified: true, preferred_username: 'alice' });
  const who = async (browser: Browser) => (await browser.get(`${app.baseUrl}/whoami`, asScript)).json();

  it.each([
    ['the same address', 'alice@example.com'],
    ['an address in other letters', 'ALICE@EXAMPLE.COM'],
    ['an address of look-alikes', 'al\u0456ce@example.com'],
    ['two addresses in one', 'alice@example.com@evil.example'],
  ])('another sub with %s is another user, whose logout is theirs alone', async (_name, email) => {
    server.makeIdToken = named('u-1', 'alice@example.com');
    const alice = await loggedIn();
    server.makeIdToken = named('u-2', email);
    const mallory = await loggedIn();
    expect([(await who(alice)).subject, (await who(mallory)).subject]).toEqual(['u-1', 'u-2']);
    await app.auth.endSessions({ subject: 'u-2', provider: 'first' });
    expect([(await who(alice)).subject, (await who(mallory)).subject]).toEqual(['u-1', undefined]);
  });

  it('the same sub at another server is another user', async () => {
    const [here, there] = [await loggedIn('/login?provider=first'), await loggedIn('/login?provider=second')];
    expect([await who(here), await who(there)]).toMatchObject([{ subject: 'alice', provider: 'first', claims: { iss: server.issuer } }, { subject: 'alice', provider: 'second', claims: { iss: second.issuer } }]);
    await app.auth.endSessions({ subject: 'alice', provider: 'second' });
    expect([(await who(here)).subject, (await who(there)).subject]).toEqual(['alice', undefined]);
  });
});

describe.each(frameworks)('on %s', (framework) => {
  beforeEach(async () => {
    app = await startApp(framework, { routes: [whoami], options: { provider: providerAt(server) } });
  });

  it('G1: none of 200 headers, with none of these values, makes somebody of nobody, or somebody else of a user', async () => {
    expect(headerNames.length).toBeGreaterThanOrEqual(200);
    const alice = await loggedIn();
    const Cookie = alice.cookies.header(new URL(app.baseUrl))!;
    for (const value of ['alice', '1', 'true', '/public', 'http://127.0.0.1/', 'Bearer abc', '127.0.0.1', '{"sub":"bob"}']) {
      const all = Object.fromEntries(headerNames.map((name) => [name, value]));
      const refused = await createBrowser().get(`${app.origin}/private`, { ...asScript, headers: all });
      expect([refused.status, refused.setCookies, refused.json().login]).toEqual([401, [], `${app.baseUrl}/login`]);
      expect((await createBrowser().get(`${app.origin}/private`, { ...asScript, headers: { ...all, Cookie } })).json()).toMatchObject({ sub: 'alice' });
    }
    for (const name of headerNames) {
      expect([name, (await createBrowser().get(`${app.origin}/private`, { ...asScript, headers: { [name]: 'alice' } })).status]).toEqual([name, 401]);
    }
  });
});

it('A13: a login under way without its verifier, sealed by us all the same, redeems nothing', async () => {
  app = await startApp('express5', { options: { provider: providerAt(server) } });
  const browser = createBrowser();
  const begun = await browser.get(`${app.baseUrl}/login`, asPage);
  const [, name = '', value = ''] = /^(session-login-[\w-]+)=([^;]+)/.exec(begun.setCookies[0]!) ?? [];
  const sealer = createSealer([testSecret]);
  const { codeVerifier, ...rest } = JSON.parse(sealer.open('login transaction', name, Buffer.from(value, 'base64url'))!) as Record<string, unknown>;
  expect(codeVerifier).toEqual(expect.any(String));
  const { headers } = await browser.get(begun.headers.location!, asPage);
  const Cookie = `${name}=${sealer.seal('login transaction', name, JSON.stringify(rest)).toString('base64url')}`;
  expect((await createBrowser().get(headers.location!, { ...asPage, headers: { Cookie } })).status).toBe(400);
  expect(server.count('token')).toBe(0);
});

/** Where proxies, frameworks and other middlewares keep who somebody is, where they came from and what was asked for. */
const headerNames: readonly string[] = [
  ...['User', 'Username', 'User-Name', 'User-Id', 'Userid', 'Uid', 'Sub', 'Subject', 'Email', 'Mail', 'Name', 'Login', 'Account', 'Principal', 'Identity', 'Role', 'Roles', 'Groups', 'Group', 'Scope', 'Scopes'],
  ...['Claims', 'Token', 'Id-Token', 'Access-Token', 'Session', 'Session-Id', 'Tenant', 'Admin', 'Auth', 'Authenticated', 'Is-Authenticated', 'Auth-User', 'Remote-User', 'Preferred-Username', 'Api-Key'],
].flatMap((name) => [`X-${name}`, `X-Auth-Request-${name}`, `X-Forwarded-${name}`, `X-Remote-${name}`, `OIDC-Claim-${name}`]).concat([
  ...['Authorization', 'Proxy-Authorization', 'Authentication', 'WWW-Authenticate', 'Remote-User', 'REMOTE_USER', 'Remote-Groups', 'SM_USER', 'SSL_CLIENT_S_DN', 'X-Client-Cert', 'X-SSL-Client-Verify', 'X-SSL-Client-CN'],
  ...['X-Original-URL', 'X-Original-Uri', 'X-Rewrite-URL', 'X-Forwarded-Uri', 'X-Forwarded-Path', 'X-Forwarded-Prefix', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Method'],
  ...['X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'CF-Connecting-IP', 'Forwarded', 'Via', 'X-Host', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method', 'X-Middleware-Subrequest', 'X-Middleware-Prefetch'],
  ...['X-Requested-With', 'X-CSRF-Token', 'X-XSRF-Token', 'X-Amzn-Oidc-Identity', 'X-Amzn-Oidc-Data', 'X-Goog-Authenticated-User-Email', 'X-Goog-IAP-JWT-Assertion', 'X-MS-Client-Principal', 'X-MS-Client-Principal-Id', 'Cf-Access-Jwt-Assertion'],
  ...['User-Agent', 'Referer', 'Origin', 'From', 'X-WebAuth-User', 'X-Pomerium-Claim-Email', 'X-Vouch-User', 'Tailscale-User-Login', 'X-authentik-username', 'X-Envoy-Original-Path', 'X-Request-Id'],
]);
