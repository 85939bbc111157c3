/**
 * One user's requests in every order that chance makes of them: uses and renewals of the token, writes to `req.session`, requests that hold
 * the session for a while, a logout, a login. Two apps on one Redis, a strict authorization server. A failure prints the seed, which
 * gives the same requests at the same moments again: `INTERLEAVINGS_SEED=<seed>`.
 * @jest-environment-options {"debug": false}
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { requireAuth } from '../../lib/index.js';
import { Random } from '../model/random.js';
import type { Route, TestApp } from '../support/apps.js';
import { createBrowser, type Browser, type Page } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startPlainApi, type PlainApi } from '../support/plain-api.js';
import { startWorld, type World } from '../support/world.js';

const INTERLEAVINGS = 1000;
const USERS_AT_ONCE = 8;

type Kind = 'use' | 'renew' | 'write' | 'slow' | 'logout' | 'login';

interface Step {
  readonly kind: Kind;
  readonly app: 0 | 1;
  readonly afterMs: number;
  /** How long a slow request holds the session before it writes. */
  readonly holdMs: number;
}

/** One request, with what it was sent with and what came of it. */
interface Done {
  readonly kind: Kind;
  readonly app: 0 | 1;
  /** The session cookie that it was sent with. */
  readonly session: string;
  readonly from: number;
  readonly until: number;
  readonly status: number;
  /** The access token that reached the API. */
  readonly jti: string | undefined;
}

let world: World;
let api: PlainApi;
let apps: readonly [TestApp, TestApp];
/** In the order in which the apps told of them. */
const commits: { readonly grant: string; readonly version: number }[] = [];

/** Refuses the first call of each `/renew?id=…`. */
function startApi(): Promise<PlainApi> {
  const refused = new Set<string>();
  return startPlainApi(({ path }) => path.includes('/renew') && !refused.has(path) && refused.add(path).has(path));
}

function appRoutes(apiUrl: string): Route[] {
  const callApi = async (oauthFetch: typeof fetch, path: string): Promise<Record<string, unknown>> =>
    (await (await oauthFetch(`${apiUrl}${path}`)).json()) as Record<string, unknown>;
  return [
    { method: 'GET', path: '/use', handlers: [requireAuth(), async (req, res) => sendJson(res, 200, await callApi(req.oauthFetch, 'whoami'))] },
    { method: 'GET', path: '/renew', handlers: [requireAuth(), async (req, res) => sendJson(res, 200, await callApi(req.oauthFetch, `renew?id=${randomUUID()}`))] },
    {
      method: 'GET',
      path: '/slow',
      handlers: [
        requireAuth(),
        async (req, res) => {
          const counter = req.session.counter ?? 0;
          await new Promise((resolve) => setTimeout(resolve, Number(new URL(req.url ?? '', 'http://app').searchParams.get('ms'))));
          req.session.counter = counter + 1;
          sendJson(res, 200, await callApi(req.oauthFetch, 'whoami'));
        },
      ],
    },
  ];
}

beforeAll(async () => {
  // Another host than the apps', so that its cookies are its own; lives of two seconds, so that tokens also end by themselves.
  world = await startWorld({ host: 'localhost', accessTokenTtl: 2 });
  api = await startApi();
  // A busy machine is no fault of the code under test.
  const options = { apis: [api.url], redisTimeoutSeconds: 10, httpTimeoutSeconds: 20 };
  const routes = appRoutes(api.url);
  const first = await world.app('express5', { routes, options });
  apps = [first, await world.app('express4', { routes, options, baseUrl: first.baseUrl })];
  for (const { auth } of apps) auth.on('refresh.committed', ({ grant, version }) => commits.push({ grant, version }));
});
afterAll(async () => {
  await world.close();
  await api.close();
});

function planOf(random: Random): Step[] {
  const step = (kind: Kind): Step => ({ kind, app: random.pick([0, 1]), afterMs: random.between(0, 25), holdMs: random.between(0, 25) });
  const steps = Array.from({ length: random.between(2, 5) }, () => step(random.pick(['use', 'use', 'renew', 'renew', 'write', 'slow', 'slow'])));
  if (random.chance(0.25)) steps.push(step('logout'));
  if (random.chance(0.15)) steps.push(step('login'));
  return steps;
}

/** A user with one browser, whose interleavings follow each other. */
class User {
  readonly browser: Browser;
  #done: Done[] = [];
  /** Sessions that were ended, and since when every request of theirs has to be refused. */
  readonly #over = new Map<string, number>();
  #loggedIn = false;

  constructor(readonly account: string) {
    this.browser = createBrowser({ login: account });
  }

  get session(): string {
    return this.browser.cookies.get('session', '127.0.0.1')?.value ?? '';
  }

