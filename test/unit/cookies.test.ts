import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodedValue, readCookies, writeCookie } from '../../lib/cookies.js';

const flags = { secure: true, sameSite: 'lax', path: '/' } as const;

describe('reading cookies', () => {
  it('C14: gives every cookie, those of equal names too', () => {
    expect(readCookies('a=1; b=2; a=3')).toEqual([
      { name: 'a', value: '1' },
      { name: 'b', value: '2' },
      { name: 'a', value: '3' },
    ]);
  });

  it('C15: takes any header without throwing', () => {
    expect(readCookies('a=%E0%A4%A; =x; y; b="q"; c==')).toEqual([
      { name: 'a', value: '%E0%A4%A' },
      { name: 'b', value: '"q"' },
      { name: 'c', value: '=' },
    ]);
    fc.assert(fc.property(fc.string(), (header) => Array.isArray(readCookies(header))));
  });

  it('reads no header as no cookies', () => {
    expect(readCookies(undefined)).toEqual([]);
  });
});

describe('writing cookies', () => {
  it('C11: HttpOnly always, Secure and SameSite as told, no Domain', () => {
    expect(writeCookie('login', 'v', { ...flags, sameSite: 'none' })).toBe('login=v; Path=/; HttpOnly; Secure; SameSite=None');
    expect(writeCookie('__Host-session', 'v', flags)).toBe('__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect(writeCookie('session', 'v', { secure: false, sameSite: 'strict', path: '/app' }, 600)).toBe(
      'session=v; Path=/app; Max-Age=600; HttpOnly; SameSite=Strict',
    );
  });

  it('deletes with the same flags that it sets', () => {
    expect(writeCookie('__Host-session', '', flags, 0)).toBe(
      '__Host-session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    );
  });

  it('takes one spelling of base64url for what it stands for, and no other', () => {
    const bytes = Buffer.from([1, 2, 3, 250]);
    const value = bytes.toString('base64url');
    expect(decodedValue({ name: 'name', value })).toEqual(bytes);
    for (const other of [`${value.slice(0, -1)}h`, `${value}=`, ` ${value}`, value.replace('-', '+'), `${value}.`, `*${value}`]) {
      if (other !== value) expect([other, decodedValue({ name: 'name', value: other }).length]).toEqual([other, 0]);
    }
  });

  it('writes values that read back the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const header = writeCookie('name', value, flags).split(';')[0];
        expect(readCookies(header)).toEqual([{ name: 'name', value }]);
      }),
    );
  });
});
