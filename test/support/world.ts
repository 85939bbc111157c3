/** What most integration tests need: an authorization server, an API, a Redis, an app on them, and browsers. */
import { setTimeout } from 'node:timers/promises';
import { startApi, type ApiServer } from './api-server.js';
import { startApp, type AppOptions, type Framework, type TestApp } from './apps.js';
import { startAuthorizationServer, type AuthorizationServer, type AuthorizationServerOptions } from './authorization-server.js';
import { createBrowser, type Browser } from './browser.js';
import { startRedis, type RedisServer } from './redis-server.js';

export interface World {
  readonly authorizationServer: AuthorizationServer;
  readonly api: ApiServer;
  readonly redis: RedisServer;
  /** An app on this world's Redis, unless `options.redis` says otherwise; closed with the world. */
  app(framework?: Framework, options?: Omit<AppOptions, 'authorizationServer' | 'api'>): Promise<TestApp>;
  /** A browser that is logged in as this user. */
  loggedIn(app: TestApp, account?: string): Promise<Browser>;
  close(): Promise<void>;
}

export async function startWorld(settings: AuthorizationServerOptions = {}): Promise<World> {
  const [authorizationServer, redis] = await Promise.all([startAuthorizationServer(settings), startRedis()]);
  const api = await startApi({ issuer: authorizationServer.issuer });
  const apps: TestApp[] = [];
  return {
    authorizationServer,
    api,
    redis,
    async app(framework = 'express5', options = {}) {
      const app = await startApp(framework, { ...options, authorizationServer, api, options: { redis: redis.url, ...options.options } });
      apps.push(app);
      // Its start-up round trip would be counted, or disturbed, as if it were a request's. Where Redis is down on purpose it does not come.
      await Promise.race([app.storeReady, setTimeout(1000, undefined, { ref: false })]);
      return app;
    },
    async loggedIn(app, account = 'alice') {
      const browser = createBrowser({ login: account });
      const page = await browser.get(`${app.baseUrl}/private`);
      if (page.status !== 200) throw new Error(`the login ended with ${page.status}: ${page.text.slice(0, 500)}`);
      return browser;
    },
    async close() {
      await Promise.all(apps.map((app) => app.close()));
      await Promise.all([api.stop(), authorizationServer.stop(), redis.stop()]);
    },
  };
}
