/** RFC 9110 §10.2.3. */

const LONGEST_SECONDS = 3600;

/** HTTP-dates start with the day's name; without this, `Date.parse` takes `-5` for a year. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/** Seconds from 1 to 3600; `undefined` when there is no header or it makes no sense. `now`: epoch milliseconds. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const value = header?.trim() ?? '';
  if (/^\d+$/.test(value)) return clamp(Number(value));
  if (!HTTP_DATE.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : clamp(Math.ceil((date - now) / 1000));
}

function clamp(seconds: number): number {
  return Math.min(LONGEST_SECONDS, Math.max(1, seconds));
}
