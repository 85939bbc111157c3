import { describe, expect, it } from '@jest/globals';
import { nextTokenSet, withRefreshToken, type TokenSet } from '../../../lib/grants/token-set.js';

const login = { provider: 'default', subject: 'alice', loginAt: 1, expiresAt: 2 };
const held: TokenSet = {
  login,
  accessTokens: { '': { token: 'at-1', lifetimeSeconds: 60, scope: 'a b' }, 'https://api.example': { token: 'for the api', scope: 'read' } },
  refreshToken: 'rt-1',
  idToken: 'id-1',
};

describe('what is held after an answer of the token endpoint', () => {
  it('is all of the first one, and nothing that it did not name', () => {
    expect(nextTokenSet({ accessToken: 'at' }, undefined, '')).toStrictEqual({ accessTokens: { '': { token: 'at' } } });
    const whole = { accessToken: 'at', expiresInSeconds: 0, scope: '', refreshToken: 'rt', idToken: 'id' };
    expect(nextTokenSet(whole, undefined, '')).toStrictEqual({ accessTokens: { '': { token: 'at', lifetimeSeconds: 0, scope: '' } }, refreshToken: 'rt', idToken: 'id' });
  });

  it('E13, D10: keeps refresh token, ID Token and scope where the answer has none, but no lifetime of another token (RFC 6749 §6)', () => {
    expect(nextTokenSet({ accessToken: 'at-2' }, held, '')).toStrictEqual({ ...held, accessTokens: { ...held.accessTokens, '': { token: 'at-2', scope: 'a b' } } });
  });

  it('has what is new in place of what was', () => {
    const next = nextTokenSet({ accessToken: 'at-2', refreshToken: 'rt-2', idToken: 'id-2', scope: 'a', expiresInSeconds: 5 }, held, '');
    expect(next).toStrictEqual({ login, accessTokens: { ...held.accessTokens, '': { token: 'at-2', lifetimeSeconds: 5, scope: 'a' } }, refreshToken: 'rt-2', idToken: 'id-2' });
  });

  it('E18: has the token of one resource beside those of the others', () => {
    const next = nextTokenSet({ accessToken: 'new', refreshToken: 'rt-2' }, held, 'https://other.example');
    expect(next.accessTokens).toStrictEqual({ ...held.accessTokens, 'https://other.example': { token: 'new' } });
  });

  it('E17: is the newer refresh token alone, where nothing else could be checked', () => {
    expect(withRefreshToken(held, 'rt-2')).toStrictEqual({ ...held, refreshToken: 'rt-2' });
    expect(withRefreshToken(held, undefined)).toBe(held);
  });
});
