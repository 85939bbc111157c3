/** Where the token goes and where not, decided before any socket opens; with real servers: test/integration/oauth-fetch.test.ts. */
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from '@jest/globals';
import { AuthenticationRequiredError, ProviderError } from '../../lib/errors.js';
import type { TokenWish, UsableToken } from '../../lib/grants/grant.js';
import { createOAuthFetch, type OAuthFetch } from '../../lib/oauth-fetch.js';
import type { ResolvedApi } from '../../lib/types.js';
import { slowness } from '../support/machine.js';

const apiAt = (url: string, more: Partial<ResolvedApi> = {}): ResolvedApi => ({ url: new URL(url), resource: undefined, scope: undefined, provider: undefined, ...more });

interface Setup {
  oauthFetch: OAuthFetch;
  /** What was sent. */
  sent: { url: string; init: RequestInit; headers: Headers }[];
  /** What was asked of the token manager. */
  wishes: TokenWish[];
  /** The answers of the API, in order; then 200. */
  answers: Response[];
}

/** `accessToken` answers a new version at each call. */
function setUp(apis: readonly ResolvedApi[] = [apiAt('https://api.example.com/v1/')], refuse?: Error): Setup {
  const [sent, wishes, answers]: [Setup['sent'], TokenWish[], Response[]] = [[], [], []];
  const fakeFetch: typeof fetch = (input, init = {}) => {
    sent.push({ url: new Request(input).url, init, headers: new Headers(init.headers) });
    return Promise.resolve(answers.shift() ?? new Response('fine'));
  };
  const accessToken = async (wish: TokenWish): Promise<UsableToken> => {
    wishes.push(wish);
    if (refuse !== undefined) throw refuse;
    return { token: `token-${wishes.length}`, version: wishes.length };
  };
  return { oauthFetch: createOAuthFetch({ apis, fetch: fakeFetch, accessToken }), sent, wishes, answers };
}

const challenged = (challenge?: string, status = 401): Response =>
  new Response('refused', { status, headers: challenge === undefined ? {} : { 'WWW-Authenticate': challenge } });

const rejection = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'it was let through', (error: unknown) => error);

