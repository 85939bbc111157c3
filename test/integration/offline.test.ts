/** Tokens for jobs that run without the user, ending a user's logins, and shutting down. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp } from '../support/apps.js';
import type { TestApp } from '../support/apps.js';
import type { Browser } from '../support/browser.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const isLoggedIn = async (app: TestApp, browser: Browser) => (await browser.get(`${app.baseUrl}/private`, { navigate: false })).status === 200;

/** The grant id, as an app would keep it for its jobs. */
const tellGrantId = {
  method: 'GET',
  path: '/grant-id',
  handlers: [(req: { oauth: { grantId?: string | undefined } }, res: { end(text: string): void }) => res.end(req.oauth.grantId ?? '')],
} as never;

const grantIdOf = async (app: TestApp, browser: Browser) => (await browser.get(`${app.baseUrl}/grant-id`, { navigate: false })).text;

describe.each(['Redis', 'memory'] as const)('a background job, with %s', (store) => {
  const options = store === 'memory' ? { redis: undefined } : {};
  const newApp = (session = {}) => world.app('express5', { routes: [tellGrantId], options: { ...options, session } });

  it('calls the API for a user who is not there, through the same refresh', async () => {
    const app = await newApp();
    world.authorizationServer.settings.accessTokenTtl = 1;
    const grantId = await grantIdOf(app, await world.loggedIn(app, 'carol'));
    world.authorizationServer.settings.accessTokenTtl = 60;
    const job = app.auth.grant(grantId);
    const before = world.authorizationServer.tokenRequests.refresh_token;
    const answers = [];
    while (world.authorizationServer.tokenRequests.refresh_token === before) {
      answers.push(await Promise.all([job.fetch(`${world.api.url}whoami`), job.fetch(`${world.api.url}whoami`)]));
      await pause();
    }
    for (const answer of answers.flat()) expect([answer.status, ((await answer.json()) as { sub: string }).sub]).toEqual([200, 'carol']);
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(before + 1);
    expect(await job.getAccessToken()).toMatch(/^eyJ/);
  });

  it('is told to log in again after a logout, and sends nothing', async () => {
    const app = await newApp({ keepGrant: true });
    const browser = await world.loggedIn(app);
    const job = app.auth.grant(await grantIdOf(app, browser));
    expect((await job.fetch(`${world.api.url}whoami`)).status).toBe(200);
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    const calls = world.api.calls.length;
    await expect(job.fetch(`${world.api.url}whoami`)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    await expect(job.getAccessToken()).rejects.toMatchObject({ status: 401 });
    await expect(app.auth.grant('never made').getAccessToken()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(world.api.calls).toHaveLength(calls);
  });

  it('goes on after the session ended by time if the grant is kept, and only then', async () => {
    const session = { idleTimeoutSeconds: 4, absoluteTimeoutSeconds: 4 };
    const [kept, plain] = [await newApp({ ...session, keepGrant: true }), await newApp(session)];
    const browsers = [await world.loggedIn(kept), await world.loggedIn(plain)] as const;
    const ids = [await grantIdOf(kept, browsers[0]), await grantIdOf(plain, browsers[1])] as const;
    while ((await isLoggedIn(kept, browsers[0])) || (await isLoggedIn(plain, browsers[1]))) await pause();
    expect((await kept.auth.grant(ids[0]).fetch(`${world.api.url}whoami`)).status).toBe(200);
    const ended = async () => plain.auth.grant(ids[1]).getAccessToken().then(() => false, (error: unknown) => (error as { code: string }).code === 'ERR_CODE_FLOW_LOGIN_REQUIRED');
    while (!(await ended())) await pause();
  });

  it('loses a kept grant when the user\'s logins are ended', async () => {
    const app = await newApp({ keepGrant: true });
    const [one, two, other] = [await world.loggedIn(app, 'dave'), await world.loggedIn(app, 'dave'), await world.loggedIn(app, 'erin')];
    const grantId = await grantIdOf(app, one);
    expect((await app.auth.grant(grantId).fetch(`${world.api.url}whoami`)).status).toBe(200);
    await app.auth.endSessions({ subject: 'dave' });
    expect(await Promise.all([one, two, other].map((browser) => isLoggedIn(app, browser)))).toEqual([false, false, true]);
    let refused: unknown;
    while (refused === undefined) refused = await app.auth.grant(grantId).getAccessToken().then(() => pause(), (error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    await app.auth.endSessions({ subject: 'dave' });
    await app.auth.endSessions({ subject: 'nobody' });
    expect(await isLoggedIn(app, await world.loggedIn(app, 'dave'))).toBe(true);
  });
});

describe('endSessions', () => {
  it('ends logins made by another process, and says so when Redis is down', async () => {
    const [here, there] = [await world.app(), await world.app()];
    const browser = await world.loggedIn(there, 'frank');
    await here.auth.endSessions({ subject: 'frank' });
    expect(await isLoggedIn(there, browser)).toBe(false);
    const stranded = await startApp('express5', { ...world, options: { redis: 'redis://127.0.0.1:1', redisTimeoutSeconds: 0.1 } });
    await expect(stranded.auth.endSessions({ subject: 'frank' })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_STORE_TIMEOUT', status: 503 });
    await stranded.close();
  });

  it('keeps the ids of the logins from whoever reads Redis', async () => {
    const app = await world.app('express5', { routes: [tellGrantId] });
    const grantId = await grantIdOf(app, await world.loggedIn(app, 'grace'));
    const client = world.redis.client();
    const keys = await client.keys('ecf:i:*');
    expect(keys.length).toBeGreaterThan(0);
    const members = (await Promise.all(keys.map((key) => client.lrangeBuffer(key, 0, -1)))).flat().map((member) => member.toString('latin1')).join('\n');
    for (const text of [grantId, 'grace']) expect(keys.join('\n') + members).not.toContain(text);
  });
});

describe('close()', () => {
  it('FAULTS 45: lets a refresh that is under way finish and store its answer', async () => {
    const app = await startApp('express5', { ...world, options: { redis: world.redis.url }, routes: [tellGrantId] });
    world.authorizationServer.settings.accessTokenTtl = 1;
    const grantId = await grantIdOf(app, await world.loggedIn(app, 'heidi'));
    world.authorizationServer.settings.accessTokenTtl = 60;
    const before = world.authorizationServer.tokenRequests.refresh_token;
    let release = (): void => undefined;
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: new Promise<void>((resolve) => (release = resolve)) });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    let waiting = app.auth.grant(grantId).getAccessToken();
    while (world.authorizationServer.tokenRequests.refresh_token === before) {
      await Promise.race([waiting, arrived]);
      await pause();
      if (world.authorizationServer.tokenRequests.refresh_token === before) waiting = app.auth.grant(grantId).getAccessToken();
    }
    const committed: number[] = [];
    app.auth.on('refresh.committed', ({ version }) => committed.push(version));
    const closed = app.auth.close();
    release();
    expect(await waiting).toMatch(/^eyJ/);
    await closed;
    expect(committed).toEqual([2]);
    await app.close();
    const next = await world.app();
    expect(await next.auth.grant(grantId).getAccessToken()).toMatch(/^eyJ/);
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(before + 1);
  });

  it('starts no refresh afterwards, and gives up waiting at its deadline', async () => {
    const app = await startApp('express5', { ...world, options: { redis: undefined }, routes: [tellGrantId] });
    world.authorizationServer.settings.accessTokenTtl = 1;
    const grantId = await grantIdOf(app, await world.loggedIn(app, 'ivan'));
    world.authorizationServer.settings.accessTokenTtl = 60;
    await app.auth.close({ timeoutSeconds: 0.1 });
    const outcome = () => app.auth.grant(grantId).getAccessToken().then(() => 'token', (error: unknown) => (error as { code: string }).code);
    while ((await outcome()) === 'token') await pause();
    expect(await outcome()).toBe('ERR_CODE_FLOW_CLOSED');
    await app.close();
  });
});
