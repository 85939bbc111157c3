/** FAULTS 55 to 58: the API refuses, fails, redirects or hangs. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { insufficientScope, invalidToken } from '../support/api-server.js';
import type { AppRequest, Route } from '../support/apps.js';
import { eventually, gate } from '../support/eventually.js';
import { longTimeouts, startFaultWorld } from '../support/fault-world.js';
import type { FaultWorld } from '../support/fault-world.js';
import { listen, sendJson } from '../support/http.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld({ timeouts: longTimeouts });
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();

/** What a handler's own call came to. */
function routeWith(path: string, call: (req: AppRequest, url: string) => Promise<Response>): Route {
  return {
    method: 'GET',
    path,
    handlers: [
      async (req, res) => {
        const outcome = await call(req, `${world.api.url}whoami`).then(
          ({ status, headers }) => ({ status, location: headers.get('location') }),
          (error: unknown) => ({ error: (error as Error).name, code: (error as { code?: unknown }).code }),
        );
        sendJson(res, 200, outcome);
      },
    ],
  };
}

describe('a 401 of the API', () => {
  it('FAULTS 55: while the authorization server is down: the caller learns that there is no token, nobody is logged out', async () => {
    const [app, login, calls] = [await world.fresh(), await world.login(), world.api.calls.length];
    world.api.plan.push(invalidToken);
    world.authorizationServer.plan.push({ grantType: 'refresh_token', status: 503 });
    const answer = await app.call(login);
    expect([answer.status, answer.json().code]).toEqual([503, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE']);
    expect(world.api.calls.length - calls).toBe(1);
    expect((await app.call(login)).status).toBe(200); // the API takes the token again
  });

  it('FAULTS 55: that another process has met before: the newer token, no second refresh', async () => {
    const [first, second, login] = [await world.fresh(), await world.fresh(), await world.login()];
    for (const app of [first, second]) expect((await app.call(login)).status).toBe(200);
    const before = refreshes();
    world.api.plan.push(invalidToken);
    const renewed = await first.call(login);
    world.api.plan.push(invalidToken);
    expect((await second.call(login)).json().jti).toBe(renewed.json().jti);
    expect(refreshes()).toBe(before + 1);
  });
});

describe('other answers of the API', () => {
  it.each([
    ['403 insufficient_scope', insufficientScope],
    ['403', { status: 403 }],
    ['500', { status: 500 }],
    ['503', { status: 503 }],
  ])('FAULTS 56: %s goes to the caller, without a refresh or a second call', async (_name, plan) => {
    const [app, login, before, calls] = [await world.fresh(), await world.login(), refreshes(), world.api.calls.length];
    world.api.plan.push(plan);
    expect((await app.call(login)).status).toBe(plan.status);
    expect([refreshes(), world.api.calls.length - calls]).toEqual([before, 1]);
  });

  it.each([301, 302, 303, 307, 308])('FAULTS 57: a %d to another origin goes to the caller, and nothing goes there', async (status) => {
    let requests = 0;
    const evil = await listen(() => (_req, res) => {
      requests += 1;
      res.end();
    });
    const location = `http://127.0.0.1:${evil.port}/v1/whoami`;
    const app = await world.fresh({}, { routes: [routeWith('/redirected', (req, url) => req.oauthFetch(url))] });
    world.api.plan.push({ status, location });
    expect((await app.call(await world.login(), '/redirected')).json()).toEqual({ status, location });
    await evil.close();
    expect(requests).toBe(0);
  });
});

describe('an API that hangs', () => {
  it('FAULTS 58: ends by the signal of the caller, and for that caller alone', async () => {
    const routes = [routeWith('/impatient', (req, url) => req.oauthFetch(url, { signal: AbortSignal.timeout(100) }))];
    const [app, login] = [await world.fresh({}, { routes }), await world.login()];
    const release = gate();
    world.api.plan.push({ until: release.opened }, { until: release.opened });
    const patient = app.call(login);
    await eventually(() => world.api.plan.length === 1);
    expect((await app.call(login, '/impatient')).json()).toMatchObject({ error: 'TimeoutError' });
    release.open();
    expect((await patient).status).toBe(200);
  });
});