  async play(seed: number): Promise<void> {
    const plan = planOf(new Random(seed));
    this.#done = [];
    try {
      if (!this.#loggedIn) await this.#login();
      for (const { kind, holdMs } of plan) if (kind === 'renew') world.authorizationServer.plan.push({ grantType: 'refresh_token', delayMs: holdMs });
      await Promise.all(plan.map((step) => this.#carryOut(step)));
      await this.#check();
    } catch (error) {
      const requests = this.#done.map((done) => JSON.stringify({ ...done, session: done.session.slice(4, 12) }));
      throw new Error([`INTERLEAVINGS_SEED=${seed}: ${String(error)}`, JSON.stringify(plan), ...requests].join('\n'), { cause: error });
    }
  }

  async #carryOut({ kind, app, afterMs, holdMs }: Step): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (kind === 'login') return this.#login();
    const paths = { use: '/use', renew: '/renew', write: '/session', slow: `/slow?ms=${holdMs}`, logout: '/logout' };
    await this.#send(kind, paths[kind], app);
  }

  /** With the cookie that the browser has now. */
  async #send(kind: Kind, path: string, app: 0 | 1, session = this.session): Promise<Page> {
    const method = kind === 'write' || kind === 'logout' ? 'POST' : 'GET';
    const from = performance.now();
    // As from a page of the app, whichever process the load balancer chose.
    const headers = { Cookie: `session=${session}`, Origin: apps[0].baseUrl, 'Sec-Fetch-Site': 'same-origin' };
    const page = await createBrowser().request(apps[app].origin + path, { method, navigate: false, headers });
    const until = performance.now();
    const { sub, jti } = page.status === 200 ? (page.json() as { sub?: string; jti?: string }) : {};
    this.#done.push({ kind, app, session, from, until, status: page.status, jti });
    if (sub !== undefined) expect(sub).toBe(this.account);
    if (kind === 'logout') this.#end(session, from, until, page.status);
    return page;
  }

  #end(session: string, from: number, until: number, status: number): void {
    // Somebody who is no longer logged in is sent on, too.
    expect({ status, from }).toEqual({ status: 303, from });
    this.#over.set(session, Math.min(until, this.#over.get(session) ?? Infinity));
    if (session === this.session) this.#loggedIn = false;
  }

  /** A new session, with which the old one ends. The server knows nothing of earlier ones. */
  async #login(): Promise<void> {
    for (const { name } of this.browser.cookies.all('localhost')) this.browser.cookies.delete(name);
    // Nor does the app: so many logins a minute look like going round in circles (C10).
    for (const { name } of this.browser.cookies.all()) if (name.startsWith('session-login-')) this.browser.cookies.delete(name);
    const before = this.session;
    const page = await this.browser.get(`${apps[0].baseUrl}/login?returnTo=/private`);
    expect(page.status).toBe(200);
    expect(this.session).not.toBe(before);
    if (before !== '') this.#over.set(before, Math.min(performance.now(), this.#over.get(before) ?? Infinity));
    this.#loggedIn = true;
  }

  async #check(): Promise<void> {
    const sessions = new Set([...this.#done.map(({ session }) => session), this.session]);
    for (const session of sessions) {
      await Promise.all([this.#send('use', '/use', 0, session), this.#send('use', '/use', 1, session)]);
      const own = this.#done.filter((done) => done.session === session && done.kind !== 'logout' && done.kind !== 'write');
      const over = this.#over.get(session) ?? Infinity;
      for (const { from, status } of own) {
        if (over === Infinity) expect(status).toBe(200);
        else expect(from > over ? [401] : [200, 401]).toContain(status);
      }
      for (const app of [0, 1]) expectNoneCameBack(own.filter((done) => done.app === app));
    }
    expect(world.authorizationServer.tokenEndpoint.reusedRefreshTokens).toBe(0);
  }

  async logout(): Promise<void> {
    if (this.#loggedIn) await this.#send('logout', '/logout', 0);
  }
}

/**
 * A token that was in use before another one is not in use after that, in one process: as long as it lives, another process may go on
 * with what it has (DESIGN §4).
 */
function expectNoneCameBack(requests: readonly Done[]): void {
  const used = requests.filter(({ jti }) => jti !== undefined);
  for (const replaced of used) {
    for (const newer of used) {
      if (newer.jti === replaced.jti || newer.from < replaced.until) continue;
      const back = used.find(({ jti, from }) => jti === replaced.jti && from > newer.until);
      if (back !== undefined) throw new Error(`the token ${replaced.jti} came back after ${newer.jti}`);
    }
  }
}

describe(`one user's requests in ${INTERLEAVINGS} random orders`, () => {
  it('E5, C6, C7: bring no old token back and revive no session', async () => {
    const only = process.env['INTERLEAVINGS_SEED'];
    const seeds = only === undefined ? Array.from({ length: INTERLEAVINGS }, (_, index) => index + 1) : [Number(only)];
    const users = Array.from({ length: Math.min(USERS_AT_ONCE, seeds.length) }, (_, index) => new User(`user${index}`));
    await Promise.all(
      users.map(async (user) => {
        for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) await user.play(seed);
        await user.logout();
      }),
    );
    expect(world.authorizationServer.serverErrors).toEqual([]);
    if (only === undefined) expect(commits.length).toBeGreaterThan(INTERLEAVINGS / 5);
    for (const grant of new Set(commits.map((commit) => commit.grant))) {
      const versions = commits.filter((commit) => commit.grant === grant).map(({ version }) => version).sort((a, b) => a - b);
      expect(versions).toEqual(versions.map((_version, index) => index + 2));
    }
    // Everybody is logged out: nothing of any login is left.
    expect(await world.redis.client().keys('ecf:g:*')).toEqual([]);
  }, 360_000);
});
