/** The cookies of every deployment, and the session behind them: whose it is, what it survives, and what of it lies in Redis. */
import { createServer, request as sendRequest, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import connect from 'connect';
import express from 'express';
import session from 'express-session';
import express4 from 'express4';
import { codeFlow, handleAuthErrors, requireAuth, type CodeFlow, type CodeFlowEvents, type CodeFlowOptions } from '../../lib/index.js';
import { createSealer, hashId, randomId } from '../../lib/seal.js';
import { createSessionCookie } from '../../lib/session/session-cookie.js';
import { frameworks, testSecret, type AppRequest, type Handler, type Route } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { listen, sendJson } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';

let world: World;
const closeables: { close(): Promise<unknown> }[] = [];
beforeAll(async () => {
  world = await startWorld({ account: 'alice' });
});
afterAll(async () => {
  await Promise.all(closeables.map((one) => one.close()));
  await world.close();
});

const flagsOf = (line: string): string => line.replace(/^([^=]+)=[^;]*/, '$1=…').replace(/-login-[\w-]{16}=/, '-login-ID=');

const count: Handler = (req, res) => {
  req.session.counter = (req.session.counter ?? 0) + 1;
  sendJson(res, 200, { counter: req.session.counter });
};

/** What terminates TLS in front of an app: passes everything on over plain http. */
async function startProxy(target: string, { strip = '', headers = {} }: { strip?: string; headers?: Record<string, string> }): Promise<string> {
  const proxy = await listen(() => (req, res) => {
    const { hostname: host, port } = new URL(target);
    const path = strip !== '' && req.url!.startsWith(strip) ? req.url!.slice(strip.length) || '/' : req.url;
    const onward = sendRequest({ host, port, path, method: req.method, headers: { ...req.headers, ...headers }, agent: false }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    onward.once('error', () => res.destroy());
    req.pipe(onward);
  });
  closeables.push(proxy);
  return `http://127.0.0.1:${proxy.port}`;
}

/** The way that a developer mounts everything below a path. */
const mounted: Record<string, (auth: CodeFlow) => RequestListener> = {
  'Express 5': (auth) => express().use('/app', below(express(), auth)),
  'Express 4': (auth) => express4().use('/app', below(express4(), auth)),
  'an Express router': (auth) => express().use('/app', below(express.Router(), auth)).use(handleAuthErrors()),
  Connect: (auth) => {
    const app = connect();
    app.use('/app', auth);
    app.use('/app/private', requireAuth());
    app.use('/app/session', (req: IncomingMessage, res: ServerResponse) => void count(req as AppRequest, res, () => undefined));
    app.use('/app', (req: IncomingMessage, res: ServerResponse) => sendJson(res, 200, (req as AppRequest).oauth.claims ?? {}));
    app.use(handleAuthErrors());
    return app;
  },
};

function below<App extends express.Router>(app: App, auth: CodeFlow): App {
  app.use(auth);
  app.get('/private', requireAuth(), (req, res) => void res.json(req.oauth.claims));
  app.get('/', (req, res) => void res.json({ isAuthenticated: req.oauth.isAuthenticated }));
  app.post('/session', (req, res) => void count(req as unknown as AppRequest, res, () => undefined));
  app.use(handleAuthErrors());
  return app;
}

async function startMounted(how: string, baseUrl: string): Promise<string> {
  await world.authorizationServer.registerApp(baseUrl);
  const auth = codeFlow({ baseUrl, secret: testSecret, provider: world.authorizationServer.provider, redis: world.redis.url });
  const listening = await listen(() => mounted[how]!(auth));
  closeables.push(listening, auth);
  return `http://127.0.0.1:${listening.port}`;
}

describe('C9, C11: the cookies follow from baseUrl alone', () => {
  const origin = 'https://app.example.test';
  const secure = { name: '__Host-session', rest: 'Path=/; HttpOnly; Secure; SameSite=Lax', path: '/' };
  const prefixed = { name: '__Secure-session', rest: 'Path=/app; HttpOnly; Secure; SameSite=Lax', path: '/app' };
  const underApp: Route[] = [
    { method: 'GET', path: '/app/private', handlers: [requireAuth(), ({ oauth }, res) => sendJson(res, 200, oauth.claims)] },
    { method: 'POST', path: '/app/session', handlers: [count] },
    { method: 'GET', path: '/app/', handlers: [({ oauth }, res) => sendJson(res, 200, { isAuthenticated: oauth.isAuthenticated })] },
  ];

  /** Every cookie of a visitor's life: anonymous session, login, logout. */
  async function expectCookies(browser: Browser, baseUrl: string, { name, rest, path }: typeof secure): Promise<void> {
    const own = (hops: Awaited<ReturnType<Browser['get']>>['hops']): string[] =>
      hops.filter(({ url }) => url.startsWith(baseUrl)).flatMap(({ setCookies }) => setCookies.map(flagsOf));
    const gone = `Path=${path}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${rest.replace(/^Path=[^;]*; /, '')}`;
    const kept = rest.replace(/^(Path=[^;]*)/, '$1; Max-Age=600');

    const anonymous = await browser.post(`${baseUrl}/session`, {}, asScript);
    expect([anonymous.json(), own(anonymous.hops)]).toEqual([{ counter: 1 }, [`${name}=…; ${rest}`]]);
    expect((await browser.post(`${baseUrl}/session`, {}, asScript)).json()).toEqual({ counter: 2 });

    const login = await browser.get(`${baseUrl}/private?page=2`);
    expect([login.status, login.url]).toEqual([200, `${baseUrl}/private?page=2`]);
    expect(own(login.hops)).toEqual([`${name}-login-ID=…; ${kept}`, `${name}=…; ${rest}`, `${name}-login-ID=…; ${kept}`]);
    const again = await browser.get(`${baseUrl}/private`);
    expect([again.json().sub, own(again.hops)]).toEqual(['alice', []]);

    const logout = await browser.post(`${baseUrl}/logout`);
    expect([logout.url, own(logout.hops)]).toEqual([`${baseUrl}/`, [`${name}=…; ${gone}`, `${name}-login-ID=…; ${gone}`]]);
    expect(browser.cookies.all().filter((cookie) => cookie.name.startsWith(name))).toEqual([]);
    expect((await browser.get(`${baseUrl}/private`, asScript)).status).toBe(401);
  }

  describe.each(frameworks)('on %s', (framework) => {
    it.each([
      ['says nothing of it', {}],
      ['forwards https', { 'X-Forwarded-Proto': 'https' }],
      ['forwards http', { 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'internal', 'X-Forwarded-Port': '8080' }],
    ])('https behind a proxy that %s', async (_name, headers) => {
      const app = await world.app(framework, { baseUrl: origin });
      const proxies = { [origin]: await startProxy(app.origin, { headers }) };
      await expectCookies(createBrowser({ proxies }), origin, secure);
    });

    it('https with a path, behind a proxy that takes the path away', async () => {
      const app = await world.app(framework, { baseUrl: `${origin}/app` });
      const proxies = { [origin]: await startProxy(app.origin, { strip: '/app' }) };
      await expectCookies(createBrowser({ proxies }), `${origin}/app`, prefixed);
    });

    it('https with a path, behind a proxy that leaves it', async () => {
      const app = await world.app(framework, { baseUrl: `${origin}/app`, routes: underApp });
      await expectCookies(createBrowser({ proxies: { [origin]: app.origin } }), `${origin}/app`, prefixed);
    });

    it('http on loopback', async () => {
      const app = await world.app(framework);
      await expectCookies(createBrowser(), app.baseUrl, { name: 'session', rest: 'Path=/; HttpOnly; SameSite=Lax', path: '/' });
    });

    it('sameSite and cookieName, as told', async () => {
      const app = await world.app(framework, { options: { session: { cookieName: 'id', sameSite: 'strict' } } });
      const browser = createBrowser();
      const { setCookies } = await browser.post(`${app.baseUrl}/session`, {}, asScript);
      expect(setCookies.map(flagsOf)).toEqual(['id=…; Path=/; HttpOnly; SameSite=Strict']);
      // The callback comes from another site: its cookie could not be strict.
      const start = await browser.get(`${app.baseUrl}/login`, asPage);
      expect(start.setCookies.map(flagsOf)).toEqual(['id-login-ID=…; Path=/; Max-Age=600; HttpOnly; SameSite=Lax']);
      const page = await browser.get(start.headers.location!);
      expect(page.hops.flatMap((hop) => hop.setCookies.map(flagsOf))).toContain('id=…; Path=/; HttpOnly; SameSite=Strict');
    });
  });

  it.each(Object.keys(mounted))('https with a path, mounted below it on %s', async (how) => {
    const app = await startMounted(how, `${origin}/app`);
    await expectCookies(createBrowser({ proxies: { [origin]: app } }), `${origin}/app`, prefixed);
  });
});

describe('whose session it is', () => {
  const cookieOf = (browser: Browser): string => `session=${browser.cookies.get('session')!.value}`;
  const ask = (app: { baseUrl: string }, path: string, Cookie: string, method = 'GET') =>
    createBrowser().request(app.baseUrl + path, { ...asScript, method, headers: { Cookie } });

  it('C14: two cookies of the same name are no session, whichever comes first, and change neither', async () => {
    const app = await world.app();
    const [alice, bob] = [await world.loggedIn(app), await world.loggedIn(app)];
    for (const Cookie of [`${cookieOf(alice)}; ${cookieOf(bob)}`, `${cookieOf(bob)}; a=b; ${cookieOf(alice)}`, `${cookieOf(alice)}; ${cookieOf(alice)}`, `session=; ${cookieOf(bob)}`]) {
      expect((await ask(app, '/private', Cookie)).status).toBe(401);
      expect((await ask(app, '/session', Cookie, 'POST')).json()).toEqual({ counter: 1 });
    }
    for (const browser of [alice, bob]) {
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(200);
      expect((await browser.get(`${app.baseUrl}/session`, asScript)).json()).toEqual({});
    }
  });

  it('C14: two cookies of the same name are told of once, without what they hold', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const app = await world.app();
    const problems: CodeFlowEvents['configuration.problem'][] = [];
    app.auth.on('configuration.problem', (problem) => problems.push(problem));
    const [alice, bob] = [await world.loggedIn(app), await world.loggedIn(app)];
    for (const Cookie of [cookieOf(alice), cookieOf(bob), `a=b; ${cookieOf(alice)}`]) await ask(app, '/private', Cookie);
    expect(problems).toEqual([]);
    for (const path of ['/private', '/public', '/private']) await ask(app, path, `${cookieOf(alice)}; ${cookieOf(bob)}`);
    const calls = warned.mock.calls.splice(0);
    warned.mockRestore();
    const [{ code, message } = { code: '', message: '' }, ...more] = problems;
    expect([code, more, calls]).toEqual(['ERR_CODE_FLOW_COOKIE_AMBIGUOUS', [], [[message, { code }]]]);
    expect(message).toMatch(/^a browser sent more than one cookie session, so that none of them counts and its user is not logged in: /);
  });

  it('C1, C19: an id that we signed but do not know is never taken over', async () => {
    const app = await world.app();
    const [key] = createSealer([testSecret]).signingKeys;
    const id = randomId();
    const Cookie = createSessionCookie('session', { secure: false, sameSite: 'lax', path: '/' }, [key!]).write(id).split(';')[0]!;
    expect((await ask(app, '/private', Cookie)).status).toBe(401);
    const written = await ask(app, '/session', Cookie, 'POST');
    expect(written.setCookies).toHaveLength(1);
    expect(decodeURIComponent(written.setCookies[0]!)).not.toContain(id);
    const browser = createBrowser();
    browser.cookies.receive(Cookie, new URL(app.baseUrl));
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    expect(cookieOf(browser)).not.toContain(id);
    expect((await ask(app, '/private', Cookie)).status).toBe(401);
    expect(await world.redis.client().exists(`ecf:s:${hashId(id)}`)).toBe(0);
  });

  it('FAULTS 54: a secret is rotated: old cookies, sessions and logins under way live on; new ones are made with the new secret', async () => {
    const [oldSecret, newSecret] = ['the secret of last year: 7b1Kx9Qw3ZrT5mNp', 'the secret of this year: 2aLc8Vd4YhJ6fSgE'];
    const appWith = (...secret: string[]) => world.app('express5', { baseUrl, options: { secret } });
    const baseUrl = 'http://127.0.0.1';
    const proxied = (app: { origin: string }, browser: Browser) => {
      const moved = createBrowser({ proxies: { [baseUrl]: app.origin } });
      for (const cookie of browser.cookies.all()) moved.cookies.set(cookie);
      return moved;
    };
    const [before, between, after] = [await appWith(oldSecret), await appWith(newSecret, oldSecret), await appWith(newSecret)];
    const old = proxied(before, createBrowser());
    expect((await old.get(`${baseUrl}/private`)).status).toBe(200);
    expect((await old.post(`${baseUrl}/session`, {}, asScript)).json()).toEqual({ counter: 1 });
    const underWay = proxied(before, createBrowser());
    const { headers } = await underWay.get(`${baseUrl}/login?returnTo=/private`, asPage);

    const moved = proxied(between, old);
    expect((await moved.get(`${baseUrl}/private-token`, asScript)).status).toBe(200);
    expect((await moved.post(`${baseUrl}/session`, {}, asScript)).json()).toEqual({ counter: 2 });
    const finished = proxied(between, underWay);
    expect((await finished.get(headers.location!)).status).toBe(200);

    const fresh = proxied(after, finished);
    expect((await fresh.get(`${baseUrl}/private-token`, asScript)).status).toBe(200);
    expect((await proxied(before, finished).get(`${baseUrl}/private`, asScript)).status).toBe(401);
    expect((await proxied(after, old).get(`${baseUrl}/private`, asScript)).status).toBe(401);
  });
});

describe('req.session is express-session\'s', () => {
  const done = (start: (callback: (error?: unknown) => void) => unknown): Promise<void> =>
    new Promise((resolve, reject) => void start((error) => (error instanceof Error ? reject(error) : resolve())));
  type Live = session.Session & { counter?: number };
  type LiveRequest = IncomingMessage & { session?: Live | null; sessionID: string; sessionStore: { generate(req: unknown): void } };

  const scripts: Record<string, (req: LiveRequest) => unknown> = {
    reads: (req) => req.session!.counter,
    'writes the same': (req) => (req.session!.counter = 1),
    writes: (req) => (req.session!.counter = 2),
    'deletes what was there': (req) => delete req.session!.counter,
    'destroys it': async (req) => {
      await done((callback) => req.session!.destroy(callback));
      return typeof req.session;
    },
    'destroys it and touches it no more': (req) => done((callback) => req.session!.destroy(callback)),
    'sets it to null': (req) => {
      req.session!.counter = 3;
      req.session = null;
      return String(req.session);
    },
    'sets it to undefined': (req) => {
      req.session!.counter = 3;
      (req as { session: unknown }).session = undefined;
      return typeof req.session;
    },
    'deletes it': (req) => {
      req.session!.counter = 3;
      delete req.session;
      return typeof req.session;
    },
    'regenerates it': async (req) => {
      const before = req.sessionID;
      await done((callback) => req.session!.regenerate(callback));
      return [req.session!.counter === undefined, before === req.sessionID, req.sessionID === req.session!.id];
    },
    'regenerates it and writes': async (req) => {
      await done((callback) => req.session!.regenerate(callback));
      req.session!.counter = 4;
    },
    'destroys it, makes another and writes': async (req) => {
      await done((callback) => req.session!.destroy(callback));
      req.sessionStore.generate(req);
      req.session!.counter = 4;
      return req.sessionID === req.session!.id;
    },
    'saves it': async (req) => {
      req.session!.counter = 5;
      await done((callback) => req.session!.save(callback));
    },
    'saves it and writes once more': async (req) => {
      req.session!.counter = 5;
      await done((callback) => req.session!.save(callback));
      req.session!.counter = 6;
    },
    'reloads it': async (req) => {
      req.session!.counter = 7;
      await done((callback) => req.session!.reload(callback));
      return req.session!.counter;
    },
    'reloads it and writes': async (req) => {
      await done((callback) => req.session!.reload(callback));
      req.session!.counter = 8;
    },
    'gives it a lifetime': (req) => {
      req.session!.counter = 9;
      req.session!.cookie.maxAge = 3_600_000;
    },
    touches: (req) => typeof req.session!.touch(),
    'looks at it': (req) => [typeof req.sessionID, req.session!.id === req.sessionID, Object.keys(req.session!), req.session!.cookie.httpOnly, typeof req.session!.cookie.path],
  };

  async function observe(run: (req: LiveRequest, res: ServerResponse) => void): Promise<unknown> {
    const server = createServer((req, res) => run(req as LiveRequest, res));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const seen = [];
    const browser = createBrowser();
    for (const path of ['/write', '/script', '/read', '/read']) {
      const { status, text, setCookies } = await browser.get(origin + path, asScript);
      const cookies = setCookies.map((line) => flagsOf(line).replace(/Expires=[^;]+/, 'Expires=…'));
      seen.push([path, status, text, cookies]);
    }
    await new Promise((resolve) => server.close(resolve));
    return seen;
  }

  /** The whole app: what follows the session middleware. */
  const appOf = (script: (req: LiveRequest) => unknown) => (req: LiveRequest, res: ServerResponse) => {
    const act: Record<string, (live: LiveRequest) => unknown> = { '/write': ({ session: live }) => (live!.counter = 1), '/script': script, '/read': ({ session: live }) => live!.counter };
    Promise.resolve()
      .then(() => act[req.url!]!(req))
      .then((value) => sendJson(res, 200, { value }), (error: unknown) => sendJson(res, 500, { error: String(error) }));
  };

  it.each(Object.keys(scripts))('an app that %s sees the same', async (name) => {
    const theirs = session({ secret: testSecret, name: 'session', resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } });
    const app = appOf(scripts[name]!);
    const expected = await observe((req, res) => theirs(req as never, res as never, () => app(req, res)));
    const options: Partial<CodeFlowOptions> = {};
    const { auth } = await world.app('express5', { options });
    const actual = await observe((req, res) => auth(req, res, () => app(req, res)));
    expect(actual).toEqual(expected);
  });
});