describe('F1: what is not listed gets neither a token nor a request', () => {
  const apis = [apiAt('https://api.example.com/v1/'), apiAt('https://other.example.com/'), apiAt('http://127.0.0.1:8080/local/')];

  it.each([
    ['another host', 'https://evil.example/v1/'],
    ['a host that begins like ours', 'https://api.example.com.evil.example/v1/'],
    ['a host that ends like ours', 'https://evilapi.example.com/v1/'],
    ['a host with a dot more', 'https://api.example.com./v1/'],
    ['ours as a user name', 'https://api.example.com@evil.example/v1/'],
    ['ours as a user name and password', 'https://api.example.com:443@evil.example/v1/'],
    ['a user name before ours', 'https://evil@api.example.com/v1/'],
    ['a password before ours', 'https://:evil@api.example.com/v1/'],
    ['backslashes', 'https:\\\\evil.example\\@api.example.com/v1/'],
    ['a downgrade', 'http://api.example.com/v1/'],
    ['an upgrade of another server', 'https://127.0.0.1:8080/local/'],
    ['another port', 'https://api.example.com:8443/v1/'],
    ['another loopback name', 'http://localhost:8080/local/'],
    ['a number for another host', 'https://3232235777/v1/'],
    ['another path', 'https://api.example.com/'],
    ['a path that begins like ours', 'https://api.example.com/v10/x'],
    ['a path in capitals', 'https://api.example.com/V1/x'],
    ['climbing', 'https://api.example.com/v1/../admin'],
    ['encoded climbing', 'https://api.example.com/v1/%2e%2e/admin'],
    ['an encoded slash', 'https://api.example.com/v1/..%2fadmin'],
    ['an encoded backslash', 'https://api.example.com/v1/..%5cadmin'],
    ['climbing encoded twice', 'https://api.example.com/v1/%252e%252e/admin'],
    ['climbing encoded three times', 'https://api.example.com/v1/%25252e%25252e%25252fadmin'],
    ['climbing with a path parameter', 'https://api.example.com/v1/..;/admin'],
    ['a script', 'javascript:alert(1)'],
    ['data', 'data:text/plain,x'],
    ['a file', 'file:///etc/passwd'],
    ['a blob of ours', 'blob:https://api.example.com/v1/'],
    ['a socket', 'wss://api.example.com/v1/'],
  ])('%s', async (_name, url) => {
    for (const input of [url, ...(URL.canParse(url) ? [new URL(url)] : [])]) {
      const { oauthFetch, sent, wishes } = setUp(apis);
      expect(await rejection(oauthFetch(input))).toMatchObject({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
      expect([sent, wishes]).toEqual([[], []]);
    }
  });

  it.each(['/v1/orders', '//evil.example/v1/', 'v1', '', 'https://', 'http://['])('what is no absolute URL: %j', async (url) => {
    const { oauthFetch, sent, wishes } = setUp(apis);
    expect(await rejection(oauthFetch(url))).toMatchObject({ name: 'TypeError' });
    expect([sent, wishes]).toEqual([[], []]);
  });

  it('everything, when nothing is listed; the message names the option and neither query nor path', async () => {
    const { oauthFetch, sent } = setUp([]);
    const error = await rejection(oauthFetch('https://api.example.com/secret-path?key=secret-key'));
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
    expect(String(error)).toContain('`apis`');
    expect(String(error)).not.toMatch(/secret-path|secret-key/);
    expect(sent).toEqual([]);
  });

  it('a URL that is changed while the token is fetched goes where it pointed first', async () => {
    const { oauthFetch, sent } = setUp(apis);
    const url = new URL('https://api.example.com/v1/orders');
    const call = oauthFetch(url);
    url.host = 'evil.example';
    await call;
    expect(sent.map((request) => request.url)).toEqual(['https://api.example.com/v1/orders']);
  });
});

describe('a listed API', () => {
  it.each(['https://api.example.com/v1/orders?x=1#y', 'https://api.example.com/v1', 'https://API.example.com:443/v1/', 'https://api.example.com/x/../v1/a%2Fb'])(
    'gets the token in a header and nowhere else: %s',
    async (url) => {
      for (const input of [url, new URL(url), new Request(url)]) {
        const { oauthFetch, sent } = setUp();
        const answer = await oauthFetch(input);
        expect(answer).toBeInstanceOf(Response);
        expect([answer.status, await answer.text()]).toEqual([200, 'fine']);
        expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer token-1']);
        expect(sent[0]!.url).not.toContain('token'); // F8
        expect(sent[0]!.init.redirect).toBe('manual'); // F2
      }
    },
  );

  it('gets method, headers, body and the rest as the caller said', async () => {
    const { oauthFetch, sent } = setUp();
    const { signal } = new AbortController();
    await oauthFetch('https://api.example.com/v1/', { method: 'PUT', headers: { 'X-Trace': '1' }, body: 'b', signal, keepalive: true });
    expect(sent[0]!.init).toMatchObject({ method: 'PUT', body: 'b', signal, keepalive: true });
    expect(sent[0]!.headers.get('x-trace')).toBe('1');
  });

  it('gets what a Request says, unless init says otherwise', async () => {
    const { oauthFetch, sent } = setUp();
    const request = new Request('https://api.example.com/v1/', { method: 'POST', headers: { 'X-From': 'request', 'Content-Type': 'text/plain' }, body: 'from the request' });
    await oauthFetch(request);
    expect([sent[0]!.init.method, sent[0]!.headers.get('x-from'), sent[0]!.headers.get('content-type')]).toEqual(['POST', 'request', 'text/plain']);
    expect(await new Response(sent[0]!.init.body).text()).toBe('from the request');
    await oauthFetch(new Request('https://api.example.com/v1/', { method: 'POST', body: 'a' }), { method: 'PATCH', headers: { 'X-From': 'init' }, body: 'from init' });
    expect([sent[1]!.init.method, sent[1]!.headers.get('x-from'), sent[1]!.init.body]).toEqual(['PATCH', 'init', 'from init']);
  });

  it('is asked for with its own resource and scope', async () => {
    const api = { resource: 'https://orders.example.com', scope: 'orders:read' };
    const { oauthFetch, wishes } = setUp([apiAt('https://api.example.com/v1/'), apiAt('https://api.example.com/v1/orders/', api)]);
    await oauthFetch('https://api.example.com/v1/orders/7');
    await oauthFetch('https://api.example.com/v1/other');
    expect(wishes).toMatchObject([api, { resource: undefined, scope: undefined }]);
  });
});

describe('F4: without a token there is no request', () => {
  it.each([
    new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', 'x'),
    new ProviderError('ERR_CODE_FLOW_TOKEN_UNAVAILABLE', 503, 'x', { retryAfterSeconds: 7 }),
  ])('but the error itself: $code', async (error) => {
    const { oauthFetch, sent } = setUp(undefined, error);
    expect(await rejection(oauthFetch('https://api.example.com/v1/'))).toBe(error);
    expect(sent).toEqual([]);
  });
});

describe('F5: the caller\'s own Authorization is refused', () => {
  const forms: [string, Parameters<OAuthFetch>][] = [
    ['a plain object', ['https://api.example.com/v1/', { headers: { Authorization: 'Bearer mine' } }]],
    ['capitals', ['https://api.example.com/v1/', { headers: { AUTHORIZATION: 'Bearer mine' } }]],
    ['an empty one', ['https://api.example.com/v1/', { headers: { authorization: '' } }]],
    ['pairs', ['https://api.example.com/v1/', { headers: [['authorization', 'Bearer mine']] }]],
    ['Headers', ['https://api.example.com/v1/', { headers: new Headers({ authorization: 'Bearer mine' }) }]],
    ['a Request', [new Request('https://api.example.com/v1/', { headers: { authorization: 'Bearer mine' } })]],
    ['a Request and init', [new Request('https://api.example.com/v1/'), { headers: { authorization: 'Bearer mine' } }]],
  ];
  it.each(forms)('as %s', async (_name, call) => {
    const { oauthFetch, sent, wishes } = setUp();
    const error = await rejection(oauthFetch(...call));
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_AUTHORIZATION_HEADER' });
    expect(String(error)).not.toContain('mine');
    expect([sent, wishes]).toEqual([[], []]);
  });
});

describe('F6: a 401 of the API', () => {
  const url = 'https://api.example.com/v1/';

  it.each([
    ['invalid_token', 'Bearer error="invalid_token"'],
    ['invalid_token without quotes', 'Bearer error=invalid_token'],
    ['invalid_token with a realm and a description', 'Bearer realm="a, Basic b", error="invalid_token", error_description="The token, it expired"'],
    ['a bare challenge', 'Bearer'],
    ['a challenge with a realm alone', 'Bearer realm="api"'],
    ['one of several challenges', 'Negotiate, Bearer error="invalid_token"'],
    ['no challenge at all', undefined],
    ['parameters without a scheme (lemonldap-ng)', 'error="invalid_token",error_description="Invalid request"'],
    ['a realm without a scheme', 'realm="api"'],
    ['the scheme of Salesforce', 'Token'],
  ])('forces one refresh, which names the refused version, and one retry: %s', async (_name, challenge) => {
    const { oauthFetch, sent, wishes, answers } = setUp();
    answers.push(challenged(challenge));
    expect((await oauthFetch(url)).status).toBe(200);
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer token-1', 'Bearer token-2']);
    expect(wishes.map(({ refusedVersion }) => refusedVersion)).toEqual([undefined, 1]);
  });

  it('twice goes to the caller, as it came', async () => {
    const { oauthFetch, sent, wishes, answers } = setUp();
    answers.push(challenged('Bearer error="invalid_token"'), challenged('Bearer error="invalid_token"'));
    const answer = await oauthFetch(url);
    expect([answer.status, await answer.text()]).toEqual([401, 'refused']);
    expect([sent.length, wishes.length]).toEqual([2, 2]);
  });

  it.each([
    ['insufficient_scope', 401, 'Bearer error="insufficient_scope", scope="admin"'],
    ['insufficient_scope, as it should be', 403, 'Bearer error="insufficient_scope", scope="admin"'],
    ['invalid_token with another status', 403, 'Bearer error="invalid_token"'],
    ['invalid_request', 401, 'Bearer error="invalid_request"'],
    ['another scheme', 401, 'Basic realm="x"'],
    ['another scheme with a parameter of that name', 401, 'Digest realm="x", token="y"'],
    ['insufficient_scope without a scheme', 401, 'error="insufficient_scope"'],
    ['another scheme that speaks of bearers', 401, 'Basic realm="bearer"'],
    ['a bad request', 400, 'Bearer error="invalid_token"'],
    ['a failure', 500, 'Bearer error="invalid_token"'],
  ])('or another answer goes to the caller without a refresh: %s', async (_name, status, challenge) => {
    const { oauthFetch, sent, wishes, answers } = setUp();
    answers.push(challenged(challenge, status));
    const answer = await oauthFetch(url);
    expect([answer.status, answer.headers.get('www-authenticate'), await answer.text()]).toEqual([status, challenge, 'refused']);
    expect([sent.length, wishes.length]).toEqual([1, 1]);
  });

  it('when there is no newer token: the error of the refresh', async () => {
    const { answers, sent } = setUp();
    answers.push(challenged());
    const unavailable = new ProviderError('ERR_CODE_FLOW_TOKEN_UNAVAILABLE', 503, 'x');
    const oauthFetch = createOAuthFetch({
      apis: [apiAt(url)],
      fetch: () => Promise.resolve(answers.shift()!),
      accessToken: ({ refusedVersion }) => (refusedVersion === undefined ? Promise.resolve({ token: 't', version: 1 }) : Promise.reject(unavailable)),
    });
    expect(await rejection(oauthFetch(url))).toBe(unavailable);
    expect(sent).toEqual([]);
  });

  const form = new FormData();
  form.set('name', 'value');
  it.each<[string, NonNullable<RequestInit['body']>]>([
    ['text', 'text'],
    ['bytes', Buffer.from('bytes')],
    ['an array of bytes', new Uint8Array([1, 2, 3])],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
    ['URLSearchParams', new URLSearchParams({ a: 'b' })],
    ['FormData', form],
    ['a Blob', new Blob(['blob'])],
  ])('sends the body again: %s', async (_name, body) => {
    const { oauthFetch, sent, answers } = setUp();
    answers.push(challenged('Bearer error="invalid_token"'));
    expect((await oauthFetch(url, { method: 'POST', body })).status).toBe(200);
    expect(sent.map(({ init }) => init.body)).toEqual([body, body]);
  });

  it.each<[string, () => Parameters<OAuthFetch>]>([
    ['a stream', () => [url, { method: 'POST', body: new ReadableStream() as NonNullable<RequestInit['body']> }]],
    ['something read piece by piece', () => [url, { method: 'POST', body: pieces() as unknown as NonNullable<RequestInit['body']> }]],
    ['a Request with a body', () => [new Request(url, { method: 'POST', body: 'x' })]],
  ])('goes to the caller untouched when the body is spent: %s', async (_name, call) => {
    const { oauthFetch, sent, wishes, answers } = setUp();
    answers.push(challenged('Bearer error="invalid_token"'));
    const answer = await oauthFetch(...call());
    expect([answer.status, answer.bodyUsed, await answer.text()]).toEqual([401, false, 'refused']);
    expect([sent.length, wishes.length]).toEqual([1, 1]);
  });
});

async function* pieces(): AsyncGenerator<Buffer> {
  yield Buffer.from('a');
}

describe('insufficient_user_authentication (RFC 9470 §3)', () => {
  it.each<[string, string, object]>([
    ['acr and age', 'Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="60"', { acrValues: ['gold', 'silver'], maxAgeSeconds: 60 }],
    ['acr alone', 'Bearer error="insufficient_user_authentication", error_description="x", acr_values="gold"', { acrValues: ['gold'] }],
    ['age alone, without quotes', 'Bearer error=insufficient_user_authentication, max_age=0', { maxAgeSeconds: 0 }],
    ['an age that is none', 'Bearer error="insufficient_user_authentication", max_age="-5"', {}],
    ['nothing more', 'Bearer error="insufficient_user_authentication"', {}],
  ])('asks for a step-up, not for a refresh: %s', async (_name, challenge, stepUp) => {
    const { oauthFetch, sent, wishes, answers } = setUp();
    answers.push(challenged(challenge));
    const error = await rejection(oauthFetch('https://api.example.com/v1/'));
    expect(error).toMatchObject({ name: 'AuthenticationRequiredError', code: 'ERR_CODE_FLOW_STEP_UP_REQUIRED', status: 401 });
    expect((error as AuthenticationRequiredError).stepUp).toEqual(stepUp);
    expect([sent.length, wishes.length]).toEqual([1, 1]);
  });
});

describe('F11: the caller\'s signal', () => {
  it('goes to the token manager and to the request, from init or from a Request', async () => {
    const { oauthFetch, sent, wishes } = setUp();
    const { signal } = new AbortController();
    await oauthFetch('https://api.example.com/v1/', { signal });
    expect([wishes[0]!.signal, sent[0]!.init.signal]).toEqual([signal, signal]);
    const controller = new AbortController();
    const request = new Request('https://api.example.com/v1/', { signal: controller.signal });
    await oauthFetch(request);
    expect(wishes[1]!.signal).toBe(request.signal);
  });
});

describe('J8: a challenge that takes long to read', () => {
  it.each([
    ['many quotes', `Bearer ${'a="b",'.repeat(150_000)}`],
    ['many spaces', `Bearer${' '.repeat(1_000_000 / slowness)}error`],
    ['many bearers', 'bearer,'.repeat(150_000 / slowness)],
    ['many commas', ','.repeat(1_000_000 / slowness)],
    ['an open quote', `Bearer error="${'x'.repeat(1_000_000 / slowness)}`],
  ])('does not: %s', async (_name, challenge) => {
    const { oauthFetch, answers } = setUp();
    answers.push(challenged(challenge));
    const start = performance.now();
    await oauthFetch('https://api.example.com/v1/');
    expect(performance.now() - start).toBeLessThan(200);
  });
});
