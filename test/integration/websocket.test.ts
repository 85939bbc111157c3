/** `authenticate(req)` with the `ws` package, and server-sent events: connections that end with their login, whichever process ends it. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { AuthenticationRequiredError, CodeFlowError, requireAuth, type ConnectionLogin } from '../../lib/index.js';
import { startAppProcess, type AppProcess } from '../support/app-process.js';
import type { Route, TestApp } from '../support/apps.js';
import { createBrowser, type Browser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { startFaultWorld, type FaultApp, type FaultWorld } from '../support/fault-world.js';

const loginEnded = 4401;

/** Until the login ends, or the browser goes. */
const stream: Route = {
  method: 'GET',
  path: '/stream',
  handlers: [
    requireAuth(),
    ({ oauth }, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': open\n\n');
      oauth.signal?.addEventListener('abort', () => res.end('event: login-ended\ndata:\n\n'), { once: true });
    },
  ],
};
const forget: Route = { method: 'POST', path: '/forget', handlers: [(req, res) => (req as unknown as { session: { destroy(done: () => void): void } }).session.destroy(() => res.end())] };

let world: FaultWorld;
let app: FaultApp;
/** Another process on the same Redis. */
let other: AppProcess;
/** Whoever is connected to `app`, the last one last. */
const logins: ConnectionLogin[] = [];
const sockets: WebSocket[] = [];

beforeAll(async () => {
  world = await startFaultWorld();
  app = await world.fresh({}, { routes: [stream, forget] });
  serve(app);
  other = await startAppProcess({ authorizationServer: world.authorizationServer, options: { redis: world.redis.url } });
}, 360_000);

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
});

afterAll(async () => {
  await other.stop();
  await world.close();
});

/** As the README shows it. */
function serve({ server, auth }: TestApp): void {
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req: IncomingMessage, duplex: Duplex, head: Buffer) => {
    auth.authenticate(req).then(
      (login) => {
        if (login === undefined) return refuse(duplex, 401);
        wss.handleUpgrade(req, duplex, head, (socket) => {
          logins.push(login);
          login.signal.addEventListener('abort', () => socket.close(loginEnded), { once: true });
          socket.send(String(login.subject));
        });
      },
      (error: unknown) => refuse(duplex, error instanceof CodeFlowError ? error.status : 500),
    );
  });
}

