/** What a request costs at Redis, counted by Redis itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Route, TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser, RequestOptions } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

const writesTheSame: Route = {
  method: 'GET',
  path: '/session/same',
  handlers: [
    ({ session }, res) => {
      session.counter = Number(session.counter);
      sendJson(res, 200, { counter: session.counter });
    },
  ],
};
const deletesOne: Route = {
  method: 'GET',
  path: '/session/delete',
  handlers: [
    ({ session }, res) => {
      delete session.counter;
      sendJson(res, 200, {});
    },
  ],
};

/** A middleware may hand on an object that inherits from the request. */
const wrapsTheRequest: Route = {
  method: 'GET',
  path: '/session/wrapped',
  handlers: [
    (req, res) => {
      const { session } = Object.create(req) as typeof req;
      sendJson(res, 200, { counter: session.counter, same: session === req.session });
    },
  ],
};

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await startWorld();
  app = await world.app('express5', { routes: [writesTheSame, deletesOne, wrapsTheRequest] });
});
afterAll(() => world.close());

/** The commands that Redis ran meanwhile, by name; those inside a script count too. */
async function cost(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const counter = await world.redis.commandCounter();
  await work();
  return counter.byName();
}

const script: RequestOptions = { navigate: false };
const visit: RequestOptions = { follow: false };

describe('an anonymous request', () => {
  it.each([
    ['a public page', '/public', visit, 200],
    ['a page that looks who is there', '/', visit, 200],
    ['a page that reads its session', '/session', visit, 200],
    ['a page that needs a login', '/private', visit, 302],
    ['a script on a route that needs a login', '/private', script, 401],
    ['a script on a route that calls the API', '/api', script, 401],
    ['the start of a login', '/login', visit, 302],
    ['a callback without a login under way', '/callback?code=x&state=y', visit, 400],
    ['a logout', '/logout', visit, 303],
  ])('costs nothing: %s', async (_name, path, options, status) => {
    const spent = await cost(async () => {
      const answer = await createBrowser().get(app.baseUrl + path, options);
      expect(answer.status).toBe(status);
    });
    expect(spent).toEqual({});
  });

  it('costs nothing with a cookie that we did not sign', async () => {
    const cookies = ['session=s%3Aguessed.c2lnbmF0dXJl', 'session=', 'session=s%3A.', 'session=guessed', 'session=%', 'session=s:a.b; session=s:a.b'];
    const spent = await cost(async () => {
      for (const Cookie of cookies) {
        const answer = await createBrowser().get(`${app.baseUrl}/private`, { ...script, headers: { Cookie } });
        expect([answer.status, answer.setCookies]).toEqual([401, []]);
      }
    });
    expect(spent).toEqual({});
  });
});

describe('an answer of 401', () => {
  it('A10: sets no cookie, however many scripts ask at once', async () => {
    const browser = createBrowser();
    const answers = await Promise.all(Array.from({ length: 50 }, () => browser.get(`${app.baseUrl}/private`, script)));
    for (const answer of answers) expect([answer.status, answer.setCookies]).toEqual([401, []]);
    expect(browser.cookies.all()).toEqual([]);
  });

  it('sets no cookie for a session that is over', async () => {
    const browser = await world.loggedIn(app);
    const Cookie = browser.cookies.header(new URL(app.baseUrl))!;
    await browser.post(`${app.baseUrl}/logout`);
    for (const options of [script, { navigate: false, method: 'POST' }]) {
      const answer = await createBrowser().request(`${app.baseUrl}/api`, { ...options, headers: { Cookie } });
      expect([answer.status, answer.setCookies]).toEqual([401, []]);
    }
  });
});

describe('an authenticated request', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await world.loggedIn(app);
    await browser.post(`${app.baseUrl}/session`, {}, script);
  });

  it.each([
    ['a page that needs a login', '/private'],
    ['a page that looks who is there', '/'],
    ['a public page', '/public'],
    ['a page that reads its session', '/session'],
    ['a page that writes what was there already', '/session/same'],
    ['a page that makes sure of a token', '/private-token'],
    ['a call of the API', '/api'],
    ['the start of another login', '/login'],
  ])('costs one command: %s', async (_name, path) => {
    const spent = await cost(async () => {
      const answer = await browser.get(app.baseUrl + path, visit);
      expect(answer.status).toBeLessThan(303);
    });
    expect(spent).toEqual({ getex: 1 });
  });

  it('costs one command each, fifty at once', async () => {
    const spent = await cost(async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => browser.get(`${app.baseUrl}/api`, script)));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
    });
    expect(spent).toEqual({ getex: 50 });
  });

  it('costs a second command where the app changes its session', async () => {
    expect(await cost(() => browser.post(`${app.baseUrl}/session`, {}, script))).toEqual({ getex: 1, set: 1 });
    expect(await cost(() => browser.get(`${app.baseUrl}/session/delete`, script))).toEqual({ getex: 1, set: 1 });
  });
});

