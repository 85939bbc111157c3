/** A world whose Redis can be disturbed, with logins whose tokens can be over at once and apps that remember nothing of them. */
import type { Redis } from 'ioredis';
import type { CodeFlowEvents } from '../../lib/events.js';
import * as grantScripts from '../../lib/grants/redis-grant-scripts.js';
import type { CodeFlowOptions } from '../../lib/types.js';
import type { AppOptions, Route, TestApp } from './apps.js';
import type { AuthorizationServerOptions } from './authorization-server.js';
import { createBrowser, type Browser, type Page } from './browser.js';
import { eventNames } from './event-names.js';
import { GrantRecord } from './grant-record.js';
import { startRedisProxy, type RedisProxy } from './redis-proxy.js';
import { startWorld, type World } from './world.js';

/** What an authorization server does with a refresh token that was used. */
export type RefreshTokenPolicy = 'no rotation' | 'grace' | 'strict';

export interface FaultWorldOptions extends AuthorizationServerOptions {
  policy?: RefreshTokenPolicy;
  /** Of its apps, where a test does not say otherwise. Default `shortTimeouts`. */
  timeouts?: { httpTimeoutSeconds: number; redisTimeoutSeconds: number };
}

export interface Login {
  readonly account: string;
  readonly browser: Browser;
  readonly cookie: string;
  readonly grantId: string;
  readonly record: GrantRecord;
}

export interface RecordedEvent {
  readonly event: keyof CodeFlowEvents;
  readonly detail: CodeFlowEvents[keyof CodeFlowEvents];
}

export interface FaultApp extends TestApp {
  readonly events: RecordedEvent[];
  /** How often this happened. */
  count(event: keyof CodeFlowEvents): number;
  /** As a script of this user's page. */
  call(login: Login, path?: string): Promise<Page>;
}

export interface FaultWorld extends World {
  readonly proxy: RedisProxy;
  readonly client: Redis;
  /** A fresh app: it knows no token yet. Its Redis is behind the proxy; `direct`: it is not. */
  fresh(options?: Partial<CodeFlowOptions>, more?: { direct?: boolean; routes?: readonly Route[] }): Promise<FaultApp>;
  /** A new user, logged in at an app that nobody uses for anything else. */
  login(account?: string): Promise<Login>;
  /** The same, with an access token that is over. */
  expired(account?: string): Promise<Login>;
  /** The login in this browser now. */
  current(browser: Browser, account: string): Promise<Login>;
  /** How often the token endpoint was asked for a refresh. */
  refreshes(): number;
  /** Takes back whatever a test has planned, held up or set. */
  calm(): void;
}

/** Two commands to Redis and one to the server, with room for a busy machine; the lease is then 6 s. */
export const shortTimeouts = { httpTimeoutSeconds: 1, redisTimeoutSeconds: 0.5 } as const;
export const leaseMs = 6000;
/** For tests that are not about time: a busy machine must not be what they see. */
export const longTimeouts = { httpTimeoutSeconds: 10, redisTimeoutSeconds: 10 } as const;

const grantIdRoute: Route = { method: 'GET', path: '/grant-id', handlers: [({ oauth }, res) => void res.end(oauth.grantId)] };

let accounts = 0;

export async function startFaultWorld({ policy = 'strict', timeouts = shortTimeouts, ...settings }: FaultWorldOptions = {}): Promise<FaultWorld> {
  const world = await startWorld({ rotateRefreshToken: policy !== 'no rotation', ...settings });
  world.authorizationServer.store.refreshTokenOverlapSeconds = policy === 'grace' ? 60 : 0;
  const client = world.redis.client();
  // The proxy acts on what runs, not on the NOSCRIPT that a server answers which sees a script for the first time.
  for (const { lua } of Object.values(grantScripts)) await client.script('LOAD', lua);
  const proxy = await startRedisProxy(world.redis.port);
  const login = createLogin(world, client);
  const { authorizationServer: server, api } = world;
  const [accessTokenTtl, overlapSeconds] = [server.settings.accessTokenTtl, server.store.refreshTokenOverlapSeconds];
  return {
    ...world,
    proxy,
    client,
    ...login,
    refreshes: () => server.tokenRequests.refresh_token,
    calm() {
      proxy.resume();
      api.plan.length = 0;
      server.plan.length = 0;
      server.intercept = undefined;
      server.settings.accessTokenTtl = accessTokenTtl;
      server.store.refreshTokenOverlapSeconds = overlapSeconds;
    },
    fresh: async (options = {}, { direct = false, routes = [] } = {}) => {
      const url = direct ? world.redis.url : proxy.url;
      const app = await world.app('express5', { routes: [...routes, grantIdRoute], options: { ...timeouts, redis: url, ...options } } satisfies Omit<AppOptions, 'authorizationServer'>);
      return observed(app);
    },
    async close() {
      proxy.resume();
      await world.close();
      await proxy.stop();
    },
  };
}

function createLogin(world: World, redis: Redis): Pick<FaultWorld, 'login' | 'expired' | 'current'> {
  let front: Promise<TestApp> | undefined;
  const frontApp = (): Promise<TestApp> => (front ??= world.app('express5', { routes: [grantIdRoute], options: longTimeouts }));

  async function current(browser: Browser, account: string): Promise<Login> {
    const app = await frontApp();
    const grantId = (await browser.get(`${app.baseUrl}/grant-id`, { navigate: false })).text;
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    return { account, browser, cookie, grantId, record: new GrantRecord(redis, grantId) };
  }

  async function login(account = `user-${(accounts += 1)}`): Promise<Login> {
    return current(await world.loggedIn(await frontApp(), account), account);
  }

  return {
    current,
    login,
    async expired(account) {
      const made = await login(account);
      await made.record.expireTokens();
      return made;
    },
  };
}

function observed(app: TestApp): FaultApp {
  const events: RecordedEvent[] = [];
  for (const event of eventNames) app.auth.on(event, (detail) => events.push({ event, detail }));
  return {
    ...app,
    events,
    count: (event) => events.filter((each) => each.event === event).length,
    call: ({ cookie }, path = '/api') => createBrowser().get(`${app.origin}${path}`, { navigate: false, headers: { Cookie: cookie } }),
  };
}