function refuse(duplex: Duplex, status: number): void {
  duplex.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`);
}

interface Outcome {
  readonly socket: WebSocket;
  /** What the server said first, or the status with which it refused. */
  readonly said: string | number;
}

function connect(browser: Browser, headers: Readonly<Record<string, string>> = { Origin: app.baseUrl }, to: TestApp = app): Promise<Outcome> {
  const cookie = browser.cookies.header(new URL(to.baseUrl));
  const socket = new WebSocket(to.baseUrl.replace('http', 'ws'), { headers: { ...headers, ...(cookie === undefined ? {} : { Cookie: cookie }) } });
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.once('message', (data: Buffer) => resolve({ socket, said: data.toString() }));
    socket.once('unexpected-response', (_req, res) => resolve({ socket, said: res.statusCode ?? 0 }));
    socket.once('error', reject);
  });
}

/** The code with which it was closed, and after how many seconds. */
async function closing(socket: WebSocket, work: () => Promise<unknown>): Promise<{ code: number; seconds: number }> {
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await work();
  const since = performance.now();
  return { code: await closed, seconds: (performance.now() - since) / 1000 };
}

describe('the three answers', () => {
  it('authenticated: the login, with its facts and its tokens', async () => {
    const { said } = await connect(await world.loggedIn(app));
    expect(said).toBe('alice');
    const login = logins.at(-1)!;
    expect(login).toMatchObject({ subject: 'alice', provider: 'default', claims: { name: 'Alice' }, grantId: expect.any(String), expiresAt: expect.any(Number), scope: expect.any(String) });
    expect(await login.getAccessToken()).toEqual(expect.any(String));
    expect((await login.oauthFetch(`${world.api.url}whoami`)).status).toBe(200);
  });

  it('anonymous: undefined, without asking Redis where there is no cookie', async () => {
    const counter = await world.redis.commandCounter();
    expect((await connect(createBrowser())).said).toBe(401);
    expect((await counter.byName())['getex']).toBeUndefined();
    const ended = await world.loggedIn(app);
    await world.client.flushall();
    expect((await connect(ended)).said).toBe(401);
  });

  it('unknown: StoreError while Redis is down, and a connection that is open stays open', async () => {
    const browser = await world.loggedIn(app);
    const { socket } = await connect(browser);
    world.proxy.refuse();
    expect((await connect(browser)).said).toBe(503);
    const unanswered = (): number => app.events.filter(({ detail }) => 'operation' in detail && detail.operation === 'look for ended logins').length;
    await eventually(() => unanswered() >= 2);
    expect([socket.readyState, logins.at(-1)!.signal.aborted]).toEqual([WebSocket.OPEN, false]);
    world.proxy.resume();
    expect(await closing(socket, () => app.auth.endSessions({ subject: 'alice' }))).toMatchObject({ code: loginEnded });
  });
});

describe('a page of another site', () => {
  it.each<[string, Record<string, string>]>([
    ['another origin', { Origin: 'https://evil.example' }],
    ['another port of this host', { Origin: 'http://127.0.0.1:1' }],
    ['the same host by https', { Origin: 'https://127.0.0.1' }],
    ['no origin at all, in so many words', { Origin: 'null' }],
    ['a sibling domain, by Fetch Metadata', { 'Sec-Fetch-Site': 'same-site' }],
    ['another site, by Fetch Metadata', { 'Sec-Fetch-Site': 'cross-site' }],
  ])('cannot hijack a WebSocket: %s is refused before the session is read', async (_name, headers) => {
    const browser = await world.loggedIn(app);
    const counter = await world.redis.commandCounter();
    expect((await connect(browser, headers)).said).toBe(403);
    expect((await counter.byName())['getex']).toBeUndefined();
    const req = { headers: { upgrade: 'websocket', ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])) } };
    await expect(app.auth.authenticate(req as unknown as IncomingMessage)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_CROSS_ORIGIN', status: 403 });
  });

  it('is told from the app itself, and from a client that is no browser', async () => {
    const browser = await world.loggedIn(app);
    for (const headers of [{ Origin: app.baseUrl }, { Origin: app.baseUrl, 'Sec-Fetch-Site': 'same-origin' }, {}]) {
      expect((await connect(browser, headers)).said).toBe('alice');
    }
  });
});

describe('a WebSocket ends with its login', () => {
  it.each<[string, (browser: Browser) => Promise<unknown>, number]>([
    ['a logout in another process', (browser) => browser.post(`${other.baseUrl}/logout`, {}, { follow: false }), 2],
    ['a logout in this process', (browser) => browser.post(`${app.baseUrl}/logout`, {}, { follow: false }), 0.5],
    ['endSessions() in this process', () => app.auth.endSessions({ subject: 'alice' }), 0.5],
    ['a session that the app destroyed', (browser) => browser.post(`${app.baseUrl}/forget`), 0.5],
    ['another login in its place', (browser) => browser.get(`${app.baseUrl}/login?returnTo=/private`), 0.5],
    ['a session that is gone from Redis, as at the end of its idle time', () => world.client.flushall(), 2],
  ])('%s', async (_name, end, withinSeconds) => {
    const browser = await world.loggedIn(app);
    const [{ socket }, { socket: second }] = [await connect(browser), await connect(browser)];
    const [login] = logins.slice(-2);
    const bob = await connect(await world.loggedIn(app, 'bob'));
    const [first, again] = await Promise.all([closing(socket, () => end(browser)), closing(second, () => Promise.resolve())]);
    expect([first.code, again.code]).toEqual([loginEnded, loginEnded]);
    expect(first.seconds).toBeLessThan(withinSeconds);
    if (!_name.includes('gone from Redis')) expect(bob.socket.readyState).toBe(WebSocket.OPEN);
    expect(login!.signal.reason).toBeInstanceOf(AuthenticationRequiredError);
    await expect(login!.getAccessToken()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    await expect(login!.oauthFetch(`${world.api.url}whoami`)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
  });

  it('C17: at its absolute end, with activity until then', async () => {
    const short = await world.fresh({ session: { absoluteTimeoutSeconds: 3 } });
    serve(short);
    const browser = await world.loggedIn(short);
    const { socket } = await connect(browser, {}, short);
    const login = logins.at(-1)!;
    const { code } = await closing(socket, () => Promise.resolve());
    expect([code, Date.now() / 1000 >= login.expiresAt, Date.now() / 1000 < login.expiresAt + 1.5]).toEqual([loginEnded, true, true]);
  });

  it('C17: at the end of its idle time, which watching does not renew', async () => {
    const short = await world.fresh({ session: { idleTimeoutSeconds: 2 } });
    serve(short);
    const { socket } = await connect(await world.loggedIn(short), {}, short);
    const { code, seconds } = await closing(socket, () => Promise.resolve());
    expect([code, seconds < 4]).toEqual([loginEnded, true]);
  });

  it('with sessions in memory too', async () => {
    const alone = await world.app('express5', { options: { redis: undefined } });
    serve(alone);
    const browser = await world.loggedIn(alone);
    const { socket } = await connect(browser, { Origin: alone.baseUrl }, alone);
    expect((await closing(socket, () => browser.post(`${alone.baseUrl}/logout`, {}, { follow: false }))).code).toBe(loginEnded);
  });
});

describe('what watching costs', () => {
  it('Redis is asked for a login while a connection of it is open, and no longer', async () => {
    const browser = await world.loggedIn(app);
    const [{ socket }] = [await connect(browser), await connect(browser)];
    const counter = await world.redis.commandCounter();
    await setTimeout(3000);
    // Two connections, one question a second.
    expect((await counter.byName())['exists']).toBeLessThanOrEqual(4);
    expect((await counter.byName())['exists']).toBeGreaterThanOrEqual(2);
    logins.at(-1)!.release();
    socket.terminate();
    await eventually(async () => {
      const after = await world.redis.commandCounter();
      await setTimeout(1200);
      return (await after.byName())['exists'] === undefined;
    });
  });
});

describe('server-sent events', () => {
  /** What comes on the stream until it ends. */
  async function open(browser: Browser): Promise<{ rest: Promise<string>; hangUp: () => void }> {
    const cookie = browser.cookies.header(new URL(app.baseUrl)) ?? '';
    const abort = new AbortController();
    const answer = await fetch(`${app.baseUrl}/stream`, { headers: { cookie }, signal: abort.signal });
    expect(answer.status).toBe(200);
    return { rest: answer.text().catch(() => 'hung up'), hangUp: () => abort.abort() };
  }

  it('end with the login, wherever it was ended', async () => {
    const browser = await world.loggedIn(app);
    const { rest } = await open(browser);
    await browser.post(`${other.baseUrl}/logout`, {}, { follow: false });
    expect(await rest).toBe(': open\n\nevent: login-ended\ndata:\n\n');
  });

  it('are watched until the browser hangs up', async () => {
    const { rest, hangUp } = await open(await world.loggedIn(app));
    hangUp();
    await rest;
    await eventually(async () => {
      const counter = await world.redis.commandCounter();
      await setTimeout(1200);
      return (await counter.byName())['exists'] === undefined;
    });
  });
});
