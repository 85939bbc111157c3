/** `req.oauthFetch` against real servers: connections are counted where they would arrive. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { requireAuth } from '../../lib/index.js';
import type { Handler, Route, TestApp } from '../support/apps.js';
import { asScript, createBrowser, type Browser } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { listen, readBody, sendJson, type ListeningServer } from '../support/http.js';
import { startWorld, type World } from '../support/world.js';


interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An HTTP server that answers as the test says and remembers who came; by default it says 200. */
interface Recorder {
  readonly origin: string;
  readonly requests: Seen[];
  connections: number;
  answer: (req: IncomingMessage, res: ServerResponse) => void;
  close(): Promise<void>;
}

async function startRecorder(): Promise<Recorder> {
  const requests: Seen[] = [];
  const listening: ListeningServer = await listen(() => async (req, res) => {
    requests.push({ method: req.method!, path: req.url!, headers: req.headers, body: (await readBody(req)).toString() });
    recorder.answer(req, res);
  });
  const fine: Recorder['answer'] = (_req, res) => sendJson(res, 200, { fine: true });
  const recorder: Recorder = { origin: `http://127.0.0.1:${listening.port}`, requests, connections: 0, answer: fine, close: () => listening.close() };
  listening.server.on('connection', () => (recorder.connections += 1));
  return recorder;
}

const redirect = (location: string, status = 302): Recorder['answer'] => (_req, res) => void res.writeHead(status, { Location: location }).end();
const to = (paths: Readonly<Record<string, Recorder['answer']>>): Recorder['answer'] => (req, res) => {
  const answer = paths[req.url!];
  if (answer === undefined) sendJson(res, 200, { path: req.url });
  else answer(req, res);
};

let world: World;
let app: TestApp;
let api: Recorder;
let second: Recorder;
let foreign: Recorder;
let captured: typeof fetch;
/** Of the route /cancellable. */
let controller = new AbortController();

const capture: Handler = (req, res) => {
  captured = req.oauthFetch;
  sendJson(res, 200, {});
};
const cancellable: Handler = async ({ oauthFetch }, res) => {
  const outcome = await oauthFetch(`${world.api.url}whoami`, { signal: controller.signal }).then(({ status }) => status, (reason: unknown) => reason);
  sendJson(res, 200, { outcome: outcome === controller.signal.reason ? 'its own reason' : outcome });
};
const routes: Route[] = [
  { method: 'GET', path: '/capture', handlers: [requireAuth(), capture] },
  { method: 'GET', path: '/cancellable', handlers: [requireAuth(), cancellable] },
  {
    method: 'GET',
    path: '/pass',
    handlers: [
      async (req, res) => {
        const answer = await req.oauthFetch(`${api.origin}/v1/`);
        sendJson(res, 200, { status: answer.status });
      },
    ],
  },
];

beforeAll(async () => {
  world = await startWorld();
});
beforeEach(async () => {
  [api, second, foreign] = await Promise.all([startRecorder(), startRecorder(), startRecorder()]);
  app = await start();
});
afterEach(async () => {
  await Promise.all([api, second, foreign].map((recorder) => recorder.close()));
  world.authorizationServer.settings.accessTokenTtl = 60;
  world.authorizationServer.plan.length = 0;
  controller = new AbortController();
});
afterAll(() => world.close());

const start = (): Promise<TestApp> => world.app('express5', { routes, options: { apis: [`${api.origin}/v1/`, `${second.origin}/`, world.api.url] } });

/** The `oauthFetch` of a request that is over by now. */
async function fetchOf(browser: Browser, at = app): Promise<typeof fetch> {
  expect((await browser.get(`${at.baseUrl}/capture`, asScript)).status).toBe(200);
  return captured;
}

const tokens = (recorder: Recorder): (string | undefined)[] => recorder.requests.map(({ headers }) => headers.authorization);
const bearer = expect.stringMatching(/^Bearer [\w.-]{20,}$/);
const refreshes = (): number => world.authorizationServer.tokenRequests.refresh_token;

