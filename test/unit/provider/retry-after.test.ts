import { expect, it } from '@jest/globals';
import { parseRetryAfter } from '../../../lib/provider/retry-after.js';

const now = Date.parse('2026-11-21T12:00:00Z');

it.each([
  ['30', 30],
  [' 30 ', 30],
  ['0', 1],
  ['99999999999999999999', 3600],
  ['Sat, 21 Nov 2026 12:01:30 GMT', 90],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 1],
  ['Sun, 21 Nov 2027 12:00:00 GMT', 3600],
  ['Saturday, 21-Nov-26 12:01:30 GMT', 90],
  ['-5', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['soon', undefined],
  ['Sat, nonsense', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After: %s is %p seconds', (header, seconds) => {
  expect(parseRetryAfter(header, now)).toBe(seconds);
});
