/** The authorization server fails, lies or is slow at a refresh: only a confirmed refusal ends a login, and no refresh token is thrown away. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RequestListener } from 'node:http';
import { importJWK, SignJWT, type JWK } from 'jose';
import { startAppProcess } from '../support/app-process.js';
import type { TokenPlan } from '../support/authorization-server.js';
import { testSigningKey } from '../support/authorization-server/configuration.js';
import { createBrowser } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { longTimeouts, startFaultWorld } from '../support/fault-world.js';
import type { FaultWorld, Login } from '../support/fault-world.js';
import { listen } from '../support/http.js';
import { changeTokenAnswers } from '../support/token-answers.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld({ timeouts: longTimeouts });
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();
const reused = (): number => world.authorizationServer.tokenEndpoint.reusedRefreshTokens;
const plan = (planned: TokenPlan): void => void world.authorizationServer.plan.push({ grantType: 'refresh_token', ...planned });
const unavailable = { status: 503, code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' };
const ended = { status: 401, code: 'ERR_CODE_FLOW_LOGIN_ENDED' };
/** Longer than any back-off. */
const afterBackOff = (login: Login): Promise<void> => login.record.pass(3700);

/** The login is over and its user can have a new one. */
async function expectCleanLogin(login: Login): Promise<void> {
  const app = await world.fresh();
  expect((await app.call(login, '/private')).status).toBe(401);
  expect((await login.browser.get(`${app.origin}/private`)).status).toBe(200);
  expect((await login.browser.get(`${app.origin}/api`, { navigate: false })).json().sub).toBe(login.account);
}

describe('answers that end no login, however often they come', () => {
  const page = { 'Content-Type': 'text/html' };
  const token = { access_token: 'x', token_type: 'bearer' };

  it.each<[string, TokenPlan]>([
    ['FAULTS 30: 500', { status: 500 }],
    ['FAULTS 30: 503', { status: 503 }],
    ['FAULTS 30: 429', { status: 429 }],
    ['408', { status: 408 }],
    ['FAULTS 33: 401 invalid_client', { status: 401, body: { error: 'invalid_client' } }],
    ['FAULTS 33: 400 unauthorized_client', { status: 400, body: { error: 'unauthorized_client' } }],
    ['FAULTS 33: 400 invalid_scope', { status: 400, body: { error: 'invalid_scope' } }],
    ['FAULTS 33: 400 unsupported_grant_type', { status: 400, body: { error: 'unsupported_grant_type' } }],
    ['a 400 page of something in between', { status: 400, headers: page, body: '<html>' }],
    ['a 403 page of something in between', { status: 403, headers: page, body: '<html>' }],
    ['a 404 page', { status: 404, headers: page, body: '<html>' }],
    ['500 HTML (django-oauth-toolkit)', { status: 500, headers: page, body: '<h1>Server Error (500)</h1>' }],
    ['FAULTS 34: 200 and garbage', { status: 200, body: 'garbage' }],
    ['FAULTS 34: 200 without an access token', { status: 200, body: { token_type: 'bearer', refresh_token: 'x' } }],
    ['FAULTS 34: 200 with another token type', { status: 200, body: { ...token, token_type: 'mac' } }],
    ['FAULTS 34: 200 with more than 256 KB', { status: 200, body: { ...token, rest: 'x'.repeat(300_000) } }],
    ['FAULTS 37: 307', { status: 307, headers: { Location: 'http://127.0.0.1:9/' } }],
  ])('E8: %s', async (_name, answer) => {
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    for (let times = 1; times <= 3; times += 1) {
      plan(answer);
      const given = await app.call(login);
      expect({ status: given.status, code: given.json().code }).toEqual(unavailable);
      expect(Number(given.headers['retry-after'])).toBeGreaterThan(0);
      expect(given.setCookies).toEqual([]);
      expect((await app.call(login, '/private')).status).toBe(200);
      expect([app.count('refresh.failed'), refreshes()]).toEqual([times, before + times]);
      await afterBackOff(login);
    }
    expect((await app.call(login)).status).toBe(200);
    expect(await login.record.version()).toBe(2);
  });

  it('E8: nobody listens', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    await app.call(await world.expired()); // so that it knows the metadata
    await world.authorizationServer.stop();
    const answer = await app.call(login);
    expect({ status: answer.status, code: answer.json().code }).toEqual(unavailable);
    await world.authorizationServer.restart();
    await afterBackOff(login);
    expect((await app.call(login)).status).toBe(200);
  });

  it('E8: the connection is reset before the server looked', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    world.authorizationServer.intercept = (req, res) => {
      if (req.url !== '/token') return false;
      world.authorizationServer.intercept = undefined;
      res.socket?.resetAndDestroy();
      return true;
    };
    expect((await app.call(login)).status).toBe(503);
    await afterBackOff(login);
    expect((await app.call(login)).status).toBe(200);
  });

  it('FAULTS 33: a wrong client secret is told loudly, and mending it needs no new login', async () => {
    const login = await world.expired();
    const { issuer, clientId } = world.authorizationServer.provider;
    const misconfigured = await world.fresh({ provider: { issuer, clientId, clientSecret: 'the wrong one, by mistake' } });
    expect((await misconfigured.call(login)).status).toBe(503);
    expect(misconfigured.events).toContainEqual({ event: 'refresh.failed', detail: expect.objectContaining({ code: 'ERR_CODE_FLOW_CLIENT_REFUSED' }) });
    await afterBackOff(login);
    expect((await (await world.fresh()).call(login)).status).toBe(200);
  });
});

