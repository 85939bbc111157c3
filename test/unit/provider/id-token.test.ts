import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { hasValidMac, isForeign, isMacAlgorithm, readClaims } from '../../../lib/provider/id-token.js';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the MAC', () => {
  const input = `${encode({ alg: 'HS384' })}.${encode({ sub: 'alice' })}`;
  const token = `${input}.${createHmac('sha384', 'secret').update(input).digest('base64url')}`;

  it('is right', () => expect(hasValidMac(token, 'HS384', 'secret')).toBe(true));

  it.each([
    ['another secret', token, 'HS384', 'other'],
    ['another algorithm', token, 'HS256', 'secret'],
    ['no signature', `${input}.`, 'HS384', 'secret'],
    ['half a token', input, 'HS384', 'secret'],
    ['nothing', '', 'HS384', 'secret'],
  ])('%s is wrong', (_name, idToken, algorithm, secret) => {
    expect(hasValidMac(idToken, algorithm, secret)).toBe(false);
  });

  it.each(['none', 'RS256', 'HS1', 'hs256', 'HS256 ', undefined, 7])('%p is no MAC algorithm', (algorithm) => {
    expect(isMacAlgorithm(algorithm)).toBe(false);
  });
});

it.each([undefined, '', 'x', 'a.b.c', `a.${encode([])}.c`, `a.${encode('x')}.c`])('%p has no claims', (token) => {
  expect(readClaims(token)).toBeUndefined();
});

describe('whose login it is (OpenID Connect Core §12.2)', () => {
  const server = { issuer: 'https://id.example.com', clientId: 'web' };
  const held = { iss: server.issuer, sub: 'alice', aud: 'web', auth_time: 1000, nonce: 'n' };

  it.each<[string, object]>([
    ['the same', held],
    ['without a nonce', { ...held, nonce: undefined }],
    ['aud in a list', { ...held, aud: ['other', 'web'] }],
    ['a later auth_time', { ...held, auth_time: 1001 }],
    ['without claims', {}],
  ])('%s: ours', (_name, fresh) => expect(isForeign({ ...fresh }, held, server)).toBe(false));

  it.each<[string, object]>([
    ['another iss', { iss: 'https://evil.example' }],
    ['another sub', { sub: 'bob' }],
    ['sub of another type', { sub: 7 }],
    ['another aud', { aud: 'other' }],
    ['an aud that is null', { aud: null }],
    ['aud in a list without us', { aud: ['other'] }],
    ['an earlier auth_time', { auth_time: 999 }],
    ['another nonce', { nonce: 'm' }],
  ])('%s: foreign', (_name, change) => expect(isForeign({ ...held, ...change }, held, server)).toBe(true));

  it('the issuer of the login counts, if it is known', () => {
    const tenant = { ...held, iss: 'https://id.example.com/tenant' };
    expect(isForeign(tenant, tenant, server)).toBe(false);
    expect(isForeign(tenant, undefined, server)).toBe(true);
  });

  it('a login without nonce or auth_time says nothing about them', () => {
    expect(isForeign(held, { iss: server.issuer, sub: 'alice' }, server)).toBe(false);
  });
});
