/** Requests that another site made the browser send (THREATS G6, H3). */
import { describe, expect, it } from '@jest/globals';
import { crossOriginRefusal, handshakeRefusal } from '../../../lib/guards/cross-origin.js';
import type { Request } from '../../../lib/types.js';
import { optionsWith } from './support.js';

const trusted = 'https://trusted.example';
const options = optionsWith({ baseUrl: 'https://example.com/shop', trustedOrigins: [trusted] });

const refused = (headers: Record<string, string>, method = 'POST'): boolean =>
  crossOriginRefusal({ method, headers: { host: 'example.com', ...headers } } as unknown as Request, options) !== undefined;

/** What Go's table leaves empty is not sent. */
const headersOf = (site: string, origin: string): Record<string, string> => ({
  ...(site === '' ? {} : { 'sec-fetch-site': site }),
  ...(origin === '' ? {} : { origin }),
});

const allowed = false;
const forbidden = true;

/** The cases of net/http/csrf_test.go (Go 1.25), which calls to https://example.com. Bypassed paths and another answer than 403 have no counterpart here. */
describe("G6: as Go's CrossOriginProtection", () => {
  it.each([
    ['same-origin allowed', 'POST', 'same-origin', '', allowed],
    ['none allowed', 'POST', 'none', '', allowed],
    ['cross-site blocked', 'POST', 'cross-site', '', forbidden],
    ['same-site blocked', 'POST', 'same-site', '', forbidden],
    ['no header with no origin', 'POST', '', '', allowed],
    ['no header with matching origin', 'POST', '', 'https://example.com', allowed],
    ['no header with mismatched origin', 'POST', '', 'https://attacker.example', forbidden],
    ['no header with null origin', 'POST', '', 'null', forbidden],
    ['GET allowed', 'GET', 'cross-site', '', allowed],
    ['HEAD allowed', 'HEAD', 'cross-site', '', allowed],
    ['OPTIONS allowed', 'OPTIONS', 'cross-site', '', allowed],
    ['PUT blocked', 'PUT', 'cross-site', '', forbidden],
    ['trusted origin without sec-fetch-site', 'POST', '', trusted, allowed],
    ['trusted origin with cross-site', 'POST', 'cross-site', trusted, allowed],
    ['untrusted origin without sec-fetch-site', 'POST', '', 'https://attacker.example', forbidden],
    ['untrusted origin with cross-site', 'POST', 'cross-site', 'https://attacker.example', forbidden],
  ])('%s', (_name, method, site, origin, expected) => {
    expect(refused(headersOf(site, origin), method)).toBe(expected);
  });

  it.each<[string, Record<string, string>, { go: boolean; ours: boolean }]>([
    ['http on our name, where Go cannot see the scheme of Host', { origin: 'http://example.com' }, { go: allowed, ours: forbidden }],
    ['a Host that is not ours, with its own Origin: a name that leads here without our knowing', { host: 'evil.example', origin: 'https://evil.example' }, { go: allowed, ours: forbidden }],
    ['our Origin behind a proxy that rewrites Host', { host: 'internal:3000', origin: 'https://example.com' }, { go: forbidden, ours: allowed }],
    ['an empty Sec-Fetch-Site, which no browser sends', { 'sec-fetch-site': '' }, { go: allowed, ours: forbidden }],
    ['an empty Origin, which no browser sends', { origin: '' }, { go: allowed, ours: forbidden }],
    ['Sec-Fetch-Site twice', { 'sec-fetch-site': 'same-origin, cross-site' }, { go: allowed, ours: forbidden }],
    ['Origin twice', { origin: 'https://example.com, https://attacker.example' }, { go: allowed, ours: forbidden }],
  ])('but on purpose not: %s', (_name, headers, { go, ours }) => {
    expect(refused(headers)).toBe(ours);
    expect(ours).not.toBe(go);
  });
});

it('the handshake of a WebSocket is judged like a POST, though it is a GET', () => {
  const refusal = (headers: Record<string, string>) => handshakeRefusal({ method: 'GET', headers } as unknown as Request, options)?.code;
  for (const headers of [{}, { origin: 'https://example.com' }, { origin: trusted }, { origin: trusted, 'sec-fetch-site': 'cross-site' }]) expect(refusal(headers)).toBeUndefined();
  for (const headers of [{ origin: 'https://attacker.example' }, { origin: 'null' }, { 'sec-fetch-site': 'same-site' }]) expect(refusal(headers)).toBe('ERR_CODE_FLOW_CROSS_ORIGIN');
});

describe('beyond that', () => {
  it.each<[boolean, Record<string, string>]>([
    [allowed, { 'sec-fetch-site': 'same-origin', origin: 'null' }],
    [forbidden, { 'sec-fetch-site': 'cross-site', origin: 'https://example.com' }],
    [forbidden, { 'sec-fetch-site': 'Same-Origin' }],
    [forbidden, { origin: 'https://example.com:8443' }],
    [forbidden, { origin: 'https://example.com.evil.example' }],
    [forbidden, { origin: 'https://example.com/' }],
    [forbidden, { origin: 'https://trusted.example.evil.example' }],
    [forbidden, { origin: 'https://trusted.example:8443' }],
    [forbidden, { origin: 'http://trusted.example' }],
    [forbidden, { origin: 'https://attacker.example', 'x-forwarded-host': 'attacker.example', referer: 'https://example.com/' }],
  ])('%s: %j', (expected, headers) => {
    expect(refused(headers)).toBe(expected);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'get'])('%s is no safe method', (method) => {
    expect(refused({ 'sec-fetch-site': 'cross-site' }, method)).toBe(forbidden);
    expect(refused({ 'sec-fetch-site': 'same-origin' }, method)).toBe(allowed);
  });

  it('the error says what to do, and has 403', () => {
    const error = crossOriginRefusal({ method: 'POST', headers: { origin: 'https://evil.example' } } as unknown as Request, options);
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_CROSS_ORIGIN', status: 403, message: expect.stringContaining('`trustedOrigins`') });
    expect(error!.message).not.toContain('evil');
  });
});