describe('F1: a place that is not listed', () => {
  it('sees no connection, and neither does the API', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    const port = new URL(api.origin).port;
    for (const url of [
      `${foreign.origin}/v1/`,
      `http://localhost:${port}/v1/`,
      `http://127.0.0.1.nip.io:${port}/v1/`,
      `http://127.0.0.1:${port}@${new URL(foreign.origin).host}/v1/`,
      `http://user@127.0.0.1:${port}/v1/`,
      `https://127.0.0.1:${port}/v1/`,
      `${api.origin}/`,
      `${api.origin}/v10/`,
      `${api.origin}/v1/../admin`,
      `${api.origin}/v1/..%2fadmin`,
      `${api.origin}/v1/%252e%252e%252fadmin`,
    ]) {
      await expect(oauthFetch(url)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
      await expect(oauthFetch(url, { redirect: 'follow', method: 'POST', body: 'x' })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
    }
    expect([api.connections, second.connections, foreign.connections]).toEqual([0, 0, 0]);
    expect((await oauthFetch(`${api.origin}/v1/orders`)).status).toBe(200);
    expect([api.connections, tokens(api)]).toEqual([1, [bearer]]);
  });
});

describe('F2: redirects', () => {
  const codes = [301, 302, 303, 307, 308];

  it.each(codes)('come back as they are: %i', async (status) => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = redirect(`${foreign.origin}/v1/`, status);
    for (const input of [`${api.origin}/v1/`, new URL(`${api.origin}/v1/`), new Request(`${api.origin}/v1/`, { redirect: 'follow' })]) {
      const answer = await oauthFetch(input);
      expect([answer.status, answer.headers.get('location'), answer.redirected]).toEqual([status, `${foreign.origin}/v1/`, false]);
    }
    expect([api.requests.length, foreign.connections]).toEqual([3, 0]);
  });

  it.each(codes)('to another place are not followed, whatever the caller says: %i', async (status) => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    const { port } = new URL(api.origin);
    for (const location of [`${foreign.origin}/v1/`, `//${new URL(foreign.origin).host}/v1/`, `http://localhost:${port}/v1/`, `https://127.0.0.1:${port}/v1/`, '/admin', '/v1/..%2fadmin', '../admin']) {
      api.answer = redirect(location, status);
      const call = oauthFetch(`${api.origin}/v1/`, { redirect: 'follow', headers: { 'X-Api-Key': 'sentinel' } });
      await expect(call).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
    }
    expect([api.requests.length, foreign.connections]).toEqual([7, 0]);
  });

  it('are followed within the list where the caller says so, with the token at each hop', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = to({ '/v1/a': redirect('b'), '/v1/b': redirect(`${second.origin}/c`) });
    const answer = await oauthFetch(`${api.origin}/v1/a`, { redirect: 'follow' });
    expect([answer.status, await answer.json()]).toEqual([200, { fine: true }]);
    expect(tokens(api).concat(tokens(second))).toEqual([bearer, bearer, bearer]);
  });

  it('F3: take the caller\'s headers along on the same origin, and next to none to another', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = to({ '/v1/a': redirect('b', 307), '/v1/b': redirect(`${second.origin}/c`, 307) });
    const headers = { 'X-Api-Key': 'sentinel', Cookie: 'sentinel=1', DPoP: 'sentinel', Accept: 'text/plain', 'Content-Type': 'text/csv' };
    await oauthFetch(`${api.origin}/v1/a`, { redirect: 'follow', method: 'POST', body: 'a,b', headers });
    for (const seen of api.requests) expect(seen.headers).toMatchObject({ 'x-api-key': 'sentinel', dpop: 'sentinel', 'content-type': 'text/csv' });
    expect(JSON.stringify(second.requests)).not.toContain('sentinel');
    expect(second.requests).toMatchObject([{ method: 'POST', body: 'a,b', headers: { accept: 'text/plain', 'content-type': 'text/csv' } }]);
  });

  it.each([
    [301, 'GET', 'GET', ''],
    [302, 'PUT', 'PUT', 'x'],
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [303, 'HEAD', 'HEAD', ''],
    [307, 'POST', 'POST', 'x'],
    [308, 'DELETE', 'DELETE', 'x'],
  ])('change the method as the Fetch standard says: %i turns %s into %s', async (status, method, expected, body) => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = to({ '/v1/a': redirect('b', status) });
    const init = method === 'GET' || method === 'HEAD' ? { method } : { method, body: 'x', headers: { 'Content-Type': 'text/csv', 'Content-Language': 'en' } };
    expect((await oauthFetch(`${api.origin}/v1/a`, { redirect: 'follow', ...init })).status).toBe(200);
    const [, last] = api.requests;
    expect([last!.method, last!.body]).toEqual([expected, body]);
    expect([last!.headers['content-type'], last!.headers['content-language']]).toEqual(body === '' ? [undefined, undefined] : ['text/csv', 'en']);
  });

  it('go no further than twenty', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = redirect('/v1/again');
    await expect(oauthFetch(`${api.origin}/v1/`, { redirect: 'follow' })).rejects.toMatchObject({ name: 'TypeError' });
    expect(api.requests).toHaveLength(21);
  });

  it('are an error where the caller says so, and with a stream that would have to be sent again', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = redirect('/v1/again', 307);
    await expect(oauthFetch(`${api.origin}/v1/`, { redirect: 'error' })).rejects.toMatchObject({ name: 'TypeError' });
    const body = Readable.toWeb(Readable.from(['x'])) as NonNullable<RequestInit['body']>;
    await expect(oauthFetch(`${api.origin}/v1/`, { redirect: 'follow', method: 'POST', body })).rejects.toMatchObject({ name: 'TypeError' });
    expect(api.requests).toHaveLength(2);
  });
});

