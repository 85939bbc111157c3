/** What a bad callback gets: a page or a problem with a code, a way to start again, no session, and no token call where the state was wrong. */
import { createServer, IncomingMessage, ServerResponse, type Server } from 'node:http';
import { once } from 'node:events';
import { Socket, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.js';
import { resolveOptions } from '../../lib/options.js';
import { createProviders } from '../../lib/provider-registry.js';
import { handleAuthErrors } from '../../lib/index.js';
import { createSealer } from '../../lib/seal.js';
import { createLoginTransactions } from '../../lib/session/login-transaction.js';
import { memorySessionKeys } from '../../lib/session/memory-session-keys.js';
import { frameworks, testSecret, type TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser, type Page, type RequestOptions } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';
import { startWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld({ account: 'alice' });
});
afterAll(() => world.close());

const isSession = (line: string): boolean => line.startsWith('session=');
const transactionsOf = (browser: Browser) => browser.cookies.all().filter(({ name }) => name.startsWith('session-login-'));
const codeCalls = (): number => world.authorizationServer.tokenRequests.authorization_code;

describe.each(frameworks)('on %s', (framework) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await world.app(framework);
  });
  afterEach(() => {
    Object.assign(world.authorizationServer.settings, { refuseLogin: undefined, accessTokenTtl: 60 });
  });

  /** Goes the whole way of a login up to the callback, which it does not visit. */
  async function toCallback(browser: Browser, path = '/login?returnTo=/private'): Promise<URL> {
    let next = new URL(app.baseUrl + path);
    for (;;) {
      const { headers, status } = await browser.get(next, asPage);
      if (headers.location === undefined) throw new Error(`the way to the callback ended with ${status}`);
      next = new URL(headers.location, next);
      if (next.href.startsWith(`${app.baseUrl}/callback?`)) return next;
    }
  }

  const changed = (url: URL, change: (parameters: URLSearchParams) => void): URL => {
    const copy = new URL(url);
    change(copy.searchParams);
    return copy;
  };

  /** I5, I1. How a failed login is told: to a person with a way on, to a program with the same code; to nobody with a session. */
  function expectRefusal(answer: Page, code: string, status = 400): void {
    expect([answer.status, answer.setCookies.filter(isSession)]).toEqual([status, []]);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    if (answer.headers['content-type'] === 'application/problem+json') {
      expect(answer.json()).toMatchObject({ status, code, ...(status === 400 ? { login: `${app.baseUrl}/login` } : {}) });
      return;
    }
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.text).toContain(code);
    expect(answer.text).toContain(`href="${app.baseUrl}/login"`);
  }

  /** Visits as a page and, with a login of its own, as a script: neither makes a session. Answers the number of token calls of one visit. */
  async function expectRefused(code: string, address: (browser: Browser) => Promise<URL>, more: RequestOptions = {}): Promise<number> {
    const calls = [];
    for (const options of [asPage, asScript]) {
      const browser = createBrowser();
      const url = await address(browser);
      const before = codeCalls();
      expectRefusal(await browser.request(url, { ...options, ...more }), code);
      calls.push(codeCalls() - before);
      expect((await browser.get(`${app.baseUrl}/`, asScript)).json()).toEqual({ isAuthenticated: false });
    }
    expect(calls[0]).toBe(calls[1]);
    return calls[0]!;
  }

  describe('A2, A3, A4: a state that is not ours makes no token call', () => {
    it.each<[string, string, (parameters: URLSearchParams) => void]>([
      ['missing', 'ERR_CODE_FLOW_STATE_MISSING', (parameters) => parameters.delete('state')],
      ['empty', 'ERR_CODE_FLOW_STATE_MISSING', (parameters) => parameters.set('state', '')],
      ['wrong in one character', 'ERR_CODE_FLOW_STATE_UNKNOWN', (parameters) => parameters.set('state', otherwise(parameters.get('state')!))],
      ['made up', 'ERR_CODE_FLOW_STATE_UNKNOWN', (parameters) => parameters.set('state', 'made-up')],
      ['in the wrong place', 'ERR_CODE_FLOW_STATE_MISSING', (parameters) => parameters.set('STATE', takeOut(parameters, 'state'))],
      ['repeated', 'ERR_CODE_FLOW_CALLBACK_INVALID', (parameters) => parameters.append('state', parameters.get('state')!)],
      ['repeated with another', 'ERR_CODE_FLOW_CALLBACK_INVALID', (parameters) => parameters.append('state', 'b')],
    ])('%s', async (_name, code, change) => {
      const browser = createBrowser();
      const right = await toCallback(browser);
      const before = codeCalls();
      const wrong = changed(right, change);
      expectRefusal(await browser.get(wrong, asPage), code);
      expectRefusal(await browser.get(wrong, asScript), code);
      expect(codeCalls()).toBe(before);
      // A4: the code and the login under way are as good as before.
      const page = await browser.get(right);
      expect([page.status, page.url, codeCalls()]).toEqual([200, `${app.baseUrl}/private`, before + 1]);
    });

    it.each(['code', 'iss', 'error', 'error_description'])('A8: %s repeated', async (name) => {
      const calls = await expectRefused('ERR_CODE_FLOW_CALLBACK_INVALID', async (browser) =>
        changed(await toCallback(browser), (parameters) => {
          parameters.append(name, 'a');
          parameters.append(name, 'b');
        }),
      );
      expect(calls).toBe(0);
    });

    it('A1, A3: another browser\'s, which can still finish', async () => {
      const victim = createBrowser();
      const url = await toCallback(victim);
      const before = codeCalls();
      for (const attacker of [createBrowser(), await world.loggedIn(app, 'mallory')]) {
        const calls = codeCalls();
        expectRefusal(await attacker.get(url, asPage), 'ERR_CODE_FLOW_STATE_UNKNOWN');
        expect(codeCalls()).toBe(calls);
      }
      expect((await victim.get(url)).json()).toMatchObject({ sub: 'alice' });
      expect(codeCalls()).toBe(before + 2); // mallory's own login, and this one
    });
  });

  describe('A12: a login works once, and for ten minutes', () => {
    const begin = async (startedSecondsAgo: number, browser: Browser): Promise<URL> => {
      const flags = { secure: false, sameSite: 'lax', path: '/' } as const;
      const transactions = createLoginTransactions({ sealer: createSealer([testSecret]), clock: systemClock, keys: memorySessionKeys(), sessionCookieName: 'session', flags });
      const req = new IncomingMessage(new Socket());
      const res = new ServerResponse(req);
      const startedAt = Math.floor(Date.now() / 1000) - startedSecondsAgo;
      const redirectUri = `${app.baseUrl}/callback`;
      const state = `state-${framework}-${startedSecondsAgo}`;
      const options = resolveOptions({ provider: world.authorizationServer.provider, baseUrl: app.baseUrl, secret: testSecret });
      const { registration } = await createProviders(options, { fetch, httpTimeoutSeconds: 5, clock: systemClock }).get(undefined);
      transactions.begin(req, res, { state, nonce: 'n', codeVerifier: 'v'.repeat(43), provider: 'default', registration, redirectUri, returnTo: `${app.baseUrl}/`, startedAt });
      browser.cookies.receive(String(res.getHeader('Set-Cookie')), new URL(app.baseUrl));
      return new URL(`${redirectUri}?${new URLSearchParams({ code: 'c', state, iss: world.authorizationServer.issuer }).toString()}`);
    };

    it('an expired one is unknown, with its cookie and all', async () => {
      const browser = createBrowser();
      const before = codeCalls();
      expectRefusal(await browser.get(await begin(601, browser), asPage), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      expect(codeCalls()).toBe(before);
      // The same, only younger, gets as far as the token endpoint.
      expectRefusal(await browser.get(await begin(590, browser), asPage), 'ERR_CODE_FLOW_CODE_REFUSED');
      expect(codeCalls()).toBe(before + 1);
    });

    it('a used one: refused with the same cookies, and without them; its own browser is led to the page, logged in or not', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const Cookie = browser.cookies.header(url)!;
      const before = codeCalls();
      expect((await browser.get(url, asPage)).status).toBe(303);
      for (const options of [asPage, asScript]) {
        expectRefusal(await createBrowser().get(url, { ...options, headers: { Cookie } }), 'ERR_CODE_FLOW_LOGIN_USED');
        expectRefusal(await createBrowser().get(url, options), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      }
      expect(codeCalls()).toBe(before + 1);
      const session = browser.cookies.get('session')!;
      browser.cookies.delete('session');
      expect((await browser.get(url, asPage)).headers.location).toBe(`${app.baseUrl}/private`);
      browser.cookies.set(session);
      expect(codeCalls()).toBe(before + 1);
      expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    });

    it('the back button after a login leads to the page again', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser, '/login?returnTo=/private%3Fpage%3D2');
      const before = codeCalls();
      for (const visit of ['first', 'back']) {
        const { status, headers, setCookies } = await browser.get(url, asPage);
        expect([status, headers.location]).toEqual([303, `${app.baseUrl}/private?page=2`]);
        expect(setCookies.some(isSession)).toBe(visit === 'first');
      }
      expect(codeCalls()).toBe(before + 1);
    });

    it('the same callback twice at once is one login', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const before = codeCalls();
      const answers = await Promise.all([browser.get(url, asPage), browser.get(url, asPage)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 400]);
      expect(codeCalls()).toBe(before + 1);
    });
  });

  describe('what the authorization server refuses', () => {
    it('FAULTS 26: access_denied, as it really comes', async () => {
      world.authorizationServer.settings.refuseLogin = 'access_denied';
      const calls = await expectRefused('ERR_CODE_FLOW_LOGIN_REFUSED', (browser) => toCallback(browser));
      expect(calls).toBe(0);
      world.authorizationServer.settings.refuseLogin = undefined;
      expect((await createBrowser().get(`${app.baseUrl}/private`)).status).toBe(200);
    });

    it('FAULTS 26: leaves an old session alone', async () => {
      const browser = await world.loggedIn(app);
      world.authorizationServer.settings.refuseLogin = 'access_denied';
      const url = await toCallback(browser, '/login?prompt=login');
      expectRefusal(await browser.get(url, asPage), 'ERR_CODE_FLOW_LOGIN_REFUSED');
      expect((await browser.get(`${app.baseUrl}/private`, asScript)).status).toBe(200);
    });

    it('an error without a state is nobody\'s', async () => {
      const calls = await expectRefused('ERR_CODE_FLOW_STATE_MISSING', async () => new URL(`${app.baseUrl}/callback?error=access_denied`));
      expect(calls).toBe(0);
    });

    it.each(['with a state of ours', 'with none'])('I1: nothing of its text gets into an answer, %s', async (which) => {
      const evil = '<script>alert(document.cookie)</script>';
      for (const options of [asPage, asScript]) {
        const browser = createBrowser();
        const url = changed(await toCallback(browser), (parameters) => {
          parameters.delete('code');
          parameters.set('error', evil);
          parameters.set('error_description', `${evil} call 555-0199 now`);
          parameters.set('error_uri', `javascript:${evil}`);
          if (which === 'with none') parameters.delete('state');
        });
        const answer = await browser.get(url, options);
        expectRefusal(answer, which === 'with none' ? 'ERR_CODE_FLOW_STATE_MISSING' : 'ERR_CODE_FLOW_LOGIN_REFUSED');
        const everything = `${JSON.stringify(answer.headers)} ${answer.text}`;
        for (const part of ['script', 'alert', '555-0199', url.searchParams.get('state') ?? 'alert']) expect(everything).not.toContain(part);
      }
    });

    it('a code that it does not know is told as such, after one token call', async () => {
      const calls = await expectRefused('ERR_CODE_FLOW_CODE_REFUSED', async (browser) =>
        changed(await toCallback(browser), (parameters) => parameters.set('code', 'not-a-code-of-this-server')),
      );
      expect(calls).toBe(1);
    });

    it('neither a code nor an error: nothing to redeem', async () => {
      const calls = await expectRefused('ERR_CODE_FLOW_CALLBACK_INVALID', async (browser) =>
        changed(await toCallback(browser), (parameters) => parameters.delete('code')),
      );
      expect(calls).toBe(0);
    });

    it.each<[string, (parameters: URLSearchParams) => void]>([
      ['another one', (parameters) => parameters.set('iss', 'https://evil.example')],
      ['with a slash too many', (parameters) => parameters.set('iss', `${parameters.get('iss')}/`)],
      ['none, though the server says that it names itself', (parameters) => parameters.delete('iss')],
    ])('A7: the issuer is %s', async (_name, change) => {
      const calls = await expectRefused('ERR_CODE_FLOW_ISSUER_MISMATCH', async (browser) => changed(await toCallback(browser), change));
      expect(calls).toBe(0);
    });
  });

  describe('what is no visit', () => {
    it('POST to the callback', async () => {
      const calls = await expectRefused('ERR_CODE_FLOW_CALLBACK_INVALID', toCallback, { method: 'POST', from: 'https://id.example', body: 'code=a&state=b' });
      expect(calls).toBe(0);
    });

    it('A10: a script that starts a login gets a problem and no cookie, fifty times over', async () => {
      const browser = createBrowser();
      const answers = await Promise.all(Array.from({ length: 50 }, () => browser.get(`${app.baseUrl}/login`, asScript)));
      for (const answer of answers) {
        expectRefusal(answer, 'ERR_CODE_FLOW_NOT_A_NAVIGATION');
        expect(answer.setCookies).toEqual([]);
      }
    });

    it.each(['HEAD', 'POST', 'PUT'])('%s to the login starts none', async (method) => {
      const { status, setCookies } = await createBrowser().request(`${app.baseUrl}/login`, { method, follow: false });
      expect([status, setCookies]).toEqual([400, []]);
    });

    it.each([
      ['image', 'no-cors'],
      ['iframe', 'navigate'],
      ['frame', 'navigate'],
      ['embed', 'navigate'],
      ['object', 'navigate'],
      ['fencedframe', 'navigate'],
      ['empty', 'cors'],
      ['script', 'no-cors'],
    ])('A10: an %s starts no login, wherever it stands', async (destination, mode) => {
      for (const from of ['https://evil.example', app.baseUrl]) {
        const headers = { 'Sec-Fetch-Dest': destination, 'Sec-Fetch-Mode': mode };
        const answer = await createBrowser().get(`${app.baseUrl}/login`, { follow: false, from, headers });
        expect([answer.status, answer.setCookies]).toEqual([400, []]);
        expect(answer.text).toContain('ERR_CODE_FLOW_NOT_A_NAVIGATION');
      }
    });

    it.each([
      ['Sec-Purpose', 'prefetch'],
      ['Sec-Purpose', 'prefetch;prerender'],
      ['Purpose', 'prefetch'],
      ['X-Moz', 'prefetch'],
    ])('a look ahead (%s: %s) neither starts nor uses up a login', async (name, value) => {
      const browser = createBrowser();
      const ahead = await browser.get(`${app.baseUrl}/login`, { follow: false, headers: { [name]: value } });
      expect([ahead.status, ahead.setCookies]).toEqual([503, []]);
      const url = await toCallback(browser);
      const before = codeCalls();
      const again = await browser.get(url, { follow: false, headers: { [name]: value } });
      expect([again.status, again.setCookies, codeCalls()]).toEqual([503, [], before]);
      expect((await browser.get(url)).url).toBe(`${app.baseUrl}/private`);
    });
  });

  describe('what a request cannot say', () => {
    const forged = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'ftp', 'X-Forwarded-Prefix': '/evil', Forwarded: 'host=evil.example;proto=ftp' };

    it('A15: where the app lives', async () => {
      const browser = createBrowser();
      const start = await browser.get(`${app.baseUrl}/login`, { follow: false, headers: forged });
      expect(new URL(start.headers.location!).searchParams.get('redirect_uri')).toBe(`${app.baseUrl}/callback`);
      const url = await toCallback(browser);
      // The server compares the address of the token request with that of the authorization request.
      const answer = await browser.get(url, { follow: false, headers: forged });
      expect([answer.status, answer.headers.location]).toEqual([303, `${app.baseUrl}/private`]);
      const refused = await browser.get(`${app.baseUrl}/callback?error=x`, { follow: false, headers: forged });
      expect(`${JSON.stringify(refused.headers)} ${refused.text}`).not.toContain('evil');
      const guard = await createBrowser().get(`${app.baseUrl}/private`, { follow: false, headers: forged });
      expect(guard.headers.location).toMatch(`${app.baseUrl}/login?returnTo=${encodeURIComponent(app.baseUrl)}`);
    });

    it('A16: the parameters of the protocol', async () => {
      const usual = new URL((await createBrowser().get(`${app.baseUrl}/login`, asPage)).headers.location!).searchParams;
      const query = new URLSearchParams({
        scope: 'admin', redirect_uri: 'https://evil.example/', client_id: 'evil', response_type: 'token', response_mode: 'fragment', state: 's', nonce: 'n',
        code_challenge: 'c', code_challenge_method: 'plain', request: 'r', request_uri: 'https://evil.example/r', resource: 'https://evil.example/', returnTo: '/x&scope=admin',
      });
      const { headers } = await createBrowser().get(`${app.baseUrl}/login?${query.toString()}&scope=admin&login_hint=a&login_hint=b`, asPage);
      const sent = new URL(headers.location!).searchParams;
      expect([...sent.keys()].sort()).toEqual([...usual.keys()].sort());
      for (const name of ['scope', 'redirect_uri', 'client_id', 'response_type', 'code_challenge_method']) expect(sent.getAll(name)).toEqual([usual.get(name)]);
      for (const name of ['state', 'nonce', 'code_challenge']) expect(sent.getAll(name).map((value) => value.length)).toEqual([43]);
    });

    it('A16: may say what the option loginParams lists', async () => {
      const { headers } = await createBrowser().get(`${app.baseUrl}/login?login_hint=bob&ui_locales=de&prompt=login&max_age=60&acr_values=gold`, asPage);
      const sent = Object.fromEntries(new URL(headers.location!).searchParams);
      expect(sent).toMatchObject({ login_hint: 'bob', ui_locales: 'de', prompt: 'login', max_age: '60', acr_values: 'gold' });
    });
  });

  describe('cookies that are not what they seem', () => {
    it('a login under way that was tampered with is unknown', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const before = codeCalls();
      const [cookie] = transactionsOf(browser);
      const { name, value } = cookie!;
      for (const forged of [otherwise(value), value.slice(0, -4), `${value}AAAA`, `Ag${value.slice(2)}`, '', '%', '{}', 'null']) {
        expectRefusal(await browser.get(url, { ...asPage, headers: { Cookie: `${name}=${forged}` } }), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      }
      expectRefusal(await browser.get(url, { ...asPage, headers: { Cookie: `${name}=${value}; ${name}=${value}` } }), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      expect(codeCalls()).toBe(before);
      expect((await browser.get(url)).status).toBe(200);
    });

    it('A5: one kind never opens as the other', async () => {
      const browser = createBrowser();
      const url = await toCallback(browser);
      const { name, value } = transactionsOf(browser)[0]!;
      const asSession = await createBrowser().get(`${app.baseUrl}/private`, { ...asScript, headers: { Cookie: `session=${value}` } });
      expect([asSession.status, asSession.setCookies]).toEqual([401, []]);
      const session = (await world.loggedIn(app)).cookies.get('session')!;
      const before = codeCalls();
      expectRefusal(await createBrowser().get(url, { ...asPage, headers: { Cookie: `${name}=${session.value}` } }), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      expect(codeCalls()).toBe(before);
    });

    it('A5: one login under way never opens under another\'s name', async () => {
      const browser = createBrowser();
      const first = await toCallback(browser);
      const [one] = transactionsOf(browser);
      await toCallback(browser);
      const other = transactionsOf(browser).find(({ name }) => name !== one!.name)!;
      expectRefusal(await browser.get(first, { ...asPage, headers: { Cookie: `${one!.name}=${other.value}` } }), 'ERR_CODE_FLOW_STATE_UNKNOWN');
    });
  });

  describe('a login over another', () => {
    it('of the same user keeps what it brought: the old refresh token is not revoked, which would take the new one along', async () => {
      world.authorizationServer.settings.accessTokenTtl = 1;
      const browser = await world.loggedIn(app);
      const grants = await world.redis.client().keys('ecf:g:*');
      const { revocations } = world.authorizationServer.counters;
      await browser.get(await toCallback(browser));
      expect(world.authorizationServer.counters.revocations).toBe(revocations);
      const { jti, exp } = (await browser.get(`${app.baseUrl}/api`, asScript)).json();
      await eventually(() => Date.now() / 1000 > exp);
      const renewed = await browser.get(`${app.baseUrl}/api`, asScript);
      expect([renewed.status, renewed.json().jti === jti]).toEqual([200, false]);
      const left = await world.redis.client().keys('ecf:g:*');
      expect([left.length, left.filter((key) => !grants.includes(key)).length]).toEqual([grants.length, 1]);
    });

    it('A17: of another user takes the first one\'s place, session, grant and all', async () => {
      const browser = await world.loggedIn(app);
      await browser.post(`${app.baseUrl}/session`, {}, asScript);
      const old = browser.cookies.get('session')!;
      const grants = await world.redis.client().keys('ecf:g:*');
      const { revocations } = world.authorizationServer.counters;
      const page = await browser.get(`${app.baseUrl}/login?prompt=login&login_hint=bob&returnTo=/private`);
      expect(page.json()).toMatchObject({ sub: 'bob' });
      expect((await browser.get(`${app.baseUrl}/session`, asScript)).json()).toEqual({});
      expect(browser.cookies.get('session')!.value).not.toBe(old.value);
      expect((await createBrowser().get(`${app.baseUrl}/private`, { ...asScript, headers: { Cookie: `session=${old.value}` } })).status).toBe(401);
      expect(world.authorizationServer.counters.revocations).toBe(revocations + 1);
      const left = await world.redis.client().keys('ecf:g:*');
      expect([left.length, left.filter((key) => !grants.includes(key)).length]).toEqual([grants.length, 1]);
    });
  });

  describe('A10: many tabs', () => {
    it('the sixth drops the oldest, and all together stay under 4 KB', async () => {
      const browser = createBrowser();
      const urls = [];
      for (let tab = 1; tab <= 6; tab += 1) urls.push(await toCallback(browser, `/login?returnTo=/private%3Ftab%3D${tab}`));
      const cookies = transactionsOf(browser);
      expect(cookies).toHaveLength(5);
      expect(cookies.reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThan(4096);
      expectRefusal(await browser.get(urls[0]!, asPage), 'ERR_CODE_FLOW_STATE_UNKNOWN');
      for (const [index, url] of urls.entries()) {
        if (index > 0) expect((await browser.get(url)).url).toBe(`${app.baseUrl}/private?tab=${index + 1}`);
      }
      // What is left says where they led, for the back button.
      expect(transactionsOf(browser).reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThan(1000);
      expect((await browser.get(urls[3]!)).url).toBe(`${app.baseUrl}/private?tab=4`);
      await browser.post(`${app.baseUrl}/logout`);
      expect(transactionsOf(browser)).toEqual([]);
    });

    it('long return paths leave room for fewer', async () => {
      const browser = createBrowser();
      const urls = [];
      for (let tab = 1; tab <= 4; tab += 1) urls.push(await toCallback(browser, `/login?returnTo=/private%3Fx%3D${'x'.repeat(1500)}`));
      expect(transactionsOf(browser).reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThan(4096);
      expect((await browser.get(urls.at(-1)!)).status).toBe(200);
    });
  });
});

const takeOut = (parameters: URLSearchParams, name: string): string => {
  const value = parameters.get(name) ?? '';
  parameters.delete(name);
  return value;
};

/** One character in the middle: the last bits of the last one may mean nothing. */
function otherwise(text: string): string {
  const middle = Math.floor(text.length / 2);
  return text.slice(0, middle) + (text[middle] === 'A' ? 'B' : 'A') + text.slice(middle + 1);
}

describe('a query that is too long', () => {
  let app: TestApp;
  let server: Server;
  let origin: string;
  // Node itself refuses request lines over 16 KB, unless told otherwise; plain node:http is a framework, too.
  beforeAll(async () => {
    app = await world.app();
    const onError = handleAuthErrors();
    server = createServer({ maxHeaderSize: 128 * 1024 }, (req, res) => app.auth(req, res, (error) => onError(error, req, res, () => res.writeHead(500).end())));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it.each(['code', 'state', 'anything'])('in %s is refused unread', async (name) => {
    const before = codeCalls();
    const answer = await createBrowser().get(`${origin}/callback?${name}=${'x'.repeat(20_000)}`, asScript);
    expect([answer.status, answer.json().code, codeCalls()]).toEqual([400, 'ERR_CODE_FLOW_CALLBACK_INVALID', before]);
  });

  it('is refused by Node otherwise', async () => {
    expect((await createBrowser().get(`${app.baseUrl}/callback?state=${'x'.repeat(20_000)}`, asScript)).status).toBe(431);
    expect((await createBrowser().get(`${app.baseUrl}/public`, asScript)).status).toBe(200);
  });
});

describe.each(frameworks)('an authorization server that lies, on %s', (framework) => {
  let liar: LyingServer;
  let app: TestApp;
  beforeEach(async () => {
    liar = await startLyingServer();
    app = await world.app(framework, { options: { provider: { issuer: liar.issuer, clientId: liar.clientId, clientSecret: liar.clientSecret } } });
  });
  afterEach(() => liar.close());

  async function login(options: RequestOptions): Promise<[Page, Browser]> {
    const browser = createBrowser();
    const start = await browser.get(`${app.baseUrl}/login`, asPage);
    const authorized = await browser.get(start.headers.location!, asPage);
    return [await browser.get(authorized.headers.location!, options), browser];
  }

  it('is believed as long as it does not', async () => {
    const [answer] = await login(asPage);
    expect([answer.status, liar.count('token')]).toEqual([303, 1]);
    expect(liar.last('token')!.body.get('redirect_uri')).toBe(`${app.baseUrl}/callback`);
    expect(liar.last('authorize')!.url.searchParams.get('redirect_uri')).toBe(`${app.baseUrl}/callback`);
  });

  it.each<[string, (server: LyingServer) => void]>([
    ['with another key\'s signature', (server) => (server.makeIdToken = async (claims) => withOtherSignature(await server.sign(claims)))],
    ['without a signature', (server) => (server.makeIdToken = (claims) => server.signByHand(claims, 'none'))],
    ['with our secret\'s signature', (server) => (server.makeIdToken = (claims) => server.signByHand(claims, 'HS256', server.clientSecret))],
    ['for another app', (server) => (server.makeIdToken = (claims) => server.sign({ ...claims, aud: 'other' }))],
    ['of another server', (server) => (server.makeIdToken = (claims) => server.sign({ ...claims, iss: 'https://evil.example' }))],
    ['for another login', (server) => (server.makeIdToken = (claims) => server.sign({ ...claims, nonce: 'other' }))],
    ['that is over', (server) => (server.makeIdToken = (claims) => server.sign({ ...claims, exp: 1 }))],
    ['that is missing', (server) => (server.changeTokenAnswer = ({ id_token: _, ...answer }) => answer)],
  ])('A14, D: an ID Token %s is no login', async (_name, lie) => {
    lie(liar);
    for (const [index, options] of [asPage, asScript].entries()) {
      const [answer, browser] = await login(options);
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('ERR_CODE_FLOW_ID_TOKEN_INVALID');
      expect(answer.text).toContain(`${app.baseUrl}/login`);
      expect([answer.setCookies.filter(isSession), liar.count('token')]).toEqual([[], index + 1]);
      for (const secret of liar.secrets) expect(answer.text + JSON.stringify(answer.headers)).not.toContain(secret);
      expect((await browser.get(`${app.baseUrl}/`, asScript)).json()).toEqual({ isAuthenticated: false });
    }
  });

  it.each<[string, (server: LyingServer) => void]>([
    ['no access token', (server) => (server.changeTokenAnswer = ({ access_token: _, ...answer }) => answer)],
    ['an error with status 200', (server) => (server.changeTokenAnswer = () => ({ error: 'invalid_grant' }))],
    ['another type of token', (server) => (server.changeTokenAnswer = (answer) => ({ ...answer, token_type: 'mac' }))],
    ['a line break in its token', (server) => (server.changeTokenAnswer = (answer) => ({ ...answer, access_token: 'a\r\nX-Evil: 1' }))],
  ])('A18: %s is a failure of the server, not a login', async (_name, lie) => {
    lie(liar);
    const [answer, browser] = await login(asPage);
    expect([answer.status, answer.setCookies.filter(isSession)]).toEqual([502, []]);
    expect(answer.text).toContain('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID');
    expect(answer.text).toContain(`href="${app.baseUrl}/login"`);
    expect((await browser.get(`${app.baseUrl}/`, asScript)).json()).toEqual({ isAuthenticated: false });
  });
});

const withOtherSignature = (jwt: string): string => jwt.replace(/[^.]+$/, otherwise);
