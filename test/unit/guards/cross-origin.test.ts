/** Requests that another site made the browser send (THREATS G6, H3). */
import { describe, expect, it } from '@jest/globals';
import { isCrossOrigin } from '../../../lib/guards/cross-origin.js';
import type { Request } from '../../../lib/types.js';

const from = (headers: Record<string, string>, baseUrl = 'https://app.example.com/shop'): boolean =>
  isCrossOrigin({ method: 'POST', headers } as unknown as Request, new URL(baseUrl));

describe('isCrossOrigin', () => {
  it.each<[boolean, Record<string, string>]>([
    // The browser's own word comes first, and only two of its words mean "not from elsewhere".
    [false, { 'sec-fetch-site': 'same-origin' }],
    [false, { 'sec-fetch-site': 'none' }],
    [false, { 'sec-fetch-site': 'same-origin', origin: 'null' }],
    [true, { 'sec-fetch-site': 'cross-site' }],
    [true, { 'sec-fetch-site': 'same-site' }],
    [true, { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' }],
    [true, { 'sec-fetch-site': '' }],
    [true, { 'sec-fetch-site': 'Same-Origin' }],
    [true, { 'sec-fetch-site': 'same-origin, cross-site' }],
    // Older browsers, and plain http.
    [false, { origin: 'https://app.example.com' }],
    [true, { origin: 'https://evil.example' }],
    [true, { origin: 'http://app.example.com' }],
    [true, { origin: 'https://app.example.com:8443' }],
    [true, { origin: 'https://app.example.com.evil.example' }],
    [true, { origin: 'https://app.example.com/' }],
    [true, { origin: 'https://app.example.com, https://evil.example' }],
    [true, { origin: 'null' }],
    [true, { origin: '' }],
    // No browser's cross-site form has neither.
    [false, {}],
  ])('%s: %j', (expected, headers) => {
    expect(from(headers)).toBe(expected);
  });

  it('the Host header does not matter: an attacker who sets it gains nothing', () => {
    expect(from({ host: 'evil.example', origin: 'https://evil.example' })).toBe(true);
    expect(from({ host: 'internal:3000', 'x-forwarded-host': 'evil.example', origin: 'https://app.example.com' })).toBe(false);
  });
});