describe('the many faces of a refused refresh', () => {
  it.each<[string, TokenPlan]>([
    ['400 and an empty body (glewlwyd)', { status: 400, body: '', headers: { 'Content-Type': '' } }],
    ['400 invalid_request (lemonldap-ng)', { status: 400, body: { error: 'invalid_request' } }],
    ['403 invalid_code (glewlwyd)', { status: 403, body: { error: 'invalid_code' } }],
    ['403 access_denied', { status: 403, body: { error: 'access_denied' } }],
    ['400 and an empty object', { status: 400, body: {} }],
    ['404 and words of its own', { status: 404, body: { error: 'token_not_found' } }],
  ])('E10: %s: ends the login the second time, after the back-off', async (_name, answer) => {
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    plan(answer);
    plan(answer);
    const first = await app.call(login);
    expect({ status: first.status, code: first.json().code }).toEqual(unavailable);
    expect((await app.call(login)).status).toBe(503);
    expect([(await app.call(login, '/private')).status, refreshes()]).toEqual([200, before + 1]);
    await afterBackOff(login);
    const second = await app.call(login);
    expect({ status: second.status, code: second.json().code }).toEqual(ended);
    expect(refreshes()).toBe(before + 2);
    await expectCleanLogin(login);
  });

  it('E10: a doubtful refusal is forgotten when a refresh works in between', async () => {
    const login = await world.expired();
    for (let times = 0; times < 3; times += 1) {
      const app = await world.fresh();
      plan({ status: 400, body: { error: 'invalid_request' } });
      expect((await app.call(login)).status).toBe(503);
      await afterBackOff(login);
      expect((await app.call(login)).status).toBe(200);
      await login.record.expireTokens();
    }
  });

  it('FAULTS 31: invalid_grant ends it at once, with one call, and keeps nothing of it', async () => {
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    world.authorizationServer.revokeGrantsOf(login.account);
    const answer = await app.call(login);
    expect({ status: answer.status, code: answer.json().code }).toEqual(ended);
    expect([refreshes() - before, await login.record.fields()]).toEqual([1, { v: '1', end: 'refused' }]);
    await expectCleanLogin(login);
  });

  it('E9, FAULTS 32: invalid_grant after another process has refreshed: its tokens are used', async () => {
    const { authorizationServer, api, redis } = world;
    const login = await world.expired();
    const slow = await startAppProcess({ authorizationServer, api, options: { redis: redis.url } });
    try {
      const release = gate();
      plan({ until: release.opened, status: 400, body: { error: 'invalid_grant' } });
      const arrived = authorizationServer.tokenEndpoint.nextRequest();
      const late = createBrowser().get(`${slow.origin}/api`, { navigate: false, headers: { Cookie: login.cookie } });
      await arrived;
      await login.record.pass(60); // its lease ends
      const winner = await (await world.fresh()).call(login);
      release.open();
      const answer = await late;
      expect([winner.status, answer.status, answer.json().jti]).toEqual([200, 200, winner.json().jti]);
      expect(await login.record.version()).toBe(2);
    } finally {
      await slow.stop();
    }
  }, 360_000);
});

