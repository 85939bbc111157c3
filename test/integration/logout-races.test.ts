/**
 * A logout against everything else that one browser has under way: the callback of another login, renewals, requests that hold the session before
 * they write it, in every order that chance makes of them. The user, the app ("everywhere"), or the server (a logout token) signs out. Two
 * apps on one Redis. A failure prints the seed: `RACES_SEED=<seed>` gives the same requests at the same moments again.
 * @jest-environment-options {"debug": false}
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth, type CodeFlowEvents } from '../../lib/index.js';
import { Random } from '../model/random.js';
import { startApp, type Route, type TestApp } from '../support/apps.js';
import { createBrowser, type Page } from '../support/browser.js';
import { listen, sendJson, type ListeningServer } from '../support/http.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';

const RACES = 1000;
const AT_ONCE = 8;
const LONGEST_MS = 12;

type End = 'the user' | 'everywhere' | 'by sid' | 'by sub';
type Other = 'callback' | 'refresh' | 'slow write' | 'use';

interface Plan {
  readonly end: End;
  readonly endApp: 0 | 1;
  readonly endAfterMs: number;
  readonly others: readonly { readonly kind: Other; readonly app: 0 | 1; readonly afterMs: number; readonly holdMs: number }[];
}

let server: LyingServer;
let redis: RedisServer;
let api: ListeningServer;
let apps: readonly [TestApp, TestApp];
const failedLogins: CodeFlowEvents['login.failed'][] = [];

beforeAll(async () => {
  [server, redis] = await Promise.all([startLyingServer(), startRedis()]);
  const refused = new Set<string>();
  api = await listen(() => (req, res) => {
    // Refuses the first call of each address, whatever the token.
    if (refused.has(req.url ?? '')) return sendJson(res, 200, {});
    refused.add(req.url ?? '');
    sendJson(res, 401, {}, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
  });
  const apiUrl = `http://127.0.0.1:${api.port}/`;
  const routes: Route[] = [
    { method: 'GET', path: '/renew', handlers: [requireAuth(), async (req, res) => sendJson(res, (await req.oauthFetch(`${apiUrl}renew?id=${randomUUID()}`)).status, {})] },
    {
      method: 'GET',
      path: '/slow',
      handlers: [
        requireAuth(),
        async (req, res) => {
          req.session.counter = 1;
          await pause(Number(new URL(req.url ?? '', 'http://app').searchParams.get('ms')));
          req.session.counter += 1;
          sendJson(res, 200, {});
        },
      ],
    },
  ];
  const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret, scope: 'openid' };
  const options = { redis: redis.url, apis: [apiUrl], provider, redisTimeoutSeconds: 10, httpTimeoutSeconds: 20 };
  const first = await startApp('express5', { routes, options });
  apps = [first, await startApp('express4', { routes, options, baseUrl: first.baseUrl })];
  await Promise.all(apps.map(({ storeReady }) => storeReady));
  for (const { auth } of apps) auth.on('login.failed', (detail) => failedLogins.push(detail));
  server.makeIdToken = (claims) => server.sign({ ...claims, ...whoIs.get(String(claims['nonce'])) });
});
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await Promise.all([api.close(), server.close(), redis.stop()]);
});

/** By `nonce`: who logs in. */
const whoIs = new Map<string, { readonly sub: string; readonly sid: string }>();


function planOf(random: Random): Plan {
  const moment = (): number => random.between(0, LONGEST_MS);
  const other = (kind: Other) => ({ kind, app: random.pick([0, 1] as const), afterMs: moment(), holdMs: moment() });
  const more = Array.from({ length: random.between(1, 3) }, () => other(random.pick(['refresh', 'slow write', 'use'] as const)));
  return {
    end: random.pick(['the user', 'the user', 'everywhere', 'by sid', 'by sub'] as const),
    endApp: random.pick([0, 1] as const),
    endAfterMs: moment(),
    others: random.chance(0.8) ? [other('callback'), ...more] : more,
  };
}

/** The login at this callback address is under way: its code has arrived at the server. */
function isRedeemed(callback: string): boolean {
  const code = new URL(callback).searchParams.get('code');
  return server.requests.some(({ endpoint, body }) => endpoint === 'token' && body.get('code') === code);
}

let mustHaveFailed = 0;

class Race {
  readonly #user: { readonly sub: string; readonly sid: string };
  readonly #browser = createBrowser();
  readonly #sessions = new Set<string>();

  constructor(readonly seed: number) {
    this.#user = { sub: `user-${seed}`, sid: `sid-${seed}` };
  }

