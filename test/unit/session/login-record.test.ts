import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isLoginRecord } from '../../../lib/session/login-record.js';
import { loginRecord } from './support.js';

describe('D9: a login is an exact shape', () => {
  it.each([
    ['the least', {}],
    ['a scope', { scope: 'openid' }],
    ['no scope at all', { scope: '' }],
    ['nobody known to have logged in', { subject: undefined, claims: {} }],
    ['a session at the server', { idpSessionId: 'sid' }],
    ['more claims', { claims: { sub: 'alice', groups: ['a'], email_verified: false } }],
    ['a member of a later release', { later: true }],
  ])('%s', (_name, more) => {
    expect(isLoginRecord({ ...loginRecord(), ...more })).toBe(true);
  });

  it.each(['provider', 'claims', 'grantId', 'loginAt', 'expiresAt'])('without %s it is none', (name) => {
    const { [name as 'provider']: _, ...rest } = loginRecord();
    expect(isLoginRecord(rest)).toBe(false);
  });

  it.each([
    ['an empty subject', { subject: '' }],
    ['a subject that is no text', { subject: 7 }],
    ['an empty grant id', { grantId: '' }],
    ['a grant id that is no text', { grantId: ['a'] }],
    ['a provider that is no text', { provider: true }],
    ['claims that are no object', { claims: 'alice' }],
    ['no claims', { claims: null }],
    ['a time as text', { loginAt: '1750000000' }],
    ['half a second', { expiresAt: 1.5 }],
    ['no time', { expiresAt: Number.NaN }],
    ['never', { expiresAt: Infinity }],
    ['a scope that is no text', { scope: ['openid'] }],
    ['a server session that is no text', { idpSessionId: 1 }],
    ['a registration that is no text', { registration: 1 }],
    ['an empty provider', { provider: '' }],
    ['a login at no time', { loginAt: undefined }],
  ])('with %s it is none', (_name, more) => {
    expect(isLoginRecord({ ...loginRecord(), ...more })).toBe(false);
  });

  it('neither is anything else', () => {
    for (const value of [undefined, null, true, 'alice', 1, [], [loginRecord()], () => loginRecord(), {}]) expect(isLoginRecord(value)).toBe(false);
    fc.assert(fc.property(fc.anything(), (value) => !isLoginRecord(value)));
  });
});