describe('the first call of the API in another process', () => {
  it('reads the tokens once, with one more command, and then knows them', async () => {
    const other = await world.app();
    const call = async (browser: Browser): Promise<void> => {
      expect((await browser.get(`${other.baseUrl}/api`, script)).status).toBe(200);
    };
    await call(await world.loggedIn(app, 'carol')); // Redis learns the script
    const browser = await world.loggedIn(app, 'dave');
    // The last two run inside the script.
    expect(await cost(() => call(browser))).toEqual({ getex: 1, evalsha: 1, time: 1, hmget: 1 });
    expect(await cost(() => call(browser))).toEqual({ getex: 1 });
  });
});

describe('a session of the app\'s own, without a login', () => {
  it('begins with one command, when the app first writes to it', async () => {
    const browser = createBrowser();
    expect(await cost(() => browser.post(`${app.baseUrl}/session`, {}, script))).toEqual({ set: 1 });
    expect(await cost(() => browser.post(`${app.baseUrl}/session`, {}, script))).toEqual({ getex: 1, set: 1 });
    expect(await cost(() => browser.get(`${app.baseUrl}/private`, script))).toEqual({ getex: 1 });
  });
});

describe('a login', () => {
  /** From the start to the first page: the answers of the app, in bytes of Set-Cookie. */
  async function cookieBytes(account: string): Promise<number[]> {
    const { status, hops } = await createBrowser({ login: account }).get(`${app.baseUrl}/login?returnTo=/private`);
    expect(status).toBe(200);
    return hops.filter(({ url }) => url.startsWith(`${app.baseUrl}/`)).map(({ setCookies }) => Buffer.byteLength(setCookies.join('')));
  }

  it('sends less than a kilobyte of cookies in all, and none with the first page', async () => {
    const [start, callback, ...page] = await cookieBytes('erin');
    expect(start).toBeGreaterThan(0);
    expect(start).toBeLessThan(700);
    expect(callback).toBeGreaterThan(0); // the session's, and what is left of the transaction
    expect(callback).toBeLessThan(400);
    expect(page).toEqual([0]);
  });

  it('costs the same commands each time: the claim, the grant and the index by script, the session, and the first page', async () => {
    const login = (): Promise<Record<string, number>> => cost(() => cookieBytes('frank'));
    await login(); // Redis learns the scripts
    for (let times = 0; times < 3; times += 1) {
      const { expireat = 0, ...spent } = await login();
      expect(spent).toEqual({ getex: 1, set: 2, evalsha: 2, time: 2, exists: 1, hset: 1, pexpire: 1, lrange: 1, lpos: 1, rpush: 1, pttl: 1 });
      expect(expireat).toBeLessThanOrEqual(1); // where this login ends later than those before it
    }
  });

  it('costs the first time a user comes 13 commands, those inside the two scripts included', async () => {
    const spent = await cost(() => cookieBytes('a new user'));
    expect(spent).toEqual({ getex: 1, set: 2, evalsha: 2, time: 2, exists: 1, hset: 1, pexpire: 1, lrange: 1, rpush: 1, expireat: 1 });
  });

  it('leaves little more in Redis than its tokens take as bytes', async () => {
    const redis = world.redis.client();
    const added = await world.redis.addedKeys();
    await cookieBytes('another new user');
    const bytes = Object.fromEntries(await Promise.all((await added()).map(async (key) => [key.slice(4, 5), await redis.memory('USAGE', key)] as const)));
    expect(bytes).toEqual({ s: expect.any(Number), g: expect.any(Number), i: expect.any(Number), t: expect.any(Number) });
    expect(bytes['s']).toBeLessThan(700);
    expect(bytes['i']).toBeLessThan(500);
    expect(bytes['t']).toBeLessThan(200);
    // A signature, the claims, two random tokens, and what a hash takes.
    expect(bytes['g']).toBeLessThan(2050);
  });

  it('leaves a short session cookie, which is never sent again', async () => {
    const browser = await world.loggedIn(app, 'grace');
    const session = browser.cookies.all().find(({ name }) => name === 'session');
    expect(session?.value.length).toBeLessThan(120);
    for (const path of ['/private', '/api', '/private-token', '/public', '/session', '/session/same', '/session/wrapped']) {
      const answer = await browser.get(app.baseUrl + path, visit);
      expect([path, answer.status, answer.setCookies]).toEqual([path, 200, []]);
    }
  });
});

describe('a request in a wrapper that inherits from it', () => {
  it('has the same session, read once', async () => {
    const browser = await world.loggedIn(app, 'heidi');
    await browser.post(`${app.baseUrl}/session`, {}, script);
    const spent = await cost(async () => {
      const { text } = await browser.get(`${app.baseUrl}/session/wrapped`, script);
      expect(JSON.parse(text)).toEqual({ counter: 1, same: true });
    });
    expect(spent).toEqual({ getex: 1 });
  });
});