  async run(): Promise<void> {
    const plan = planOf(new Random(this.seed));
    try {
      const callback = await this.#toCallback();
      expect((await this.#browser.get(callback, { follow: false })).status).toBe(303);
      const session = this.#remember();
      const next = await this.#toCallback();
      const works = plan.others.map(async ({ kind, app, afterMs, holdMs }) => {
        await pause(afterMs);
        await this.#carryOut(kind, apps[app], session, next, holdMs);
      });
      await pause(plan.endAfterMs);
      // A code that is redeemed later is a new login, but for a session of the server's that is over.
      const mustNotComeUp = plan.end === 'by sid' || isRedeemed(next);
      await this.#end(plan.end, apps[plan.endApp], session);
      await this.#expectNobody(session); // at once, while the others are under way
      await Promise.all(works);
      await this.#expectNobody(session);
      if (mustNotComeUp) {
        for (const one of this.#sessions) await this.#expectNobody(one);
        expect(await apps[0].auth.listSessions(this.#user.sub)).toEqual([]);
        mustHaveFailed += 1;
      }
    } catch (error) {
      throw new Error(`RACES_SEED=${this.seed}: ${String(error)}\n${JSON.stringify(plan)}`, { cause: error });
    }
  }

  /** The address of the callback of a login that was begun in this browser. */
  async #toCallback(): Promise<string> {
    const start = await this.#browser.get(`${apps[0].baseUrl}/login?returnTo=/private`, { follow: false });
    const request = new URL(start.headers.location!);
    whoIs.set(request.searchParams.get('nonce')!, this.#user);
    return (await createBrowser().get(request, { follow: false })).headers.location!;
  }

  #remember(): string {
    const session = this.#browser.cookies.get('session', '127.0.0.1')!.value;
    this.#sessions.add(session);
    return session;
  }

  async #carryOut(kind: Other, app: TestApp, session: string, callback: string, holdMs: number): Promise<void> {
    if (kind === 'callback') {
      const { pathname, search } = new URL(callback);
      const headers = { Cookie: `${this.#loginCookies()}; session=${session}` };
      const page = await createBrowser().get(app.origin + pathname + search, { follow: false, headers });
      expect([303, 400]).toContain(page.status);
      for (const line of page.setCookies) if (line.startsWith('session=s')) this.#sessions.add(decodeURIComponent(/^session=([^;]*)/.exec(line)![1]!));
      return;
    }
    const path = { refresh: '/renew', 'slow write': `/slow?ms=${holdMs}`, use: '/private' }[kind];
    expect([200, 401]).toContain((await this.#send(path, session, app)).status);
  }

  #loginCookies(): string {
    return this.#browser.cookies
      .all('127.0.0.1')
      .filter(({ name }) => name.startsWith('session-login-'))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  #send(path: string, session: string, app: TestApp, method = 'GET'): Promise<Page> {
    const headers = { Cookie: `session=${session}`, Origin: apps[0].baseUrl, 'Sec-Fetch-Site': 'same-origin' };
    return createBrowser().request(app.origin + path, { method, navigate: false, headers });
  }

  async #end(end: End, app: TestApp, session: string): Promise<void> {
    if (end === 'the user') return expect((await this.#send('/logout', session, app, 'POST')).status).toBe(303);
    if (end === 'everywhere') return app.auth.endSessions({ subject: this.#user.sub });
    const now = Math.floor(Date.now() / 1000);
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const { sub, sid } = this.#user;
    const token = await server.sign({ iss: server.issuer, aud: server.clientId, iat: now, exp: now + 60, jti: `${this.seed}`, events, ...(end === 'by sid' ? { sid } : { sub }) });
    const answer = await createBrowser().post(`${app.origin}/backchannel-logout`, { logout_token: token }, { navigate: false });
    expect(answer.status).toBe(200);
  }

  async #expectNobody(session: string): Promise<void> {
    for (const app of apps) expect({ session: session.slice(2, 10), status: (await this.#send('/private', session, app)).status }).toEqual({ session: session.slice(2, 10), status: 401 });
  }
}

describe(`${RACES} logouts, each against what one browser has under way`, () => {
  it('C7, H6, FAULTS 50: after a logout has been answered nothing is authenticated, and nothing comes up', async () => {
    const only = process.env['RACES_SEED'];
    const seeds = only === undefined ? Array.from({ length: RACES }, (_, index) => index + 1) : [Number(only)];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) await new Race(seed).run();
      }),
    );
    // Both sides won often enough for this to mean something.
    if (only === undefined) {
      expect(mustHaveFailed).toBeGreaterThan(RACES / 20);
      expect(failedLogins.filter(({ code }) => code === 'ERR_CODE_FLOW_SIGNED_OUT').length).toBeGreaterThan(RACES / 20);
    }
    expect(failedLogins.filter(({ code }) => code !== 'ERR_CODE_FLOW_SIGNED_OUT')).toEqual([]);
  }, 360_000);
});
