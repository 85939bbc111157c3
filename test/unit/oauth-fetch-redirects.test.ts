/** F2, F3: where `oauthFetch` goes when an API redirects, and with what (Fetch standard, HTTP-redirect fetch). With real servers: test/integration/oauth-fetch.test.ts. */
import { describe, expect, it } from '@jest/globals';
import { createOAuthFetch, type OAuthFetch } from '../../lib/oauth-fetch.js';

const start = 'https://api.example.com/v1/start';
const listed = ['https://api.example.com/v1/', 'https://other.example.com/'];

interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

function setUp(...answers: Response[]): { oauthFetch: OAuthFetch; sent: Sent[] } {
  const sent: Sent[] = [];
  const fakeFetch: typeof fetch = async (input, { method = '', headers, body, redirect } = {}) => {
    expect(redirect).toBe('manual'); // nobody but us follows
    sent.push({ url: new Request(input).url, method, headers: Object.fromEntries(new Headers(headers)), body });
    return answers.shift() ?? new Response('arrived');
  };
  const apis = listed.map((url) => ({ url: new URL(url), resource: undefined, scope: undefined, provider: undefined }));
  return { oauthFetch: createOAuthFetch({ apis, fetch: fakeFetch, accessToken: async () => ({ token: `token-${sent.length + 1}`, version: 1 }) }), sent };
}

const to = (location: string, status = 302, body: string | null = 'moved'): Response => new Response(body, { status, headers: { location } });

describe('F2: a redirect', () => {
  it.each([undefined, {}, { redirect: 'manual' }] as const)('is handed back where the caller says %j', async (init) => {
    const { oauthFetch, sent } = setUp(to('/v1/next'));
    const answer = await oauthFetch(start, init);
    expect([answer.status, await answer.text(), sent.length]).toEqual([302, 'moved', 1]);
  });

  it('is handed back where only a Request says `follow`, which it does unless told otherwise', async () => {
    const { oauthFetch, sent } = setUp(to('/v1/next'));
    expect([(await oauthFetch(new Request(start, { redirect: 'follow' }))).status, sent.length]).toEqual([302, 1]);
  });

  it('is an error where the caller says so, and its body is let go', async () => {
    const moved = to('/v1/next');
    const { oauthFetch, sent } = setUp(moved);
    await expect(oauthFetch(start, { redirect: 'error' })).rejects.toThrow('`redirect` is `error`');
    expect([sent.length, moved.bodyUsed]).toEqual([1, true]);
  });

  it.each([['no body', null], ['a body', 'moved']])('is followed on the caller\'s word, with %s', async (_, body) => {
    const { oauthFetch, sent } = setUp(to('next?a=b', 302, body));
    const answer = await oauthFetch(start, { redirect: 'follow' });
    expect(await answer.text()).toBe('arrived');
    expect(sent.map(({ url, headers }) => [url, headers['authorization']])).toEqual([
      [start, 'Bearer token-1'],
      ['https://api.example.com/v1/next?a=b', 'Bearer token-2'],
    ]);
  });

  it.each(['https://evil.example/', 'https://api.example.com/v2/', 'http://api.example.com/v1/', '//evil.example/v1/'])('to %s sends nothing there', async (location) => {
    const { oauthFetch, sent } = setUp(to(location));
    await expect(oauthFetch(start, { redirect: 'follow' })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_API_NOT_LISTED' });
    expect(sent).toHaveLength(1);
  });

  it.each([200, 201, 300, 304, 305])('is none with %i, whatever its Location says', async (status) => {
    const { oauthFetch, sent } = setUp(to('/v1/next', status, status === 304 ? null : 'moved'));
    expect([(await oauthFetch(start, { redirect: 'follow' })).status, sent.length]).toEqual([status, 1]);
  });

  it('without a Location, or with one that is none, is handed back', async () => {
    for (const answer of [new Response('', { status: 302 }), to('https://[')]) {
      const { oauthFetch, sent } = setUp(answer);
      expect([(await oauthFetch(start, { redirect: 'follow' })).status, sent.length]).toEqual([302, 1]);
    }
  });

  it('is followed twenty times and no more', async () => {
    const twenty = setUp(...Array.from({ length: 20 }, () => to('/v1/again')));
    expect((await twenty.oauthFetch(start, { redirect: 'follow' })).status).toBe(200);
    const more = setUp(...Array.from({ length: 30 }, () => to('/v1/again')));
    await expect(more.oauthFetch(start, { redirect: 'follow' })).rejects.toThrow('too many redirects');
    expect([twenty.sent.length, more.sent.length]).toEqual([21, 21]);
  });
});

describe('F2: the next request', () => {
  const headers = { 'Content-Type': 'text/plain', 'Content-Language': 'en', Accept: 'text/html' };

  it.each([
    [301, 'POST', 'GET'], [302, 'POST', 'GET'], [303, 'POST', 'GET'], [307, 'POST', 'POST'], [308, 'POST', 'POST'],
    [301, 'PUT', 'PUT'], [302, 'PUT', 'PUT'], [303, 'PUT', 'GET'], [307, 'PUT', 'PUT'], [308, 'DELETE', 'DELETE'],
  ])('after %i to a %s is a %s, with its body or without both', async (status, method, next) => {
    const { oauthFetch, sent } = setUp(to('/v1/next', status));
    await oauthFetch(start, { method, body: 'content', headers, redirect: 'follow' });
    const keeps = next === method;
    expect(sent[1]).toMatchObject({ method: next, body: keeps ? 'content' : undefined });
    expect(sent[1]!.headers).toEqual({ accept: 'text/html', authorization: 'Bearer token-2', ...(keeps ? { 'content-type': 'text/plain', 'content-language': 'en' } : {}) });
  });

  it.each([301, 302, 303, 307, 308])('after %i to a HEAD is a HEAD', async (status) => {
    const { oauthFetch, sent } = setUp(to('/v1/next', status));
    await oauthFetch(start, { method: 'HEAD', redirect: 'follow' });
    expect(sent[1]!.method).toBe('HEAD');
  });

  it('cannot have a stream\'s content a second time, but does without it', async () => {
    const stream = (): RequestInit => ({ method: 'POST', body: new Blob(['content']).stream() as never, redirect: 'follow' });
    const kept = setUp(to('/v1/next', 307));
    await expect(kept.oauthFetch(start, stream())).rejects.toThrow('a stream body cannot follow a redirect');
    const dropped = setUp(to('/v1/next', 303));
    expect((await dropped.oauthFetch(start, stream())).status).toBe(200);
    expect([kept.sent.length, dropped.sent.length]).toEqual([1, 2]);
  });

  it('F3: carries the caller\'s own headers on within one origin, and only harmless ones to another', async () => {
    const secret = { 'X-Api-Key': 'k', Cookie: 'c', DPoP: 'd', Accept: 'text/plain', 'Accept-Language': 'de', 'Content-Type': 'text/csv' };
    const harmless = { accept: 'text/plain', 'accept-language': 'de', 'content-type': 'text/csv' };
    for (const [location, expected] of [
      ['/v1/next', { ...harmless, 'x-api-key': 'k', cookie: 'c', dpop: 'd' }],
      ['https://other.example.com/', harmless],
    ] as const) {
      const { oauthFetch, sent } = setUp(to(location, 307));
      await oauthFetch(start, { method: 'POST', body: 'a,b', headers: secret, redirect: 'follow' });
      expect(sent[1]!.headers).toEqual({ ...expected, authorization: 'Bearer token-2' });
    }
  });
});