describe('races', () => {
  let reached = gate();
  let release = gate();
  afterEach(() => {
    [reached, release] = [gate(), gate()];
    world.authorizationServer.settings.accessTokenTtl = 60;
  });
  const held = (before: (req: AppRequest) => unknown): Handler => async (req, res) => {
    before(req);
    reached.open();
    await release.opened;
    req.session.counter = 42;
    sendJson(res, 200, { counter: 42 });
  };
  const routes: Route[] = [
    { method: 'GET', path: '/holds', handlers: [held(({ session: live }) => live.counter)] },
    { method: 'GET', path: '/holds-untouched', handlers: [held(() => undefined)] },
  ];

  it.each(['/holds', '/holds-untouched'])('C7: a logout is not undone by a slower request that writes its session (%s)', async (path) => {
    const app = await world.app('express5', { routes });
    const browser = await world.loggedIn(app);
    const { value } = browser.cookies.get('session')!;
    const slow = browser.get(app.baseUrl + path, asScript);
    await reached.opened;
    expect((await browser.post(`${app.baseUrl}/logout`, {}, { follow: false })).status).toBe(303);
    const added = await world.redis.addedKeys();
    release.open();
    const answer = await slow;
    expect([answer.status, answer.setCookies]).toEqual([200, []]);
    const replayed = await createBrowser().get(`${app.baseUrl}/private`, { ...asScript, headers: { Cookie: `session=${value}` } });
    expect(replayed.status).toBe(401);
    expect(await added()).toEqual([]);
  });

  it('C6: a slow request that writes its session brings no old token back', async () => {
    world.authorizationServer.settings.accessTokenTtl = 1;
    const app = await world.app('express5', { routes });
    const browser = await world.loggedIn(app);
    const { exp } = (await browser.get(`${app.baseUrl}/api`, asScript)).json();
    world.authorizationServer.settings.accessTokenTtl = 60;
    const slow = browser.get(`${app.baseUrl}/holds`, asScript);
    await reached.opened;
    await eventually(() => Date.now() / 1000 > exp);
    const { jti } = (await browser.get(`${app.baseUrl}/api`, asScript)).json();
    const refreshes = world.authorizationServer.tokenRequests.refresh_token;
    release.open();
    expect((await slow).status).toBe(200);
    const cold = await world.app('express5', { routes }); // asks Redis
    for (const at of [app, cold]) expect((await browser.get(`${at.baseUrl}/api`, asScript)).json().jti).toBe(jti);
    expect((await browser.get(`${app.baseUrl}/session`, asScript)).json()).toEqual({ counter: 42 });
    expect(world.authorizationServer.tokenRequests.refresh_token).toBe(refreshes);
  });

  it('C1: a login in one tab leaves a slow request of the old session without effect', async () => {
    const app = await world.app('express5', { routes });
    const browser = createBrowser();
    await browser.post(`${app.baseUrl}/session`, {}, asScript);
    const slow = browser.get(`${app.baseUrl}/holds`, asScript);
    await reached.opened;
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    release.open();
    expect((await slow).setCookies).toEqual([]);
    expect((await browser.get(`${app.baseUrl}/session`, asScript)).json()).toEqual({});
    expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(200);
  });
});

