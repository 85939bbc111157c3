import { setTimeout } from 'node:timers/promises';

/** The one clock. Passed in wherever time is asked for, so that tests can move it. */
export interface Clock {
  /** Wall clock, epoch milliseconds. For instants that are stored or compared with other parties. */
  now(): number;
  /** Never goes back, milliseconds from an arbitrary start. For measuring durations. */
  monotonic(): number;
  /** Resolves after so many milliseconds. */
  sleep(milliseconds: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => setTimeout(milliseconds),
};
