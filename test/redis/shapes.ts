/** What every shape of Redis has to carry: one login from its beginning to its end, with a client of either ioredis. */
import { expect } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import { invalidToken } from '../support/api-server.js';
import type { TestApp } from '../support/apps.js';
import type { Browser, Page } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import type { World } from '../support/world.js';

/** The types of the two versions differ in what our code does not touch. */
export const versions = [
  ['ioredis 6', { Redis, Cluster }],
  ['ioredis 5', { Redis: Redis5 as unknown as typeof Redis, Cluster: Cluster5 as unknown as typeof Cluster }],
] as const;

/** The app's own client: its outages are not what the tests are about. */
export function quiet<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => undefined);
  return client;
}

export const callApi = (app: TestApp, browser: Browser): Promise<Page> => browser.get(`${app.baseUrl}/api`, { navigate: false });

/** Login, API call, refresh, logout. `during` runs while the login is there. */
export async function wholeLife(world: World, app: TestApp, during: () => Promise<void> = async () => undefined): Promise<void> {
  const browser = await world.loggedIn(app);
  expect((await callApi(app, browser)).status).toBe(200);
  const before = world.authorizationServer.tokenRequests.refresh_token;
  world.api.plan.push(invalidToken);
  expect((await callApi(app, browser)).status).toBe(200);
  expect(world.authorizationServer.tokenRequests.refresh_token).toBe(before + 1);
  expect((await browser.post(`${app.baseUrl}/session`, {}, { navigate: false })).json()).toEqual({ counter: 1 });
  await during();
  await browser.post(`${app.baseUrl}/logout`);
  expect((await browser.get(`${app.baseUrl}/private`, { navigate: false })).status).toBe(401);
}

export interface Load {
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly slowestMs: number;
  /** The answers of 401 and 302, and what deleted or replaced a cookie: nobody may have been logged out. */
  readonly loggedOut: number;
}

/** Users who go on working while something happens to their Redis: three requests at a time for each of them. */
export async function underLoad(app: TestApp, browsers: readonly Browser[], work: () => Promise<unknown>): Promise<Load> {
  const statuses: Record<number, number> = {};
  let [slowestMs, loggedOut, over] = [0, 0, false];
  async function use(browser: Browser, path: string): Promise<void> {
    while (!over) {
      const begin = performance.now();
      const { status, setCookies } = await browser.get(`${app.baseUrl}${path}`, { navigate: false });
      slowestMs = Math.max(slowestMs, performance.now() - begin);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 401 || status === 302 || setCookies.length > 0) loggedOut += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const users = browsers.flatMap((browser) => ['/private', '/api', '/private'].map((path) => use(browser, path)));
  try {
    // On a busy machine what happens would else be over before the first answer.
    await eventually(() => Object.keys(statuses).length > 0);
    await work();
  } finally {
    over = true;
    await Promise.all(users);
  }
  return { statuses, slowestMs, loggedOut };
}
