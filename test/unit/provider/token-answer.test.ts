import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { asJsonObject, parseTokenAnswer, toWire } from '../../../lib/provider/token-answer.js';

const honest = { access_token: 'a', token_type: 'Bearer' };

describe('a token answer (RFC 6749 §5.1)', () => {
  it('is translated member by member', () => {
    const answer = { ...honest, expires_in: 60, refresh_token: 'r', id_token: 'i', scope: 'x y', other: 1 };
    expect(parseTokenAnswer(answer)).toEqual({ accessToken: 'a', expiresInSeconds: 60, refreshToken: 'r', idToken: 'i', scope: 'x y' });
  });

  it('has no member for what is absent, so that older values survive a spread', () => {
    const absent = { expires_in: null, refresh_token: null, id_token: null, scope: null };
    expect(Object.keys(parseTokenAnswer({ ...honest, ...absent }))).toEqual(['accessToken']);
    expect(Object.keys(parseTokenAnswer({ ...honest, refresh_token: '', id_token: '' }))).toEqual(['accessToken']);
  });

  it('D10: an empty scope is not an absent one', () => {
    expect(parseTokenAnswer({ ...honest, scope: '' })).toHaveProperty('scope', '');
    expect(parseTokenAnswer(honest)).not.toHaveProperty('scope');
  });

  it('D10: a list of scopes is read, anything else refused rather than taken for absent', () => {
    expect(parseTokenAnswer({ ...honest, scope: ['x', 'y'] })).toHaveProperty('scope', 'x y');
    expect(parseTokenAnswer({ ...honest, scope: { x: true } })).toBe('a scope that is no text');
  });

  it('D7: whatever expires_in is, a lifetime is absent or a whole number of seconds up to a year', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.integer(), fc.string(), fc.jsonValue()), (value) => {
        const { expiresInSeconds = 0 } = parseTokenAnswer({ ...honest, expires_in: value }) as { expiresInSeconds?: number };
        expect(Number.isInteger(expiresInSeconds)).toBe(true);
        expect(expiresInSeconds).toBeGreaterThanOrEqual(0);
        expect(expiresInSeconds).toBeLessThanOrEqual(31_536_000);
      }),
    );
  });

  it('F5: whatever the access token is, it is refused or fits into a header', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.jsonValue()), (value) => {
        const tokens = parseTokenAnswer({ ...honest, access_token: value });
        if (typeof tokens === 'string') return;
        expect(new Headers({ authorization: `Bearer ${tokens.accessToken}` }).get('authorization')).toBe(`Bearer ${tokens.accessToken}`);
      }),
    );
  });

  it('comes back from openid-client’s form unchanged', () => {
    const tokens = { accessToken: 'a', expiresInSeconds: 0, refreshToken: 'r', scope: '' };
    expect(parseTokenAnswer(toWire(tokens))).toEqual(tokens);
  });
});

it.each(['', 'x', '[]', 'null', '"x"', '{"a":'])('%p is no JSON object', (text) => {
  expect(asJsonObject(text)).toBeUndefined();
});
