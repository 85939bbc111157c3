/** J8: reading takes time in proportion to the text. Growth is compared, not time: a busy machine is no failure. `npm run bench:parsing` has the times. */
import { expect, it } from '@jest/globals';
import { parsers, shortestMs, type Parser } from '../support/parsers.js';

const quarter = 256 * 1024;

/** Four times the text: linear is 4, quadratic 16. What is done within a few milliseconds is below what can be compared. */
function growsTooFast(parser: Parser): boolean {
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    const whole = shortestMs(parser, 4 * quarter, attempt);
    if (whole < 20 || whole / shortestMs(parser, quarter, attempt + 1) < 9) return false;
  }
  return true;
}

it('J8: nothing that reads text of a megabyte is worse than linear', () => {
  expect(parsers.length).toBeGreaterThan(100);
  expect(parsers.filter(growsTooFast).map(({ name }) => name)).toEqual([]);
}, 360_000);