describe('F6: after a 401', () => {
  const once = (): Recorder['answer'] => (_req, res) => {
    if (api.requests.length === 1) res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end('refused');
    else sendJson(res, 200, { fine: true });
  };
  const form = new FormData();
  form.set('field', 'value');
  form.set('file', new Blob(['content']), 'file.txt');

  it.each<[string, NonNullable<RequestInit['body']>, RegExp, RegExp]>([
    ['text', 'ä text', /^text\/plain;charset=UTF-8$/, /^ä text$/],
    ['bytes', Buffer.from('bytes'), /^none$/, /^bytes$/],
    ['URLSearchParams', new URLSearchParams({ a: 'b&c' }), /^application\/x-www-form-urlencoded;/, /^a=b%26c$/],
    ['FormData', form, /^multipart\/form-data; boundary=/, /name="field"\r\n\r\nvalue[^]*filename="file.txt"[^]*content/],
    ['a Blob', new Blob(['blob'], { type: 'text/csv' }), /^text\/csv$/, /^blob$/],
  ])('the body is sent again with a new token: %s', async (_name, body, type, content) => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    const before = refreshes();
    api.answer = once();
    expect((await oauthFetch(`${api.origin}/v1/`, { method: 'POST', body })).status).toBe(200);
    expect([api.requests.length, refreshes()]).toEqual([2, before + 1]);
    for (const seen of api.requests) {
      expect(seen.headers['content-type'] ?? 'none').toMatch(type);
      expect(seen.body).toMatch(content);
    }
    expect(new Set(tokens(api)).size).toBe(2);
  });

  it('a stream\'s answer is handed back untouched, and no refresh is made', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    const before = refreshes();
    for (const body of [Readable.from(['x', 'y']), Readable.toWeb(Readable.from(['x', 'y']))]) {
      api.answer = (_req, res) => void res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end('refused');
      const answer = await oauthFetch(`${api.origin}/v1/`, { method: 'POST', body: body as unknown as NonNullable<RequestInit['body']> });
      expect([answer.status, await answer.text()]).toEqual([401, 'refused']);
    }
    expect(api.requests.map(({ body }) => body)).toEqual(['xy', 'xy']);
    expect(refreshes()).toBe(before);
  });
});

describe('F8: the token', () => {
  it('is in no request line and in no answer of ours', async () => {
    const browser = await world.loggedIn(app);
    const oauthFetch = await fetchOf(browser);
    await oauthFetch(`${api.origin}/v1/?page=2`);
    const token = tokens(api)[0]!.slice('Bearer '.length);
    expect(api.requests[0]!.path).toBe('/v1/?page=2');
    for (const path of ['/', '/private', '/session', '/capture', '/pass', '/login']) {
      const { text, headers } = await browser.get(app.baseUrl + path, { follow: false });
      expect((text + JSON.stringify(headers)).includes(token)).toBe(false);
    }
  });
});

describe('F13: what the API answers', () => {
  it('is copied nowhere by itself', async () => {
    const browser = await world.loggedIn(app);
    api.answer = (_req, res) => void res.writeHead(403, { 'Set-Cookie': 'evil=1', 'WWW-Authenticate': 'Bearer error="insufficient_scope"', 'X-Api': '1' }).end();
    const answer = await browser.get(`${app.baseUrl}/pass`, asScript);
    expect([answer.status, answer.json()]).toEqual([200, { status: 403 }]);
    expect(answer.setCookies).toEqual([]);
    for (const name of ['www-authenticate', 'x-api', 'set-cookie']) expect(answer.headers).not.toHaveProperty(name);
  });
});

