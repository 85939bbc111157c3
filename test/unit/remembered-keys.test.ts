/** What costs an HMAC is remembered, within a bound, and nobody who makes up ids pushes it out. */
import * as crypto from 'node:crypto';
import { expect, it, jest } from '@jest/globals';

let hmacs = 0;
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  createHmac: (...given: Parameters<typeof crypto.createHmac>) => {
    hmacs += 1;
    return crypto.createHmac(...given);
  },
}));
const { createSealer } = await import('../../lib/seal.js');
const { createSessionCookie } = await import('../../lib/session/session-cookie.js');

function hmacsOf(work: () => void): number {
  const before = hmacs;
  work();
  return hmacs - before;
}

it('the key of a session is derived once, whoever begins logins meanwhile', () => {
  const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
  const sealed = sealer.seal('session', 'id', 'text');
  const open = (): void => expect(sealer.open('session', 'id', sealed)).toBe('text');
  expect(hmacsOf(open)).toBe(0);
  for (const purpose of ['login transaction', 'finished login', 'logout', 'login index'] as const) {
    expect(hmacsOf(() => { for (let made = 0; made < 6000; made += 1) sealer.open(purpose, `made up ${made}`, sealed); })).toBe(6000);
  }
  expect(hmacsOf(open)).toBe(0);
});

it('the keys of no more than 5,000 sessions are', () => {
  const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
  const sealed = sealer.seal('session', 'id', 'text');
  for (let other = 0; other < 5000; other += 1) sealer.seal('session', `other ${other}`, '');
  expect(hmacsOf(() => expect(sealer.open('session', 'id', sealed)).toBe('text'))).toBe(1);
});

it('the signature of a session cookie is checked once; a wrong one is each time, and pushes nothing out', () => {
  const cookie = createSessionCookie('session', { secure: false, sameSite: 'lax', path: '/' }, ['a key of cookies']);
  const [pair] = cookie.write('id').split(';');
  const read = (): void => expect(cookie.read(pair)).toBe('id');
  expect([hmacsOf(read), hmacsOf(read)]).toEqual([1, 0]);
  expect(hmacsOf(() => { for (let made = 0; made < 6000; made += 1) cookie.read(`session=s:made-up-${made}.signature`); })).toBe(6000);
  expect([hmacsOf(() => expect(cookie.read(`${pair}x`)).toBeUndefined()), hmacsOf(read)]).toEqual([1, 0]);
});
