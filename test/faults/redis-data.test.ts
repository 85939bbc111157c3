/** Redis is slow, hangs, forgets, or goes back in time: what users see, what is kept, and what is made good again. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testSecret } from '../support/apps.js';
import { eventually } from '../support/eventually.js';
import { leaseMs, startFaultWorld } from '../support/fault-world.js';
import type { FaultWorld, Login } from '../support/fault-world.js';
import { keyIdOf, ofFormat } from '../support/sealed.js';

let world: FaultWorld;
beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world.close());
afterEach(() => world.calm());

const refreshes = (): number => world.refreshes();

/** What Redis holds of this login besides its grant. */
async function sessionKeysOf(makeLogin: () => Promise<Login>): Promise<{ login: Login; keys: string[] }> {
  const before = new Set(await world.client.keys('*'));
  const login = await makeLogin();
  const keys = (await world.client.keys('*')).filter((key) => !before.has(key) && key !== login.record.key);
  return { login, keys };
}

describe('a slow Redis', () => {
  it('FAULTS 8: 200 ms a command: slower, but works, with at most two commands a request', async () => {
    const [app, login] = [await world.fresh(), await world.login()];
    await app.call(login, '/private');
    world.proxy.delayMs = 200;
    world.proxy.commands.length = 0;
    expect((await app.call(login)).status).toBe(200);
    expect(world.proxy.commands).toEqual(['getex', 'READ']);
    await login.record.expireTokens();
    const other = await world.fresh();
    expect((await eventually(async () => okay(await other.call(login)))).status).toBe(200);
  });

  it('FAULTS 9: a frozen one: 503 within the deadline, and everything is there when it goes on', async () => {
    const [app, login] = [await world.fresh(), await world.login()];
    await app.call(login, '/private');
    const met = world.proxy.next('READ', 'lose the reply').then(() => world.proxy.freeze());
    const began = performance.now();
    const [first, second] = [await app.call(login), performance.now() - began];
    await met;
    expect([first.status, first.setCookies]).toEqual([503, []]);
    expect(second).toBeLessThan(500 + 300);
    expect(await app.call(login)).toMatchObject({ status: 503, setCookies: [] });
    world.proxy.resume();
    expect((await eventually(async () => okay(await app.call(login)))).status).toBe(200);
  });
});

const okay = <T extends { status: number }>(answer: T): T | undefined => (answer.status === 200 ? answer : undefined);

