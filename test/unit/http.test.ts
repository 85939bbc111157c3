/** Answers on the wire, and what a request says about its sender. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, IncomingMessage, request as httpRequest, ServerResponse } from 'node:http';
import { Socket, type AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { appendSetCookie, isNavigation, isPrefetch, redirect, refusePrefetch, sendPage, sendProblem, varyByCookie } from '../../lib/http.js';
import { customPage, errorPage, logoutPage } from '../../lib/pages.js';
import type { Request, Response } from '../../lib/types.js';

const details = {
  status: 403,
  code: 'ERR_CODE_FLOW_SCOPE_MISSING',
  title: 'No access',
  detail: 'Not for you.',
  correlationId: 'id-1',
} as const;

/** What a browser gets when a handler runs these lines. */
const get = (handler: (res: Response) => void) => supertest(createServer((_req, res) => handler(res))).get('/');

const request = (headers: Record<string, string>, method = 'GET'): Request => ({ method, headers }) as unknown as Request;

const ours: Record<string, (res: Response) => void> = {
  redirect: (res) => redirect(res, 'https://app.example.com/'),
  problem: (res) => sendProblem(res, { status: 401, code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' }),
  page: (res) => sendPage(res, 403, errorPage(details)),
  'own page': (res) => sendPage(res, 403, customPage('<p>own</p>')),
  'logout page': (res) => sendPage(res, 200, logoutPage({ logoutUrl: 'https://app.example.com/logout', stayUrl: 'https://app.example.com/' })),
  'refused prefetch': (res) => refusePrefetch(res),
};

describe.each(Object.entries(ours))('every answer of ours: %s', (name, handler) => {
  it('is not stored, not sniffed, not framed, and differs by cookie', async () => {
    const { headers } = await get(handler);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Cookie', 'x-content-type-options': 'nosniff' });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['referrer-policy']).toBe(name === 'logout page' ? 'same-origin' : 'no-referrer');
    expect(headers['set-cookie']).toBeUndefined();
  });

  it('has no body for HEAD', async () => {
    const server = createServer((_req, res) => handler(res));
    const got = await supertest(server).get('/').redirects(0);
    const head = await supertest(server).head('/').redirects(0);
    expect([head.status, head.text]).toEqual([got.status, undefined]);
    expect(head.headers['content-length']).toBe(got.headers['content-length']);
  });

  it('forgets what the app had said about a body of its own', async () => {
    const { headers } = await get((res) => {
      res.setHeader('Content-Length', 999_999);
      res.setHeader('Content-Encoding', 'br');
      res.setHeader('ETag', '"1"');
      res.setHeader('Cache-Control', 'public, max-age=3600');
      handler(res);
    });
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).not.toHaveProperty('etag');
    expect(headers['cache-control']).toBe('no-store');
  });

  it('keeps out when another answer is on its way', async () => {
    const { status, text, headers } = await get((res) => {
      res.writeHead(200, { 'Content-Type': 'text/plain' });
      res.write('begun, ');
      handler(res);
      res.end('and done');
    });
    expect([status, text, headers.location]).toEqual([200, 'begun, and done', undefined]);
  });
});

describe('redirect', () => {
  it('answers 303, or 302, with the parsed address and an empty body (THREATS B3)', async () => {
    const { status, headers, text } = await get((res) => redirect(res, 'https://app.example.com/"><script>ü'));
    expect([status, text]).toEqual([303, '']);
    expect(headers.location).toBe('https://app.example.com/%22%3E%3Cscript%3E%C3%BC');
    expect((await get((res) => redirect(res, new URL('https://app.example.com'), 302))).status).toBe(302);
  });

  it.each(['/page', '//evil.example', '', 'page'])('refuses the relative %j', (location) => {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    expect(() => redirect(res, location)).toThrow('Invalid URL');
    expect(res.headersSent).toBe(false);
  });

  it('sends no line break', async () => {
    const { headers } = await get((res) => redirect(res, 'https://app.example.com/\r\nSet-Cookie: a=b'));
    expect(headers.location).toBe('https://app.example.com/Set-Cookie:%20a=b');
  });
});

describe('sendProblem', () => {
  it('is RFC 9457, with a code for programs and an id for the log', async () => {
    const { status, headers, text } = await get((res) =>
      sendProblem(res, { status: 503, code: 'ERR_CODE_FLOW_STORE_TIMEOUT', detail: 'Later.', login: 'https://app.example.com/login', retryAfterSeconds: 1.2 }),
    );
    expect(status).toBe(503);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['retry-after']).toBe('2');
    expect(JSON.parse(text)).toEqual({
      title: 'Service Unavailable',
      status: 503,
      code: 'ERR_CODE_FLOW_STORE_TIMEOUT',
      detail: 'Later.',
      login: 'https://app.example.com/login',
      correlationId: headers['x-request-id'],
    });
  });

  it.each([[0, '1'], [undefined, undefined], [Number.NaN, undefined], [Infinity, undefined], [-3, '1']])('Retry-After for %s is %s', async (retryAfterSeconds, expected) => {
    const { headers } = await get((res) => sendProblem(res, { status: 503, code: 'ERR_CODE_FLOW_STORE_TIMEOUT', retryAfterSeconds }));
    expect(headers['retry-after']).toBe(expected);
  });

  it("uses the app's request id if it is harmless, and a new one otherwise", async () => {
    const withId = (id: string) => get((res) => {
      res.setHeader('X-Request-Id', id);
      sendProblem(res, { status: 401, code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    });
    expect(JSON.parse((await withId('req-7.a')).text).correlationId).toBe('req-7.a');
    const { text, headers } = await withId('<script>');
    expect(text).not.toContain('script');
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('pages', () => {
  it('escape every word, and name the status, the code and the id', () => {
    const { html } = errorPage({ ...details, title: '<b>"&\'', detail: '<script>alert(1)</script>', correlationId: '<i>', action: { url: 'https://x/?a=1&b="', label: '<u>' } });
    expect(html).not.toMatch(/<(b|script|i|u)>/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).toContain('href="https://x/?a=1&amp;b=&quot;"');
    expect(html).toContain('403 · ERR_CODE_FLOW_SCOPE_MISSING');
  });

  it.each([
    ['error page', errorPage(details)],
    ['logout page', logoutPage({ logoutUrl: 'https://app.example.com/logout', stayUrl: 'https://app.example.com/' })],
  ])('the one style of the %s is allowed by its hash, and nothing else is', (_, { html, contentSecurityPolicy }) => {
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(html) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(contentSecurityPolicy).toContain(`default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'`);
    expect(html).not.toMatch(/<script|<link|<img|style=|https?:\/\/(?!app\.example\.com)/);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html).toContain('width=device-width');
    expect(style).toContain('prefers-color-scheme:dark');
  });

  it('an error page posts nothing; the logout form may be redirected to the authorization server', () => {
    expect(errorPage(details).contentSecurityPolicy).toContain("form-action 'none'");
    const { html, contentSecurityPolicy } = logoutPage({ logoutUrl: 'https://app.example.com/logout?a=1&b=2', stayUrl: 'https://app.example.com/' });
    expect(contentSecurityPolicy).not.toContain('form-action');
    expect(html).toContain('<form method="post" action="https://app.example.com/logout?a=1&amp;b=2">');
  });
});

describe('Vary and Set-Cookie', () => {
  it.each([[undefined, 'Cookie'], ['Accept', 'Accept, Cookie'], ['accept-encoding, cookie', 'accept-encoding, cookie'], ['*', '*']])('Vary %s becomes %s', async (before, after) => {
    const { headers } = await get((res) => {
      if (before !== undefined) res.setHeader('Vary', before);
      varyByCookie(res);
      res.end();
    });
    expect(headers.vary).toBe(after);
  });

  it('a cookie is added to those that are there', async () => {
    const { headers } = await get((res) => {
      res.setHeader('Set-Cookie', 'a=1');
      appendSetCookie(res, 'b=2');
      appendSetCookie(res, 'c=3');
      res.end();
    });
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2', 'c=3']);
  });
});

describe('isNavigation', () => {
  const html = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  it.each<[boolean, string, Record<string, string>]>([
    [true, 'GET', { 'sec-fetch-mode': 'navigate' }],
    [true, 'POST', { 'sec-fetch-mode': 'navigate' }],
    [true, 'GET', { 'sec-fetch-mode': 'navigate', accept: '*/*' }],
    [false, 'GET', { 'sec-fetch-mode': 'cors', accept: html }],
    [false, 'GET', { 'sec-fetch-mode': 'no-cors', accept: html }],
    [false, 'GET', { 'sec-fetch-mode': 'navigate, cors', accept: html }],
    [false, 'GET', { 'sec-fetch-site': 'same-origin', accept: html }],
    [false, 'GET', { 'sec-fetch-dest': 'image', accept: html }],
    [true, 'GET', { accept: html }],
    [true, 'GET', { accept: 'application/json;q=0.2, TEXT/HTML ;q=0.1' }],
    [false, 'POST', { accept: html }],
    [false, 'HEAD', { accept: html }],
    [false, 'GET', { accept: '*/*' }], // fetch()
    [false, 'GET', { accept: 'text/*' }],
    [false, 'GET', { accept: 'text/html;q=0' }],
    [false, 'GET', { accept: 'text/html;level=1;q=0.000' }],
    [false, 'GET', { accept: 'application/json' }],
    [false, 'GET', { accept: 'application/text/html' }],
    [false, 'GET', {}],
  ])('%s: %s %j', (expected, method, headers) => {
    expect(isNavigation(request(headers, method))).toBe(expected);
  });

  it('a repeated header as Node delivers it is no navigation', async () => {
    const server = createServer((req, res) => res.end(String(isNavigation(req)))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = httpRequest({ port, host: '127.0.0.1', headers: { 'Sec-Fetch-Mode': ['navigate', 'cors'], Accept: 'text/html' } }).end();
    const [res] = (await once(sent, 'response')) as [IncomingMessage];
    expect(await textOf(res)).toBe('false');
    server.close();
  });
});

describe('isPrefetch', () => {
  it.each<[boolean, Record<string, string>]>([
    [true, { 'sec-purpose': 'prefetch' }],
    [true, { 'sec-purpose': 'prefetch;prerender' }],
    [true, { 'sec-purpose': 'prefetch;anonymous-client-ip' }],
    [true, { purpose: 'prefetch' }],
    [true, { 'x-moz': 'prefetch' }],
    [true, { 'x-purpose': 'preview' }],
    [false, { 'sec-purpose': '' }],
    [false, { accept: 'prefetch' }],
    [false, {}],
  ])('%s: %j', (expected, headers) => {
    expect(isPrefetch(request(headers))).toBe(expected);
  });
});
