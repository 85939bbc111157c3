import { setTimeout } from 'node:timers/promises';

/** The one clock. Passed in wherever time is asked for, so that tests can move it. */
export interface Clock {
  /** Wall clock, epoch milliseconds. For instants that are stored or compared with other parties. */
  now(): number;
  /** Never goes back, milliseconds from an arbitrary start. For measuring durations. */
  monotonic(): number;
  /** Resolves after so many milliseconds, or at once when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  // An aborted wait is over, not failed.
  sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};

/** Now, as instants are stored and told to other parties: whole seconds. */
export const epochSeconds = (clock: Clock): number => Math.floor(clock.now() / 1000);
