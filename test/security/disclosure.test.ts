/**
 * Nothing secret comes out. Every suite with real parts is searched for that (test/support/disclosure/watch.ts); here it is shown that the
 * search finds what leaks, by whichever way, and that not even every debug switch of the platform makes an app talk.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import { randomId } from '../../lib/seal.js';
import { startAppProcess, type AppProcess } from '../support/app-process.js';
import { testSecret, type AppRequest, type Handler, type Route, type TestApp } from '../support/apps.js';
import { webClient } from '../support/authorization-server.js';
import { asScript, createBrowser, type Browser } from '../support/browser.js';
import { Secrets } from '../support/disclosure/secrets.js';
import { planted, printed, watch } from '../support/disclosure/watch.js';
import { eventually } from '../support/eventually.js';
import { misshapen } from '../support/disclosure/shape.js';
import { listen, sendJson } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';


let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

describe('the search', () => {
  const token = `eyJhbGciOiJSUzI1NiJ9.${randomBytes(60).toString('base64url')}-_.${randomBytes(60).toString('base64url')}`;
  const secrets = new Secrets();
  secrets.learn('token', token);
  const phrase = 'a "quoted" phrase: with \\ and % and ü, as people write secrets, and 4 numbers';
  secrets.learn('phrase', phrase);
  const kinds = (text: string): string[] => [...secrets.index()(text)];

  it.each<[string, (text: string) => string]>([
    ['raw', (text) => text],
    ['percent-encoded', encodeURIComponent],
    ['percent-encoded twice', (text) => encodeURIComponent(encodeURIComponent(text))],
    ['percent-encoded in every byte', (text) => Buffer.from(text).toString('hex').replace(/../g, '%$&')],
    ['in JSON in JSON', (text) => JSON.stringify(JSON.stringify({ text }))],
    ['in escapes', (text) => [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ['as base64', (text) => Buffer.from(text).toString('base64')],
    ['as base64 of more', (text) => Buffer.from(`web:${text}:`).toString('base64')],
    ['as base64url of yet more', (text) => Buffer.from(`{"a":"${text}"}`).toString('base64url')],
    ['as hex', (text) => Buffer.from(text).toString('hex').toUpperCase()],
    ['as a printed buffer', (text) => inspect(Buffer.from(text), { maxArrayLength: null })],
    ['as a line of `inspect`', (text) => inspect({ very: { deep: [text, new Error(text)] } }, { depth: null, breakLength: 20 })],
    ['its first half', (text) => text.slice(0, text.length / 2)],
    ['its last half', (text) => text.slice(text.length / 2)],
  ])('finds a secret %s', (_, encode) => {
    expect(kinds(`before ${encode(token)} after`)).toEqual(['token']);
    expect(kinds(encode(phrase))).toEqual(['phrase']);
  });

  it('finds nothing where nothing is', () => {
    for (let i = 0; i < 200; i += 1) expect(kinds(randomBytes(400).toString(i % 2 === 0 ? 'base64' : 'hex'))).toEqual([]);
  });
});

describe('a leak', () => {
  /** What an app should never do, in every way in which it can be done. */
  const leaks: Record<string, (secret: string, req: AppRequest, res: Parameters<Handler>[1]) => void> = {
    'the status line': (secret, _req, res) => (res.statusMessage = secret),
    'a header': (secret, _req, res) => void res.setHeader('X-Debug', Buffer.from(secret).toString('base64')),
    'a cookie': (secret, _req, res) => void res.appendHeader('Set-Cookie', `theirs=${encodeURIComponent(secret)}`),
    'a redirect': (secret, _req, res) => void res.writeHead(302, { Location: `/?hint=${secret}` }),
    'a body': (secret, _req, res) => void res.write(JSON.stringify({ secret })),
    'an error': (secret) => {
      throw new Error('harmless', { cause: Object.defineProperty(new Error('deeper'), 'body', { value: { secret }, enumerable: false }) });
    },
    'req.oauth': (secret, { oauth }) => watch.tellValue('req.oauth', { oauth, secret }),
    'the console': (secret) => console.debug(planted, { secret }), // eslint-disable-line no-console -- that is the leak
    stdout: (secret) => void process.stdout.write(`${planted} ${secret}\n`),
    stderr: (secret) => void process.stderr.write(`${planted} ${secret}\n`),
    'a process warning': (secret) => process.emitWarning(`${planted} careful`, { type: planted, detail: secret }),
    'debug output': (secret) => void process.stderr.write(`${new Date().toISOString()} theirs ${secret}\n`),
  };
  const kinds: Record<string, (req: AppRequest) => string | Promise<string>> = {
    'access token': ({ oauth }) => oauth.getAccessToken(),
    'random id': randomId,
    'session id': (req) => /session=s%3A([\w-]+)/.exec(req.headers.cookie ?? '')?.[1] ?? '',
    'client secret': () => webClient.clientSecret,
    'session secret': () => testSecret,
  };

  let told = '';
  const leak: Handler = async (req, res) => {
    const asked = new URL(req.url ?? '', 'http://app').searchParams;
    const secret = await kinds[asked.get('kind') ?? '']!(req);
    told = secret;
    leaks[asked.get('by') ?? '']!(secret, req, res);
    res.end();
  };

  let app: TestApp;
  let browser: Browser;
  beforeAll(async () => {
    app = await world.app('express5', { routes: [{ method: 'GET', path: '/leak', handlers: [requireAuth(), leak] }] });
    browser = await world.loggedIn(app);
    expect(watch.drain()).toEqual([]);
  });

  it.each(Object.keys(leaks).flatMap((by) => Object.keys(kinds).map((kind) => [by, kind] as const)))('by %s is found: %s', async (by, kind) => {
    await browser.get(`${app.baseUrl}/leak?${new URLSearchParams({ by, kind }).toString()}`, asScript);
    const findings = await eventually(() => {
      const found = watch.drain();
      return found.length > 0 && found;
    });
    expect(findings.map((finding) => finding.split(' in ')[0])).toContain(kind);
    expect(told.length).toBeGreaterThan(15);
    expect(findings.join()).not.toContain(told);
  });

  it('by an event is found', async () => {
    const name = `tenant-${randomBytes(16).toString('hex')}`;
    watch.secrets.learn('name', name);
    const named = await world.app('express5', { options: { providers: { [name]: world.authorizationServer.provider } } });
    await world.authorizationServer.registerApp(named.baseUrl, { callback: `/callback/${name}` });
    await createBrowser({ login: 'alice' }).get(`${named.baseUrl}/private`);
    expect(watch.drain().join('\n')).toContain('name in the event login.succeeded');
  });
});

