/** The connection to Redis fails around one command of a refresh: no login is lost, no token spent twice, no lock outlives its lease. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppRequest, Route } from '../support/apps.js';
import { eventually, gate } from '../support/eventually.js';
import { leaseMs, startFaultWorld } from '../support/fault-world.js';
import type { FaultApp, FaultWorld, Login } from '../support/fault-world.js';
import { sendJson } from '../support/http.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld(); // strict: a refresh token that is spent twice ends its login
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();
const revocations = (): number => world.authorizationServer.counters.revocations;
const okay = <T extends { status: number }>(answer: T): T | undefined => (answer.status === 200 ? answer : undefined);

/** The stored refresh token is the living one: a process that remembers nothing of this login refreshes it at the strict server. */
async function expectAlive(login: Login): Promise<void> {
  await login.record.pass(3600);
  const answer = await (await world.fresh({}, { direct: true })).call(login);
  expect([answer.status, answer.json().sub]).toEqual([200, login.account]);
}

describe('the connection breaks around one command', () => {
  it.each(['lose the reply', 'cut'] as const)('REFRESH §5: ACQUIRE, %s: it is asked again as the same owner within the request', async (fault) => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    const met = world.proxy.next('ACQUIRE', fault);
    expect((await app.call(login)).status).toBe(200);
    await met;
    expect(refreshes()).toBe(before + 1);
    expect([await login.record.version(), await login.record.lockOwner(), app.count('refresh.takeover')]).toEqual([2, undefined, 0]);
    await expectAlive(login);
  });

  it.each(['lose the reply', 'cut'] as const)('REFRESH §5: COMMIT, %s: the request is served, the commit comes again and counts once', async (fault) => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    const met = world.proxy.next('COMMIT', fault);
    const answer = await app.call(login);
    expect(answer.status).toBe(200);
    await met;
    await eventually(() => app.count('refresh.committed') === 1);
    expect([await login.record.version(), await login.record.lockOwner()]).toEqual([2, undefined]);
    const sibling = await (await world.fresh({}, { direct: true })).call(login);
    expect(sibling.json().jti).toBe(answer.json().jti);
    expect(refreshes()).toBe(before + 1);
    await expectAlive(login);
  });

  it('FAIL, lose the reply: the server is left alone all the same, and nothing is lost', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', status: 503 });
    const met = world.proxy.next('FAIL', 'lose the reply');
    expect((await app.call(login)).status).toBe(503);
    await met;
    expect((await app.call(login)).status).toBe(503);
    expect([refreshes(), await login.record.lockOwner()]).toEqual([before + 1, undefined]);
    await expectAlive(login);
  });

  it('FAIL never done: the lock is let go by its lease', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    world.authorizationServer.plan.push({ grantType: 'refresh_token', status: 503 });
    const met = world.proxy.next('FAIL', 'cut').then(() => world.proxy.refuse());
    expect((await app.call(login)).status).toBe(503);
    await met;
    world.proxy.resume();
    const left = await login.record.lockLeftMs();
    expect([left > 0, left <= leaseMs]).toEqual([true, true]);
    await login.record.pass(leaseMs / 1000);
    expect((await eventually(async () => okay(await app.call(login)))).status).toBe(200);
    expect(app.count('refresh.takeover')).toBe(1);
    await expectAlive(login);
  });

  it('READ, cut: it is asked again, and nobody notices', async () => {
    const [app, login] = [await world.fresh(), await world.login()];
    const met = world.proxy.next('READ', 'cut');
    expect((await app.call(login)).status).toBe(200);
    await met;
  });

  it('FAULTS 4: Redis goes before the handler: it runs with the identity, oauthFetch rejects as unavailable, the API sees nothing', async () => {
    const app = await world.fresh({}, { routes: [reportingRoute(world)] });
    const login = await world.login();
    const calls = world.api.calls.length;
    await app.call(login, '/private');
    const met = world.proxy.next('READ', 'cut').then(() => world.proxy.refuse());
    const answer = await app.call(login, '/report');
    await met;
    const { subject, status, code } = answer.json();
    expect([answer.status, subject, status]).toEqual([200, login.account, 503]);
    expect(code).toMatch(/^ERR_CODE_FLOW_STORE_(TIMEOUT|UNAVAILABLE)$/);
    expect(world.api.calls).toHaveLength(calls);
    world.proxy.resume();
    expect((await eventually(async () => okay(await app.call(login)))).status).toBe(200);
  });
});

