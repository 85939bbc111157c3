import { describe, expect, it } from '@jest/globals';
import { isBusy, judge, registeredError, type Verdict } from '../../../lib/provider/refusal.js';

describe('what real servers answer to a spent refresh token or a bad code', () => {
  it.each<[string, number, string | undefined, Verdict]>([
    ['most', 400, 'invalid_grant', 'grant'],
    ['glewlwyd, refresh', 400, undefined, 'probably-grant'],
    ['glewlwyd, code', 403, 'invalid_code', 'probably-grant'],
    ['lemonldap-ng', 400, 'invalid_request', 'probably-grant'],
    ['better-auth, wrong verifier', 401, 'invalid_request', 'probably-grant'],
  ])('%s: %i %s', (_server, status, error, verdict) => {
    expect(judge(status, error, false)).toBe(verdict);
  });
});

describe('what concerns every user alike never counts as a refused grant', () => {
  const errors = ['invalid_client', 'unauthorized_client', 'invalid_scope', 'unsupported_grant_type', 'invalid_target'];
  it.each(errors.flatMap((error) => [400, 401, 403].map((status) => [status, error] as const)))('%i %s', (status, error) => {
    expect(judge(status, error, false)).toBe('client');
  });

  it('401 without a word', () => expect(judge(401, undefined, false)).toBe('client'));

  it.each([408, 425, 429, 500, 502, 503, 504])('%i, whatever the body says', (status) => {
    expect(judge(status, 'invalid_grant', false)).toBe('unavailable');
    expect(isBusy(status)).toBe(true);
  });

  it.each(['temporarily_unavailable', 'server_error'])('400 %s', (error) => expect(judge(400, error, false)).toBe('unavailable'));

  it.each([403, 404, 405, 413, 451])('%i without a word', (status) => expect(judge(status, undefined, false)).toBe('unusable'));

  it('a page with status 400', () => expect(judge(400, undefined, true)).toBe('unusable'));
});

it('I1: only registered error codes are repeated', () => {
  expect(registeredError('invalid_grant')).toBe('invalid_grant');
  expect(registeredError('invalid_code')).toBeUndefined();
  expect(registeredError('<script>')).toBeUndefined();
  expect(registeredError(undefined)).toBeUndefined();
});
