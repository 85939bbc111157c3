/** How long a login lasts at most, by what the authorization server says; and logins that must be fresh. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/apps.js';
import { createBrowser, type Browser, type Page } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';

const absoluteTimeoutSeconds = 5000;
const fresh = { method: 'GET', path: '/fresh', handlers: [requireAuth({ maxAgeSeconds: 300 }), (_req: unknown, res: Parameters<typeof sendJson>[0]) => sendJson(res, 200, { fresh: true })] } as const;

let server: LyingServer;
let app: TestApp;
/** What the server adds to its ID Token, or takes away. */
let lie: (claims: Record<string, unknown>) => Record<string, unknown>;

beforeAll(async () => {
  server = await startLyingServer();
  server.makeIdToken = (claims) => server.sign(lie(claims));
  const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret };
  app = await startApp('express5', { routes: [fresh], options: { provider, routes: { session: '/me' }, session: { absoluteTimeoutSeconds } } });
});
afterAll(async () => {
  await app.close();
  await server.close();
});
beforeEach(() => {
  lie = (claims) => claims;
});
afterEach(() => {
  jest.restoreAllMocks();
});

const now = (): number => Math.floor(Date.now() / 1000);
const ask = (browser: Browser): Promise<Page> => browser.get(`${app.baseUrl}/private`, { navigate: false });

async function logIn(): Promise<{ browser: Browser; page: Page }> {
  const browser = createBrowser();
  return { browser, page: await browser.get(`${app.baseUrl}/private`) };
}

/** From now on it is so much later, to the second. */
function forward(seconds: number): void {
  const later = (now() + seconds) * 1000;
  jest.spyOn(Date, 'now').mockReturnValue(later);
}

async function lifetime(browser: Browser): Promise<number> {
  const { expiresAt, loginAt } = (await browser.get(`${app.baseUrl}/me`, { navigate: false })).json();
  return expiresAt - loginAt;
}

describe('C18: session_expiry', () => {
  it('ends the login: a claim in 60 s is 401 at 61 s, and a request in between does not help', async () => {
    lie = (claims) => ({ ...claims, session_expiry: now() + 60 });
    const { browser, page } = await logIn();
    expect(page.status).toBe(200);
    expect(await lifetime(browser)).toBeLessThanOrEqual(60);
    forward(58);
    expect((await ask(browser)).status).toBe(200);
    jest.restoreAllMocks();
    forward(61);
    expect((await ask(browser)).status).toBe(401);
  });

  it.each<[string, unknown]>([
    ['later than the absolute timeout', now() + 100_000],
    ['1e300', 1e300],
    ['in milliseconds', (now() + 60) * 1000],
    ['no number', String(now() + 60)],
    ['null', null],
    ['not there', undefined],
  ])('%s lengthens and shortens nothing', async (_name, value) => {
    lie = (claims) => ({ ...claims, session_expiry: value });
    const { browser, page } = await logIn();
    expect(page.status).toBe(200);
    expect(await lifetime(browser)).toBe(absoluteTimeoutSeconds);
  });

  it.each<[string, number]>([
    ['a moment ago', now() - 1],
    ['0', 0],
    ['-1', -1],
    ['-1e300', -1e300],
  ])('%s: the login is refused, its tokens are taken back, and nothing is stored', async (_name, value) => {
    lie = (claims) => ({ ...claims, session_expiry: value });
    const revoked = server.count('revocation');
    const { browser, page } = await logIn();
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_ID_TOKEN_INVALID')]);
    expect(server.count('revocation')).toBeGreaterThan(revoked);
    expect((await ask(browser)).status).toBe(401);
  });

  it('a fraction of a second counts as gone', async () => {
    lie = (claims) => ({ ...claims, session_expiry: now() + 60.9 });
    expect(await lifetime((await logIn()).browser)).toBeLessThanOrEqual(60);
  });
});

describe('D8: requireAuth({ maxAgeSeconds })', () => {
  const old = (claims: Record<string, unknown>) => ({ ...claims, auth_time: now() - 600 });

  /** Logged in with an authentication of ten minutes ago. */
  async function loggedInLongAgo(): Promise<Browser> {
    lie = old;
    return (await logIn()).browser;
  }

  it('asks for a fresh login, and takes it', async () => {
    const browser = await loggedInLongAgo();
    expect((await browser.get(`${app.baseUrl}/fresh`, { navigate: false })).status).toBe(401);
    lie = (claims) => claims;
    const page = await browser.get(`${app.baseUrl}/fresh`);
    expect([page.status, page.url]).toEqual([200, `${app.baseUrl}/fresh`]);
    expect(server.last('authorize')?.url.searchParams.get('max_age')).toBe('300');
  });

  it.each<[string, (claims: Record<string, unknown>) => Record<string, unknown>]>([
    ['the old authentication again', old],
    ['no auth_time', ({ auth_time: _, ...claims }) => claims],
    ['an auth_time that is no number', (claims) => ({ ...claims, auth_time: String(now()) })],
    ['a negative auth_time', (claims) => ({ ...claims, auth_time: -1 })],
  ])('refuses the login that brings %s: an error, no circle, and the login of before goes on', async (_name, change) => {
    const browser = await loggedInLongAgo();
    const authorizations = server.count('authorize');
    lie = change;
    const page = await browser.get(`${app.baseUrl}/fresh`);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_ID_TOKEN_INVALID')]);
    expect(server.count('authorize')).toBe(authorizations + 1);
    expect((await ask(browser)).status).toBe(200);
    expect((await browser.get(`${app.baseUrl}/fresh`, { navigate: false })).status).toBe(401);
  });
});