describe('C20: what lies in Redis', () => {
  it('is no session id, grant id, token or name in clear', async () => {
    await world.redis.client().flushall();
    const secrets: string[] = ['alice', 'Alice', 'openid'];
    const parts = (token: unknown): string[] => (typeof token === 'string' ? [token, ...token.split('.')] : []);
    const recording: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      const body = (await answer.clone().json().catch(() => ({}))) as Record<string, unknown>;
      for (const name of ['access_token', 'refresh_token', 'id_token']) secrets.push(...parts(body[name]));
      return answer;
    };
    const tell: Route = {
      method: 'GET',
      path: '/tell',
      handlers: [({ oauth }, res) => sendJson(res, 200, { grantId: oauth.grantId })],
    };
    world.authorizationServer.settings.accessTokenTtl = 1;
    const app = await world.app('express5', { routes: [tell], options: { fetch: recording } });
    const browser = await world.loggedIn(app);
    await browser.post(`${app.baseUrl}/session`, {}, asScript);
    const { exp } = (await browser.get(`${app.baseUrl}/api`, asScript)).json();
    await eventually(() => Date.now() / 1000 > exp);
    expect((await browser.get(`${app.baseUrl}/api`, asScript)).status).toBe(200); // refreshed: both versions were there
    const { grantId } = (await browser.get(`${app.baseUrl}/tell`, asScript)).json();
    const { value } = browser.cookies.get('session')!;
    const sessionId = decodeURIComponent(value).slice(2).split('.')[0]!;
    secrets.push(grantId, sessionId, 'counter');

    const redis = world.redis.client();
    const readers: Record<string, (key: string) => Promise<(Buffer | string | null)[]>> = {
      string: async (key) => [await redis.getBuffer(key)],
      hash: async (key) => Object.entries(await redis.hgetallBuffer(key)).flat(),
      list: (key) => redis.lrangeBuffer(key, 0, -1),
    };
    const dump: Buffer[] = [];
    const kept = await redis.keys('*');
    for (const key of kept) {
      const type = await redis.type(key);
      dump.push(...[key, ...(await readers[type]!(key))].map((part) => Buffer.from(part as string)));
      expect(await redis.pttl(key)).toBeGreaterThan(0); // C17: nothing stays for ever
    }
    expect(kept.length).toBeGreaterThanOrEqual(3);
    expect(secrets.length).toBeGreaterThan(12);
    const all = Buffer.concat(dump);
    // Nor as the bytes that its characters stand for, which is how they are kept under the seal.
    for (const secret of secrets) expect(all.includes(secret) || all.includes(Buffer.from(secret, 'base64url')) ? secret.slice(0, 8) : 'absent').toBe('absent');
  });

  it('C17: ends when the session may: never later than the absolute time, and the idle time is renewed by use', async () => {
    const redis = world.redis.client();
    await redis.flushall();
    const app = await world.app('express5', { options: { session: { idleTimeoutSeconds: 100, absoluteTimeoutSeconds: 150 } } });
    const browser = await world.loggedIn(app);
    const key = (await redis.keys('ecf:s:*'))[0]!;
    expect(await redis.ttl(key)).toBeGreaterThan(98);
    await redis.expire(key, 50);
    await browser.get(`${app.baseUrl}/private`);
    expect(await redis.ttl(key)).toBeGreaterThan(98);
    for (const other of await redis.keys('*')) expect(await redis.ttl(other)).toBeLessThanOrEqual(other.startsWith('ecf:t:') ? 600 : 150);
  });
});