describe('F9: a reference that is kept after the logout', () => {
  it('rejects at once, and the API hears nothing', async () => {
    const browser = await world.loggedIn(app);
    const oauthFetch = await fetchOf(browser);
    expect((await oauthFetch(`${api.origin}/v1/`)).status).toBe(200);
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    for (let time = 0; time < 3; time += 1) {
      await expect(oauthFetch(`${api.origin}/v1/`)).rejects.toMatchObject({ name: 'AuthenticationRequiredError', status: 401 });
    }
    expect(api.requests).toHaveLength(1);
  });

  it('rejects within about a second when the logout happened in another process', async () => {
    const other = await start();
    const browser = await world.loggedIn(app);
    const oauthFetch = await fetchOf(browser);
    expect((await oauthFetch(`${api.origin}/v1/`)).status).toBe(200);
    expect((await browser.post(`${other.baseUrl}/logout`, {}, { follow: false })).status).toBe(303);
    const loggedOutAt = performance.now();
    const error = await eventually(() => oauthFetch(`${api.origin}/v1/`).then(() => undefined, (reason: unknown) => reason as Error));
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(performance.now() - loggedOutAt).toBeLessThan(1800);
    const heard = api.requests.length;
    await expect(oauthFetch(`${api.origin}/v1/`)).rejects.toMatchObject({ name: 'AuthenticationRequiredError' });
    expect(api.requests).toHaveLength(heard);
  });

  it('E19: is of no use to whoever logs in next in the same browser, and of no harm', async () => {
    const browser = await world.loggedIn(app, 'alice');
    const oauthFetch = await fetchOf(browser);
    await browser.post(`${app.baseUrl}/logout`);
    browser.login = 'bob';
    expect((await browser.get(`${app.baseUrl}/private`)).json()).toMatchObject({ sub: 'bob' });
    await expect(oauthFetch(`${api.origin}/v1/`)).rejects.toMatchObject({ name: 'AuthenticationRequiredError' });
    expect((await (await fetchOf(browser))(`${world.api.url}whoami`)).status).toBe(200);
    expect(world.api.calls.at(-1)).toMatchObject({ subject: 'bob' });
  });
});

describe('F11: the caller\'s signal', () => {
  it('cancels that caller alone, with its own reason, and the refresh goes on', async () => {
    world.authorizationServer.settings.accessTokenTtl = 1;
    const browser = await world.loggedIn(app);
    const { exp } = await (await (await fetchOf(browser))(`${world.api.url}whoami`)).json() as { exp: number };
    await eventually(() => Date.now() / 1000 > exp);
    world.authorizationServer.settings.accessTokenTtl = 60;
    const [before, calls] = [refreshes(), world.api.calls.length];
    const answered = gate();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: answered.opened });
    const requested = world.authorizationServer.tokenEndpoint.nextRequest();
    const Cookie = browser.cookies.header(new URL(app.baseUrl))!;
    const cancelled = createBrowser().get(`${app.baseUrl}/cancellable`, { ...asScript, headers: { Cookie } });
    const others = Array.from({ length: 5 }, () => createBrowser().get(`${app.baseUrl}/api`, { ...asScript, headers: { Cookie } }));
    await requested;
    controller.abort(new Error('the user left'));
    expect((await cancelled).json()).toEqual({ outcome: 'its own reason' });
    answered.open();
    for (const answer of await Promise.all(others)) expect(answer.status).toBe(200);
    // A call that was sent with the old token just before its end was refused, and counts as none.
    expect([refreshes(), world.api.calls.slice(calls).filter(({ token }) => token === 'valid').length]).toEqual([before + 1, 5]);
  });

  it('that is spent already: no token is fetched, nothing is sent', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    const reason = new Error('too late');
    await expect(oauthFetch(`${api.origin}/v1/`, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(api.connections).toBe(0);
  });

  it('ends a call of an API that hangs', async () => {
    const oauthFetch = await fetchOf(await world.loggedIn(app));
    api.answer = () => controller.abort();
    await expect(oauthFetch(`${api.origin}/v1/`, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
