/** Whether the authorization server's clock and ours tell the same time (FAULTS 40). */
import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { LoginError } from '../errors.js';
import type { TellProblem } from '../problems.js';
import type { Claims } from '../types.js';
import type { ServerCall } from './server-call.js';

/** As openid-client allows for `exp` and `nbf`. */
const CLOCK_TOLERANCE_SECONDS = 30;

interface ClockWatch {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly tell: TellProblem | undefined;
}

/**
 * Compares the `Date` of token answers with our clock: no cache stands before them, as before metadata and keys. The difference goes
 * to the call, to explain a refusal, and to whoever runs the app.
 */
export function watchClock(name: string, { fetch, clock, tell }: ClockWatch): (call: ServerCall) => typeof fetch {
  return (call) => async function watchingFetch(input, init) {
    const askedAt = clock.now();
    const response = await fetch(input, init);
    if (init?.method !== 'POST' || (call.operation !== 'login' && call.operation !== 'refresh')) return response;
    const seconds = difference(Date.parse(response.headers.get('date') ?? ''), askedAt, clock.now());
    call.clockDifferenceSeconds = seconds;
    if (isTooFar(seconds)) tell?.('ERR_CODE_FLOW_CLOCK_SKEW', describe(name, seconds), `clock of ${name}`);
    return response;
  };
}

const isTooFar = (seconds: number): boolean => Math.abs(seconds) > CLOCK_TOLERANCE_SECONDS;

/** For a login that failed by a time: the clocks, if it is them; `undefined`: they agree. */
export function clockSkew(name: string, seconds = 0): LoginError | undefined {
  return isTooFar(seconds) ? new LoginError('ERR_CODE_FLOW_CLOCK_SKEW', describe(name, seconds)) : undefined;
}

/**
 * An ID Token that is yet to be issued, which openid-client does not look at. By the clock that openid-client goes by.
 * @throws LoginError
 */
export function checkIssueTime(claims: Partial<Claims> | undefined, name: string): void {
  const issuedAt = claims?.['iat'];
  if (typeof issuedAt !== 'number') return;
  const error = clockSkew(name, Math.max(0, Math.floor(issuedAt - systemClock.now() / 1000)));
  if (error !== undefined) throw error;
}

function describe(name: string, seconds: number): string {
  return `the clock of the authorization server "${name}" is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} ours: one of both needs NTP`;
}

/** In whole seconds, from the moment between question and answer that fits best; 0 if there is no date. */
function difference(date: number, askedAt: number, answeredAt: number): number {
  if (date > answeredAt) return Math.floor((date - answeredAt) / 1000);
  return date + 1000 < askedAt ? Math.ceil((date + 1000 - askedAt) / 1000) : 0;
}
