/** What only requests show of a wrong setup is told to whoever runs the app, and decides nothing. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CodeFlowEvents } from '../../lib/index.js';
import { frameworks, type TestApp } from '../support/apps.js';
import { createBrowser, type Browser } from '../support/browser.js';
import { startWorld, type World } from '../support/world.js';

const baseUrl = 'https://app.example.test';
let world: World;
let problems: CodeFlowEvents['configuration.problem'][];
let warned: jest.SpiedFunction<typeof process.emitWarning>;
beforeAll(async () => {
  world = await startWorld({ account: 'alice' });
});
afterAll(() => world.close());
beforeEach(() => {
  problems = [];
  warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
});
afterEach(() => warned.mockRestore());

async function start(framework: (typeof frameworks)[number] = 'express5'): Promise<TestApp> {
  const app = await world.app(framework, { baseUrl });
  app.auth.on('configuration.problem', (problem) => problems.push(problem));
  return app;
}

/** Sees the app under these addresses, as behind a proxy. */
const browserAt = (app: TestApp, ...origins: string[]): Browser =>
  createBrowser({ proxies: Object.fromEntries([baseUrl, ...origins].map((origin) => [origin, app.origin])) });

const codes = (): string[] => problems.map(({ code }) => code);

describe.each(frameworks)('the address that browsers see, on %s', (framework) => {
  it.each<[string, Record<string, string>]>([
    ['as the proxy leaves it', {}],
    ['with X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
    ['with the port that goes without saying', { host: 'App.Example.test:443' }],
    ['renamed, with X-Forwarded-Host', { host: 'internal:3000', 'x-forwarded-host': 'app.example.test, inner.proxy' }],
  ])('C9: is baseUrl, %s: nothing is told, and the login works', async (_name, headers) => {
    const app = await start(framework);
    const browser = browserAt(app);
    expect((await browser.get(`${baseUrl}/login`, { headers, follow: false })).status).toBe(302);
    expect((await browser.get(`${baseUrl}/private`, { headers })).status).toBe(200);
    expect([problems, warned.mock.calls]).toEqual([[], []]);
  });
});

describe('the address that browsers see', () => {
  it('is another host: told once, with both; every URL still comes of baseUrl', async () => {
    const app = await start();
    const browser = browserAt(app, 'https://old.example.test');
    for (let times = 0; times < 3; times += 1) {
      const { headers } = await browser.get('https://old.example.test/login', { follow: false });
      expect(new URL(headers.location!).searchParams.get('redirect_uri')).toBe(`${baseUrl}/callback`);
    }
    expect(codes()).toEqual(['ERR_CODE_FLOW_BASE_URL_MISMATCH']);
    expect(problems[0]!.message).toContain('browsers seem to come to old.example.test, and `baseUrl` is https://app.example.test');
    expect(warned.mock.calls).toEqual([[problems[0]!.message, { code: 'ERR_CODE_FLOW_BASE_URL_MISMATCH' }]]);
  });

  it('is plain http, as a proxy says: told, since Secure cookies do not come back', async () => {
    const app = await start();
    await browserAt(app).get(`${baseUrl}/login`, { follow: false, headers: { 'x-forwarded-proto': 'http' } });
    expect(codes()).toEqual(['ERR_CODE_FLOW_BASE_URL_MISMATCH']);
    expect(problems[0]!.message).toContain('browsers come by http://');
  });

  it('is not guessed from what is no navigation to the login, nor from what is no host', async () => {
    const app = await start();
    const browser = browserAt(app, 'https://old.example.test');
    await browser.get('https://old.example.test/public');
    await browser.get('https://old.example.test/login', { navigate: false });
    await browser.get(`${baseUrl}/login`, { follow: false, headers: { 'x-forwarded-host': 'a<script>"b', 'x-forwarded-proto': 'gopher' } });
    expect(problems).toEqual([]);
  });
});

describe('C9: the cookie of a login', () => {
  const visit = (browser: Browser, app: TestApp) => browser.get(`${baseUrl}/callback?code=code&state=state`, { headers: { host: new URL(app.baseUrl).host } });

  it('never comes back: told at the third callback, and the page says what can be done', async () => {
    const app = await start();
    const browser = browserAt(app);
    await browser.get(`${baseUrl}/callback`); // somebody looks around
    for (const expected of [[], [], ['ERR_CODE_FLOW_COOKIE_LOST'], ['ERR_CODE_FLOW_COOKIE_LOST']]) {
      const page = await visit(browser, app);
      expect([page.status, page.headers.location]).toEqual([400, undefined]);
      expect(page.text).toContain(`href="${baseUrl}/login"`);
      expect(codes()).toEqual(expected);
    }
    expect(problems[0]!.message).toContain('do browsers see the app by https, as `baseUrl` says');
  });

  it('has come back before: a callback without it is one browser\'s affair', async () => {
    const app = await start();
    expect((await browserAt(app).get(`${baseUrl}/private`)).status).toBe(200);
    for (let times = 0; times < 5; times += 1) await visit(browserAt(app), app);
    expect(problems).toEqual([]);
  });
});