describe('the server is asked no more often than it wants', () => {
  it('FAULTS 30: 429 with Retry-After: not before that', async () => {
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    plan({ status: 429, headers: { 'Retry-After': '300' } });
    const answer = await app.call(login);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '300']);
    await login.record.pass(240);
    expect((await app.call(login)).status).toBe(503);
    expect((await (await world.fresh()).call(login)).status).toBe(503);
    expect(refreshes()).toBe(before + 1);
    await login.record.pass(60);
    expect((await app.call(login)).status).toBe(200);
  });

  it('FAULTS 29: no answer in time, and the token is over: the identity works, the token does after the fault', async () => {
    const [app, login] = [await world.fresh({ httpTimeoutSeconds: 0.3 }), await world.expired()];
    const release = gate();
    plan({ until: release.opened, status: 503 });
    const answer = await app.call(login);
    expect({ status: answer.status, code: answer.json().code }).toEqual(unavailable);
    expect((await app.call(login, '/private')).status).toBe(200);
    release.open();
    await afterBackOff(login);
    expect((await (await world.fresh()).call(login)).status).toBe(200);
  });

  it.each([
    ['FAULTS 28: does not answer', (until: Promise<unknown>): TokenPlan => ({ until, status: 503 })],
    ['E12: fails', (): TokenPlan => ({ status: 500, headers: { 'Retry-After': '300' } })],
  ])('%s while the old token is good: nobody notices, and nobody waits', async (_name, makePlan) => {
    const [app, login, before] = [await world.fresh(), await world.login(), refreshes()];
    await login.record.setTokensLeft(8); // of 60: in the last fifth
    const release = gate();
    plan(makePlan(release.opened));
    const first = await app.call(login);
    await eventually(() => refreshes() === before + 1);
    // Until it is released, whoever waited for the server would wait in vain.
    for (let times = 0; times < 20; times += 1) {
      const answer = await app.call(login);
      expect([answer.status, answer.json().jti]).toEqual([200, first.json().jti]);
    }
    release.open();
    expect([refreshes(), app.errors]).toEqual([before + 1, []]);
  });
});

describe('an answer that got lost, or came too late', () => {
  it('E16, FAULTS 38: the server rotated, strict: one more try, then one clean login', async () => {
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    plan({ afterProcessing: 'reset' });
    expect((await app.call(login)).status).toBe(503);
    await afterBackOff(login);
    const answer = await app.call(login);
    expect({ status: answer.status, code: answer.json().code }).toEqual(ended);
    await expectCleanLogin(login);
    expect(refreshes()).toBe(before + 2);
  });

  it('E16, FAULTS 38: the server rotated, and gives grace: one more try, and no login', async () => {
    world.authorizationServer.store.refreshTokenOverlapSeconds = 60;
    const [app, login, before] = [await world.fresh(), await world.expired(), refreshes()];
    plan({ afterProcessing: 'reset' });
    expect((await app.call(login)).status).toBe(503);
    await afterBackOff(login);
    expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before + 2);
  });

  it.each([
    ['strict', 0, 401],
    ['grace', 60, 200],
  ])('FAULTS 39: slower than the timeout, %s: given up, tried once more, never two calls at once', async (_name, overlapSeconds, status) => {
    const { store, tokenEndpoint } = world.authorizationServer;
    store.refreshTokenOverlapSeconds = overlapSeconds;
    const [app, login, before] = [await world.fresh({ httpTimeoutSeconds: 0.4 }), await world.expired(), refreshes()];
    tokenEndpoint.concurrencyPeak = 0;
    plan({ delayMs: 600 });
    const answers = [app.call(login), app.call(login)];
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([503, 503]);
    expect((await app.call(login)).status).toBe(503);
    await pause(400); // the server goes on alone: it rotates
    await afterBackOff(login);
    expect((await (await world.fresh()).call(login)).status).toBe(status);
    expect([refreshes(), tokenEndpoint.concurrencyPeak]).toEqual([before + 2, 1]);
  });
});