function reportingRoute({ api }: FaultWorld): Route {
  return {
    method: 'GET',
    path: '/report',
    handlers: [
      async (req: AppRequest, res) => {
        const error = await req.oauthFetch(`${api.url}whoami`).then(() => ({}), (reason: unknown) => reason);
        const { status, code } = error as { status?: number; code?: string };
        sendJson(res, 200, { subject: req.oauth.subject, status, code });
      },
    ],
  };
}

describe('Redis is gone for a second', () => {
  const outage = async (): Promise<void> => {
    world.proxy.refuse();
    await pause(1000);
    world.proxy.resume();
  };

  async function expectOneCommit(app: FaultApp, login: Login, jti: string, before: number): Promise<void> {
    await eventually(() => app.count('refresh.committed') === 1);
    const [own, sibling] = [await eventually(async () => okay(await app.call(login))), await (await world.fresh({}, { direct: true })).call(login)];
    expect([own.json().jti, sibling.json().jti]).toEqual([jti, jti]);
    expect([await login.record.version(), await login.record.lockOwner(), refreshes()]).toEqual([2, undefined, before + 1]);
    await expectAlive(login);
  }

  it('FAULTS 7: before the commit: the request is served from memory, the commit follows, the token endpoint is called once', async () => {
    const app = await world.fresh({ httpTimeoutSeconds: 4 });
    const login = await world.expired();
    const before = refreshes();
    const over = world.proxy.next('COMMIT', 'cut').then(outage);
    const answer = await app.call(login);
    expect(answer.status).toBe(200);
    const meanwhile = await app.call(login);
    expect([meanwhile.status, meanwhile.setCookies]).toEqual([503, []]);
    expect(await login.record.version()).toBe(1);
    await over;
    await expectOneCommit(app, login, answer.json().jti, before);
  });

  it('FAULTS 7: during the commit, after Redis has carried it out', async () => {
    const app = await world.fresh({ httpTimeoutSeconds: 4 });
    const login = await world.expired();
    const before = refreshes();
    const over = world.proxy.next('COMMIT', 'lose the reply').then(async () => {
      await eventually(async () => (await login.record.version()) === 2);
      await outage();
    });
    const answer = await app.call(login);
    expect(answer.status).toBe(200);
    await over;
    await expectOneCommit(app, login, answer.json().jti, before);
  });

  it('FAULTS 7: after the commit', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    const answer = await app.call(login);
    const over = outage();
    expect((await app.call(login)).status).toBe(503);
    await over;
    await expectOneCommit(app, login, answer.json().jti, before);
  });

  it('FAULTS 7: before the refresh: 503, then one refresh', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    await app.call(login, '/private');
    const over = world.proxy.next('ACQUIRE', 'cut').then(outage);
    expect((await app.call(login)).status).toBe(503);
    await over;
    expect((await eventually(async () => okay(await app.call(login)))).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
    await expectAlive(login);
  });
});

it('the connection is cut after any number of bytes: the login lives, and no refresh token is spent twice', async () => {
  const reused = world.authorizationServer.tokenEndpoint.reusedRefreshTokens;
  const statuses = new Set<number>();
  for (let bytes = 20; bytes < 4000; bytes += 190) {
    const [app, login] = [await world.fresh(), await world.expired()];
    await app.call(login, '/private');
    world.proxy.cutAfter(bytes);
    statuses.add((await app.call(login)).status);
    world.proxy.resume();
    await eventually(async () => {
      await login.record.pass(10);
      return (await app.call(login)).status === 200;
    });
    await expectAlive(login);
    await app.close();
  }
  expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
  expect(world.authorizationServer.tokenEndpoint.reusedRefreshTokens).toBe(reused);
});