describe('Redis forgets', () => {
  it('FAULTS 16: the session: anonymous, no 500; what is left of the login ends by itself', async () => {
    const { login, keys } = await sessionKeysOf(() => world.login());
    const app = await world.fresh();
    expect(keys).not.toHaveLength(0);
    await world.client.del(keys);
    expect(await app.call(login)).toMatchObject({ status: 401 });
    expect(await world.client.pttl(login.record.key)).toBeGreaterThan(0);
  });

  it('FAULTS 17: the grant: the identity stays, a token needs one silent round trip through the server, without a loop', async () => {
    const [app, login] = [await world.fresh(), await world.login()];
    await world.client.del(login.record.key);
    expect((await app.call(login, '/private')).status).toBe(200);
    const refused = await app.call(login);
    expect([refused.status, refused.json().code]).toEqual([401, 'ERR_CODE_FLOW_LOGIN_REQUIRED']);
    const { authorizations } = world.authorizationServer.counters;
    const page = await login.browser.get(`${app.origin}/private-token`);
    expect([page.status, page.json().sub]).toEqual([200, login.account]);
    // Without a form: the user has not noticed. One visit and one way back from the interaction.
    expect(world.authorizationServer.counters.authorizations - authorizations).toBe(1);
    expect((await login.browser.get(`${app.origin}/api`, { navigate: false })).status).toBe(200);
  });

  it('FAULTS 18: a login of a moment ago: logged out once, and never another user', async () => {
    const [app, other] = [await world.fresh(), await world.login()];
    const { login, keys } = await sessionKeysOf(() => world.login());
    await world.client.del([...keys, login.record.key]);
    expect((await app.call(login, '/private')).status).toBe(401);
    expect((await login.browser.get(`${app.origin}/private`)).json().sub).toBe(login.account);
    expect((await app.call(other, '/private')).json().sub).toBe(other.account);
  });

  it('FAULTS 21: everything, scripts included: everybody logs in again and no request meets a 500', async () => {
    const [app, first, second] = [await world.fresh(), await world.login(), await world.login()];
    expect((await app.call(first)).status).toBe(200);
    await world.client.flushall();
    await world.client.script('FLUSH');
    const answers = await Promise.all([first, second].flatMap((login) => [app.call(login), app.call(login, '/private'), app.call(login, '/private-token')]));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
    await first.browser.get(`${app.origin}/private`);
    const again = await world.current(first.browser, first.account);
    await again.record.expireTokens();
    const before = refreshes();
    expect((await (await world.fresh()).call(again)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });

  it('FAULTS 22: how to open a grant: as if it were gone, and the next login works', async () => {
    const [app, login] = [await world.fresh(), await world.login()];
    await login.record.plant('garbage');
    expect((await app.call(login, '/private')).status).toBe(200);
    expect((await app.call(login)).status).toBe(401);
    expect((await login.browser.get(`${app.origin}/private-token`)).status).toBe(200);
    expect((await login.browser.get(`${app.origin}/api`, { navigate: false })).status).toBe(200);
  });
});

describe('deploys', () => {
  it('FAULTS 53: a grant in the format of a newer release is not used and not touched', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const sealed = await login.record.sealed();
    await login.record.plant(ofFormat(sealed));
    const before = await login.record.fields();
    expect((await app.call(login)).status).toBe(401);
    expect(await login.record.fields()).toEqual(before);
    await login.record.plant(sealed);
    expect((await app.call(login)).status).toBe(200);
  });

  it('FAULTS 54: a new secret in front opens old grants, and seals what it refreshes', async () => {
    const secret = ['a newer secret for tests only: s8Vh2LqkEw0xT', testSecret];
    const login = await world.expired();
    const keyId = async (): Promise<string> => keyIdOf(await login.record.sealed());
    const before = await keyId();
    expect((await (await world.fresh({ secret })).call(login)).status).toBe(200);
    expect(await keyId()).not.toBe(before);
    await login.record.expireTokens();
    expect((await (await world.fresh({ secret })).call(login)).status).toBe(200);
  });
});

describe('FAULTS 19: a fail-over loses a committed refresh', () => {
  it('the process that committed puts it back before it refreshes again: no token is spent twice', async () => {
    const [app, login] = [await world.fresh(), await world.expired()];
    const goBack = await login.record.snapshot();
    const before = refreshes();
    world.authorizationServer.settings.accessTokenTtl = 2;
    const second = (await app.call(login)).json().jti;
    world.authorizationServer.settings.accessTokenTtl = 60;
    expect(await login.record.version()).toBe(2);
    await goBack();
    const answer = await eventually(async () => newer(await app.call(login), second));
    expect(answer.status).toBe(200);
    await eventually(async () => (await login.record.version()) === 3);
    expect([app.count('refresh.healed'), refreshes()]).toEqual([1, before + 2]);
    await login.record.expireTokens();
    expect((await (await world.fresh()).call(login)).status).toBe(200);
  });

  it('two refreshes, of two resources: the newest of them is put back', async () => {
    const apis = [{ url: world.api.url }, { url: `${world.api.origin}/v1/echo`, resource: world.authorizationServer.settings.resources[0]! }];
    const app = await world.fresh({ apis });
    const login = await world.expired();
    const goBack = await login.record.snapshot();
    world.authorizationServer.settings.accessTokenTtl = 2;
    const second = (await app.call(login)).json().jti;
    world.authorizationServer.settings.accessTokenTtl = 60;
    const post = await login.browser.post(`${app.origin}/api`, { any: 'thing' }, { navigate: false, headers: { Cookie: login.cookie } });
    expect([post.status, await login.record.version()]).toEqual([200, 3]);
    await goBack();
    expect((await eventually(async () => newer(await app.call(login), second))).status).toBe(200);
    await eventually(async () => (await login.record.version()) === 4);
    await login.record.expireTokens();
    expect((await (await world.fresh()).call(login)).status).toBe(200);
  });

  it('Redis was away for longer than the commit was tried: put back likewise', async () => {
    const [app, login] = [await world.fresh({ httpTimeoutSeconds: 0.8 }), await world.expired()];
    const before = refreshes();
    world.authorizationServer.settings.accessTokenTtl = 4;
    const met = world.proxy.next('COMMIT', 'cut').then(() => world.proxy.refuse());
    const first = await app.call(login);
    world.authorizationServer.settings.accessTokenTtl = 60;
    expect(first.status).toBe(200);
    await met;
    await pause(1600);
    world.proxy.resume();
    expect(await login.record.version()).toBe(1);
    await login.record.pass(leaseMs / 1000);
    expect((await eventually(async () => newer(await app.call(login), first.json().jti))).status).toBe(200);
    expect([app.count('refresh.healed'), refreshes()]).toEqual([1, before + 2]);
    await login.record.expireTokens();
    expect((await (await world.fresh()).call(login)).status).toBe(200);
  });

  it('whoever waited for the refresh has given up: what came is known all the same, and used', async () => {
    const [app, login] = [await world.fresh({ httpTimeoutSeconds: 0.4 }), await world.expired()];
    const before = refreshes();
    const met = world.proxy.next('COMMIT', 'cut').then(() => world.proxy.refuse());
    expect((await app.call(login)).status).toBe(503);
    await met;
    await pause(1000);
    world.proxy.resume();
    expect((await eventually(async () => okay(await app.call(login)))).status).toBe(200);
    expect([await login.record.version(), refreshes()]).toEqual([1, before + 1]);
  });

  /** Answers with the known token are waited out; anything but 200 and a newer token ends the wait as well. */
  function newer<T extends { status: number; json: () => { jti?: string } }>(answer: T, known: unknown): T | undefined {
    return answer.status === 503 || (answer.status === 200 && answer.json().jti === known) ? undefined : answer;
  }
});

describe("FAULTS 20: Redis' clock jumps", () => {
  it('an hour ahead: every token looks over, and is refreshed once', async () => {
    const login = await world.login();
    await login.record.pass(3600);
    const before = refreshes();
    const apps = [await world.fresh(), await world.fresh()];
    for (const app of [...apps, ...apps]) expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });

  it('an hour back: a token that is over looks good, the API refuses it, and it is refreshed once', async () => {
    world.authorizationServer.settings.accessTokenTtl = 1;
    const login = await world.login();
    world.authorizationServer.settings.accessTokenTtl = 60;
    await login.record.pass(-3600);
    await pause(2000);
    const before = refreshes();
    const apps = [await world.fresh(), await world.fresh()];
    for (const app of [...apps, ...apps]) expect((await app.call(login)).status).toBe(200);
    expect(refreshes()).toBe(before + 1);
  });
});
