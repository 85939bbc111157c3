import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { backOffMilliseconds } from '../../../lib/back-off.js';
import { backOffMs, failureOf, loginEnded, loginRequired, refusalOf, tokenUnavailable, wrongProvider } from '../../../lib/grants/refresh-outcomes.js';

afterEach(() => void jest.restoreAllMocks());

describe('the wait after a failed refresh', () => {
  it('E11: grows with failures in a row, and is never shorter than the server asked for', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const first = backOffMs(0, undefined);
    expect(first).toBe(Math.round(backOffMilliseconds(1)));
    expect(backOffMs(3, undefined)).toBe(Math.round(backOffMilliseconds(4)));
    expect(backOffMs(3, undefined)).toBeGreaterThan(first);
    expect(backOffMs(0, 300)).toBe(300_000);
    expect(backOffMs(0, 0.001)).toBe(first);
  });
});

describe('what a caller is told', () => {
  it('whose login has ended, or who has none, has to log in', () => {
    expect(loginEnded()).toMatchObject({ name: 'AuthenticationRequiredError', code: 'ERR_CODE_FLOW_LOGIN_ENDED', status: 401, message: expect.stringContaining('log in again') });
    expect(loginRequired()).toMatchObject({ name: 'AuthenticationRequiredError', code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', message: expect.stringContaining('log in again') });
  });

  it('whose login is at another provider learns which one is needed', () => {
    expect(wrongProvider('hospital')).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', provider: 'hospital', message: expect.stringContaining('"hospital"') });
  });

  it.each([[0, 1], [1000, 1], [1001, 2], [9500, 10]])('has to wait for %d ms: %d s', (leftMs, retryAfterSeconds) => {
    expect(tokenUnavailable(leftMs)).toMatchObject({ name: 'ProviderError', code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', status: 503, retryAfterSeconds, message: expect.stringContaining('cannot be renewed') });
  });
});

describe('E8: a refusal', () => {
  it('counts at once if it is certain, for whichever resource', () => {
    expect([refusalOf(true, ''), refusalOf(true, 'https://api.example')]).toEqual(['refused', 'refused']);
  });
  it('counts against the login when it comes twice; with a resource it may be about that', () => {
    expect([refusalOf(false, ''), refusalOf(false, 'https://api.example')]).toEqual(['doubtful', 'resource']);
  });
  it('of a resource is no failure of the others, and without a resource there is none to blame', () => {
    expect([failureOf(true, 'https://api.example'), failureOf(true, ''), failureOf(false, 'https://api.example')]).toEqual(['resource', 'failed', 'failed']);
  });
});
