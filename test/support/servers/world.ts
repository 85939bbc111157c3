/** Apps that are registered at one of these servers, on a real Redis. */
import type { CodeFlowOptions } from '../../../lib/index.js';
import { startApp, type Route, type TestApp } from '../apps.js';
import { createBrowser, type Browser } from '../browser.js';
import { sendJson } from '../http.js';
import { startRedis, type RedisServer } from '../redis-server.js';

/** A server where apps can be registered. */
export interface Registrar {
  readonly apiUrl: string;
  registerRedirectUri(redirectUri: string): void;
  stop(): Promise<void>;
}

export interface SystemWorld {
  readonly redis: RedisServer;
  app(options: Partial<CodeFlowOptions>, routes?: readonly Route[]): Promise<TestApp>;
  /** A browser whose user has just logged in. */
  loggedIn(app: TestApp, account?: string): Promise<Browser>;
  /** Tells the grants and sessions that came to Redis since this was called. */
  addedKeys(): Promise<() => Promise<string[]>>;
  close(): Promise<void>;
}

/** What an app keeps for its background jobs. */
const tellGrantId: Route = {
  method: 'GET',
  path: '/grant-id',
  handlers: [({ oauth }, res) => sendJson(res, 200, { grantId: oauth.grantId })],
};

export async function startSystemWorld(server: Registrar): Promise<SystemWorld> {
  const redis = await startRedis();
  const apps: TestApp[] = [];
  return {
    redis,
    async app(options, routes = []) {
      const app = await startApp('express5', { options: { redis: redis.url, apis: [server.apiUrl], ...options }, routes: [tellGrantId, ...routes] });
      server.registerRedirectUri(`${app.baseUrl}/callback`);
      for (const name of Object.keys(options.providers ?? {})) server.registerRedirectUri(`${app.baseUrl}/callback/${name}`);
      apps.push(app);
      await app.storeReady; // its start-up round trip writes and deletes keys of its own
      return app;
    },
    async loggedIn(app, account = 'alice') {
      const browser = createBrowser({ login: account });
      const page = await browser.get(`${app.baseUrl}/private`);
      if (page.status !== 200) throw new Error(`the login ended with ${page.status} at ${page.url.split('?', 1)[0]}: ${page.text.slice(0, 500)}`);
      return browser;
    },
    addedKeys: () => redis.addedKeys(),
    async close() {
      await Promise.all(apps.map((app) => app.close()));
      await Promise.all([redis.stop(), server.stop()]);
    },
  };
}

/** A page of the app that calls the API for its user. */
export const openApiPage = (browser: Browser, app: TestApp) => browser.get(`${app.baseUrl}/api`);

export const isLoggedIn = async (browser: Browser, app: TestApp): Promise<boolean> =>
  ((await browser.get(`${app.baseUrl}/`)).json() as { isAuthenticated: boolean }).isAuthenticated;

export async function grantIdOf(browser: Browser, app: TestApp): Promise<string> {
  return ((await browser.get(`${app.baseUrl}/grant-id`, { navigate: false })).json() as { grantId: string }).grantId;
}