describe('an answer that is not as it should be', () => {
  it('D4, FAULTS 35: the ID Token of somebody else: the login ends loudly, nothing of it is kept', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const { revocations } = world.authorizationServer.counters;
    const calls = world.api.calls.length;
    const key = await importJWK(testSigningKey() as JWK, 'RS256');
    changeTokenAnswers(world.authorizationServer, async (answer) => {
      const claims = JSON.parse(Buffer.from(String(answer['id_token']).split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
      return { ...answer, id_token: await new SignJWT({ ...claims, sub: 'bob' }).setProtectedHeader({ alg: 'RS256' }).sign(key) };
    });
    expect((await app.call(login)).status).toBe(401);
    expect(app.count('refresh.subject_mismatch')).toBe(1);
    expect(await login.record.fields()).toEqual({ v: '1', end: 'refused' });
    expect(world.api.calls).toHaveLength(calls);
    await eventually(() => world.authorizationServer.counters.revocations === revocations + 1);
    world.authorizationServer.intercept = undefined;
    await expectCleanLogin(login);
  });

  it('E17, FAULTS 36: the keys are down: the rotated refresh token is kept, and the login works once they are back', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const [before, again] = [refreshes(), reused()];
    world.authorizationServer.intercept = (req, res) => req.url === '/jwks' && (res.writeHead(503).end(), true);
    const answer = await app.call(login);
    expect({ status: answer.status, code: answer.json().code }).toEqual(unavailable);
    expect(await login.record.version()).toBe(2);
    expect((await app.call(login)).status).toBe(503);
    world.authorizationServer.intercept = undefined;
    await afterBackOff(login);
    expect((await app.call(login)).status).toBe(200);
    expect([await login.record.version(), refreshes(), reused()]).toEqual([3, before + 2, again]);
  });

  it('E17: an answer that cannot be checked, after another process has refreshed: its tokens are used, and nothing is written', async () => {
    world.authorizationServer.store.refreshTokenOverlapSeconds = 60;
    const [slow, sibling, login] = [await world.fresh(), await world.fresh(), await world.expired()];
    expect((await sibling.call(await world.expired())).status).toBe(200); // so that it knows the keys
    const release = gate();
    plan({ afterProcessing: release.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const late = slow.call(login);
    await arrived;
    await login.record.pass(60); // its lease ends
    const winner = await sibling.call(login);
    const before = await login.record.fields();
    world.authorizationServer.intercept = (req, res) => req.url === '/jwks' && (res.writeHead(503).end(), true);
    release.open();
    const answer = await late;
    expect([answer.status, answer.json().jti]).toEqual([200, winner.json().jti]);
    expect(await login.record.fields()).toEqual(before);
  });

  it.each([301, 302, 303, 307, 308])('E20, FAULTS 37: a %d from the token endpoint is followed nowhere', async (status) => {
    let requests = 0;
    const count: RequestListener = (_req, res) => {
      requests += 1;
      res.end();
    };
    const evil = await listen(() => count);
    const [app, login] = [await world.fresh(), await world.expired()];
    plan({ status, headers: { Location: `http://127.0.0.1:${evil.port}/token` } });
    expect((await app.call(login)).status).toBe(503);
    await afterBackOff(login);
    expect((await app.call(login)).status).toBe(200);
    await evil.close();
    expect(requests).toBe(0);
  });

  it('E13: no new refresh token in the answer: the old one goes on, again and again', async () => {
    world.authorizationServer.settings.rotateRefreshToken = false;
    const login = await world.expired();
    changeTokenAnswers(world.authorizationServer, ({ refresh_token: _, id_token: __, ...answer }) => answer);
    for (let times = 2; times < 5; times += 1) {
      expect((await (await world.fresh()).call(login)).status).toBe(200);
      expect(await login.record.version()).toBe(times);
      await login.record.expireTokens();
    }
    world.authorizationServer.settings.rotateRefreshToken = true;
  });

  it('E14: no expires_in: the token is used until the API refuses it, then refreshed once', async () => {
    world.authorizationServer.settings.accessTokenTtl = 1;
    changeTokenAnswers(world.authorizationServer, ({ expires_in: _, ...answer }) => answer);
    const [app, before] = [await world.fresh(), refreshes()];
    const login = await world.current(await world.loggedIn(app, 'endless'), 'endless');
    expect(Object.keys(await login.record.fields())).not.toContain('x:');
    expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before);
    await pause(2000);
    world.authorizationServer.settings.accessTokenTtl = 60;
    expect((await app.call(login)).status).toBe(200);
    expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });
});
