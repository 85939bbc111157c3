import { expect, it } from '@jest/globals';
import { backOffMilliseconds } from '../../lib/back-off.js';

it('doubles from 1 s and stops at 30 s', () => {
  const middle = (): number => 0.5;
  expect([1, 2, 3, 4, 5, 6, 7, 5000].map((failures) => backOffMilliseconds(failures, middle))).toEqual(
    [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000),
  );
});

it('is spread by 20 % to either side', () => {
  expect(backOffMilliseconds(1, () => 0)).toBe(800);
  expect(backOffMilliseconds(1, () => 1)).toBeCloseTo(1200);
});
