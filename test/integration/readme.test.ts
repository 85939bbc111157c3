/** What the README shows and advises, done as it stands there. */
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import ts from 'typescript';
import * as api from '../../lib/index.js';
import { createBrowser } from '../support/browser.js';
import { quickStart } from '../support/documents.js';
import { listen, type ListeningServer } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';

const baseUrl = 'https://app.example.com';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

describe('the quick start', () => {
  let app: ListeningServer;
  let auth: api.CodeFlow;

  beforeAll(async () => {
    await world.authorizationServer.registerApp(baseUrl);
    app = await listen(() => {
      const started = runQuickStart();
      auth = started.auth;
      return started.app;
    });
  });
  afterAll(async () => {
    await app.close();
    await auth.close();
  });

  it('logs in behind a proxy that terminates TLS, calls the API and logs out, as it stands', async () => {
    const browser = createBrowser({ login: 'alice', proxies: { [baseUrl]: `http://127.0.0.1:${app.port}` } });
    expect((await browser.get(`${baseUrl}/`)).text).toBe('Hello. Sign in at /login');
    const page = await browser.get(`${baseUrl}/orders`);
    expect([page.status, page.url, page.json().sub]).toEqual([200, `${baseUrl}/orders`, 'alice']);
    expect((await browser.get(`${baseUrl}/`)).text).toBe('Hello Alice');
    const safe = { secure: true, httpOnly: true, sameSite: 'Lax' };
    expect(browser.cookies.all('app.example.com')).toMatchObject([{ name: '__Host-session', ...safe }, { name: expect.stringMatching(/^__Host-session-login-/), ...safe }]);
    expect((await browser.post(`${baseUrl}/logout`)).text).toBe('Hello. Sign in at /login');
    expect((await browser.get(`${baseUrl}/orders`, { navigate: false })).status).toBe(401);
  });

  /** With the parts of this test in place of example.com's, and a port of its own. */
  function runQuickStart(): { app: RequestListener; auth: api.CodeFlow } {
    const { issuer, clientSecret } = world.authorizationServer.provider;
    const code = quickStart()
      .code.replaceAll(/^import .*$/gm, '')
      .replaceAll('https://id.example.com', issuer)
      .replaceAll('https://api.example.com/v1/', world.api.url)
      .replaceAll(`${world.api.url}orders`, `${world.api.url}whoami`)
      .replace(/^const server = .*$/m, 'return { app, auth };');
    const javascript = ts.transpile(code, { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext });
    const env = { CLIENT_SECRET: clientSecret, SESSION_SECRET: 'k7Qw2nV9sD4xF6hJ8mZ3pB5tR1yC0uLe', REDIS_URL: world.redis.url };
    const names = { express, ...api, process: { env } };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the very text of the README is what is tried here
    return new Function(...Object.keys(names), javascript)(...Object.values(names));
  }
});

describe('what a request costs', () => {
  it('one Redis command with a session cookie, and none without', async () => {
    const app = await world.app();
    const browser = await world.loggedIn(app);
    const commands = await world.redis.commandCounter();
    expect((await createBrowser().get(`${app.baseUrl}/public`)).status).toBe(200);
    expect((await createBrowser().get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(401);
    expect(await commands.byName()).toEqual({});
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    expect(await commands.byName()).toEqual({ getex: 1 });
    // The token of a login that was made in this process is known here.
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).status).toBe(200);
    expect(await commands.byName()).toEqual({ getex: 2 });
  });
});

describe('rotating the secret', () => {
  it('C20: in two deployments, as advised, signs out nobody while old and new processes run side by side', async () => {
    const [old, fresh] = ['hT5vK8zW1qM4rX7cN0bG3jF6dS9aL2pY', 'uE4iO7wQ1zV5yR8tP2mK6xJ9nB3cH0gD'] as const;
    const first = await world.app('express5', { options: { secret: [old] } });
    const next = (secret: readonly string[]) => world.app('express5', { baseUrl: first.baseUrl, options: { secret } });
    const [both, turned] = [await next([old, fresh]), await next([fresh, old])];
    const browser = await world.loggedIn(first);
    const headers = { Cookie: browser.cookies.header(new URL(first.baseUrl)) ?? '' };
    const call = (origin: string, path: string, method = 'GET') => createBrowser().request(`${origin}${path}`, { method, headers, navigate: false });

    for (const [one, other] of [[first, both], [both, first], [both, turned], [turned, both], [both, turned]] as const) {
      expect((await call(one.origin, '/session', 'POST')).status).toBe(200);
      expect((await call(other.origin, '/private')).status).toBe(200);
    }
    expect((await call(turned.origin, '/session')).json()).toEqual({ counter: 5 });
    expect((await call(turned.origin, '/api')).json()).toMatchObject({ sub: 'alice' });
  });
});
