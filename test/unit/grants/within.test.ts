import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { within } from '../../../lib/grants/within.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const never = new Promise<string>(() => undefined);

describe('one caller\'s patience', () => {
  it('is not tried by a flight that lands in time, and leaves nothing behind', async () => {
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    await expect(within(Promise.resolve('landed'), 1000, signal)).resolves.toBe('landed');
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
    await expect(within(Promise.reject(new Error('crashed')), 1000, undefined)).rejects.toThrow('crashed');
  });

  it('ends at its limit with 503, and not before', async () => {
    const seen: unknown[] = [];
    within(never, 1000, undefined).catch((error: unknown) => seen.push(error));
    await jest.advanceTimersByTimeAsync(999);
    expect(seen).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(seen).toEqual([expect.objectContaining({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', status: 503, retryAfterSeconds: 1 })]);
  });

  it('ends at once where the limit is over already', async () => {
    const waiting = expect(within(never, -5, undefined)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    await jest.advanceTimersByTimeAsync(1);
    await waiting;
  });

  it('F11: ends with the reason of the caller who gives up, alone', async () => {
    const giveUp = new AbortController();
    const reason = new Error('enough');
    const { signal: patient } = new AbortController();
    let land = (_value: string): void => undefined;
    const flight = new Promise<string>((resolve) => (land = resolve));
    const [impatient, other] = [within(flight, 1000, giveUp.signal), within(flight, 1000, patient)];
    giveUp.abort(reason);
    await expect(impatient).rejects.toBe(reason);
    land('landed');
    await expect(other).resolves.toBe('landed');
  });
});