describe('E6: commands that Redis gets twice', () => {
  it.each(['duplicate', 'duplicate, answer with the second reply'] as const)('a login, a refresh and a failing refresh: %s', async (fault) => {
    for (const name of ['CREATE', 'READ', 'ACQUIRE', 'COMMIT', 'FAIL']) world.proxy.every(name, fault);
    const app = await world.fresh();
    const login = await world.current(await world.loggedIn(app, 'twice'), 'twice');
    await login.record.expireTokens();
    const other = await world.fresh();
    const before = refreshes();
    expect((await other.call(login)).status).toBe(200);
    expect([await login.record.version(), await login.record.lockOwner(), refreshes()]).toEqual([2, undefined, before + 1]);

    await login.record.expireTokens();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', status: 503 });
    expect((await (await world.fresh()).call(login)).status).toBe(503);
    expect(await login.record.fields()).toMatchObject({ v: '2', nf: '1' });
    await expectAlive(login);
  });

  it('a logout: the session ends, and the refresh token is revoked once', async () => {
    world.proxy.every('DESTROY', 'duplicate');
    const [app, login] = [await world.fresh(), await world.login()];
    const before = revocations();
    await login.browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect([await login.record.version(), revocations()]).toEqual([0, before + 1]);
    expect((await app.call(login, '/private')).status).toBe(401);
  });
});

describe('E7, FAULTS 10: commands that arrive long after their time', () => {
  it('a late ACQUIRE of an old version locks nothing', async () => {
    const [app, sibling, login] = [await world.fresh(), await world.fresh({}, { direct: true }), await world.expired()];
    await app.call(login, '/private');
    const met = world.proxy.next('ACQUIRE', 'lose the reply').then(() => world.proxy.freeze());
    expect((await app.call(login)).status).toBe(503);
    await met;
    expect((await sibling.call(login)).status).toBe(200);
    const before = await login.record.fields();
    world.proxy.resume();
    expect((await app.call(login)).status).toBe(200);
    expect(await login.record.fields()).toEqual(before);
    await expectAlive(login);
  });

  it('a late ACQUIRE of the current version locks for one lease', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const before = refreshes();
    const release = gate();
    const met = world.proxy.next('ACQUIRE', { holdUntil: release.opened });
    expect((await app.call(login)).status).toBe(503);
    await met;
    release.open();
    await eventually(() => login.record.lockOwner());
    expect(await login.record.lockLeftMs()).toBeLessThanOrEqual(leaseMs);
    await login.record.pass(leaseMs / 1000);
    expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });

  it('a late COMMIT after a take-over changes nothing, and what it brings is not revoked', async () => {
    world.authorizationServer.store.refreshTokenOverlapSeconds = 60;
    const [app, sibling, login] = [await world.fresh(), await world.fresh({}, { direct: true }), await world.expired()];
    const release = gate();
    const met = world.proxy.next('COMMIT', { holdUntil: release.opened });
    expect((await app.call(login)).status).toBe(200);
    await met;
    await login.record.pass(leaseMs / 1000);
    const winner = await sibling.call(login);
    expect([winner.status, sibling.count('refresh.takeover')]).toEqual([200, 1]);
    const [before, revoked] = [await login.record.fields(), revocations()];
    release.open();
    await eventually(() => app.count('refresh.stale') > 0);
    expect([await login.record.fields(), revocations()]).toEqual([before, revoked]);
    expect((await (await world.fresh({}, { direct: true })).call(login)).json().jti).toBe(winner.json().jti);
    await expectAlive(login);
  });

  it('a late FAIL after a take-over ends and delays nothing', async () => {
    world.authorizationServer.plan.push({ grantType: 'refresh_token', status: 400, body: { error: 'invalid_grant' } });
    const [app, sibling, login] = [await world.fresh(), await world.fresh({}, { direct: true }), await world.expired()];
    const release = gate();
    const met = world.proxy.next('FAIL', { holdUntil: release.opened });
    expect((await app.call(login)).status).toBe(503);
    await met;
    await login.record.pass(leaseMs / 1000);
    expect((await sibling.call(login)).status).toBe(200);
    const before = await login.record.fields();
    release.open();
    expect((await app.call(login)).status).toBe(200);
    expect(await login.record.fields()).toEqual(before);
    await expectAlive(login);
  });
});

it('E2: a process that read an old version before somebody else refreshed is given the new one, not the lock', async () => {
  const [app, sibling, login] = [await world.fresh(), await world.fresh({}, { direct: true }), await world.expired()];
  const before = refreshes();
  const release = gate();
  const met = world.proxy.next('ACQUIRE', { holdUntil: release.opened });
  const late = app.call(login);
  await met;
  const first = await sibling.call(login);
  release.open();
  expect((await late).json().jti).toBe(first.json().jti);
  expect(refreshes()).toBe(before + 1);
});