describe('I3: an error answer of ours', () => {
  const problem = { title: 'Unauthorized', status: 401, code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', detail: 'this route needs a login', correlationId: 'a-1' };
  const head = (type: string): string => `HTTP/1.1 401 Unauthorized\r\nContent-Type: ${type}\r\n`;
  const asProblem = (members: object): string | undefined => misshapen(401, head('application/problem+json'), JSON.stringify({ ...problem, ...members }));
  const asPage = (text: string): string | undefined => misshapen(401, head('text/html; charset=utf-8'), `<p>${text}</p><code>ERR_CODE_FLOW_LOGIN_REQUIRED</code>`);

  it('has a code and a correlation id, and nothing else but words', () => {
    expect([asProblem({}), asProblem({ login: '/login?returnTo=%2F' }), asPage('Please sign in.')]).toEqual([undefined, undefined, undefined]);
  });

  it.each([{ stack: 'Error' }, { status: 500 }, { code: 'ECONNREFUSED' }, { title: undefined }, { correlationId: undefined }, { detail: 'connect ECONNREFUSED' }, { detail: 'WRONGPASS invalid' }, { login: {} }])(
    'is found wherever it has more or less than that: %j',
    (members) => {
      expect(asProblem(members)).toEqual(expect.any(String));
    },
  );

  it.each(['Error: no\n    at send (/app/lib/http.js:3:14)', 'see node_modules', 'no answer from 127.0.0.1:6379'])('is found wherever a page shows the insides: %s', (text) => {
    expect(asPage(text)).toEqual(expect.any(String));
  });

  it('is looked at in every suite with real parts', async () => {
    const refuse: Handler = (_req, res) => void res.writeHead(500, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify({ ...problem, status: 500, stack: 'Error' }));
    const auth = (await world.app('express5')).auth;
    const server = await listen(() => (req, res) => auth(req, res, () => refuse(req as AppRequest, res, () => undefined)));
    await createBrowser().get(`http://127.0.0.1:${server.port}/`);
    await server.close();
    expect(watch.drain()).toEqual(['a member stack in the answer 500 to GET /']);
  });
});

it('I4: nothing that hangs on a request shows a token, however it is printed', async () => {
  const printings: string[] = [];
  const look: Route = {
    method: 'GET',
    path: '/look',
    handlers: [
      requireAuth({ token: true }),
      async (req, res) => {
        req.session.counter = 1;
        await req.oauthFetch(`${world.api.url}whoami`);
        for (const value of [req.oauth, req.session, req.oauthFetch]) printings.push(printed(value), JSON.stringify({ value }));
        printings.push(printed(req), JSON.stringify({ ...req.oauth, claims: req.oauth.claims }));
        sendJson(res, 200, {});
      },
    ],
  };
  const app = await world.app('express5', { routes: [look] });
  const browser = await world.loggedIn(app);
  expect((await browser.get(`${app.baseUrl}/look`, asScript)).status).toBe(200);
  expect(printings).toHaveLength(8);
  const search = watch.secrets.index();
  const found = new Set(printings.flatMap((text) => [...search(text)]));
  // The request's own Cookie header and express-session's `req.sessionID` name the session.
  for (const kind of ['session id', 'signature of the session cookie', 'random id']) found.delete(kind);
  expect([...found]).toEqual([]);
  expect(watch.secrets.count('access token')).toBeGreaterThan(0);
});

describe('with every debug switch of Node and of the dependencies', () => {
  let app: AppProcess;
  let output = '';

  afterAll(() => app.kill());

  it('I2, C19: a process prints no secret through login, refresh, logout, refusals and an outage', async () => {
    const { redis, authorizationServer, api } = world;
    authorizationServer.settings.accessTokenTtl = 1;
    // Not `stream`, which prints every byte of every stream, nor what prints the environment and the modules.
    const environment = { NODE_DEBUG: 'http,http2,https,net,tls,fetch,undici,timer,worker,fs', DEBUG: '*', DEBUG_COLORS: 'no' };
    app = await startAppProcess({ authorizationServer, api, options: { redis: redis.url }, environment, onOutput: (text) => (output += text) });
    const browser = createBrowser({ login: 'alice' });
    expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    const { exp } = (await browser.get(`${app.baseUrl}/api`, asScript)).json();
    await eventually(() => Date.now() / 1000 > exp);
    expect((await browser.get(`${app.baseUrl}/api`, asScript)).status).toBe(200);
    await browser.post(`${app.baseUrl}/session`, {}, asScript);
    const id = /s:([\w-]+)/.exec(decodeURIComponent(browser.cookies.get('session')?.value ?? ''))?.[1] ?? '';
    watch.secrets.learn('session id of the process', id);
    await browser.get(`${app.baseUrl}/callback?code=${randomBytes(20).toString('hex')}&state=wrong`);
    authorizationServer.plan.push({ grantType: 'authorization_code', status: 500 });
    await createBrowser({ login: 'bob' }).get(`${app.baseUrl}/private`);
    const last = createBrowser({ login: 'carol' });
    await last.get(`${app.baseUrl}/private`);
    await browser.post(`${app.baseUrl}/logout`);
    await redis.kill();
    expect((await last.get(`${app.baseUrl}/private`, asScript)).status).toBe(503);
    await app.stop();

    for (const kind of ['access token', 'refresh token', 'id token', 'code verifier', 'session id of the process', 'client secret']) {
      expect([kind, watch.secrets.count(kind) > 0]).toEqual([kind, true]);
    }
    expect(output).toMatch(/HTTP \d+: /);
    expect(output).toMatch(/ioredis:redis /);
    expect(output).toContain('express-session saving [masked]');
    const search = watch.secrets.index();
    const talkative = output.split('\n').filter((line) => search(line).size > 0);
    // Express and Node print the URLs that they route: see docs/security.md on the code in that of the callback.
    const others = talkative.filter((line) => search(line.replace(/\?[^\s'"]*/g, '')).size > 0);
    expect(others.map((line) => [[...search(line)].join(), line.split(' ').slice(0, 3).join(' ')])).toEqual([]);
  });
});
