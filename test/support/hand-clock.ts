import type { Clock } from '../../lib/clock.js';

/** Time that the test moves; whoever sleeps wakes at once, that much later. */
export class HandClock implements Clock {
  #now = Date.now();
  now = (): number => this.#now;
  monotonic = (): number => this.#now;
  sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted !== true) this.forward(milliseconds / 1000);
    return Promise.resolve();
  };
  forward(seconds: number): void {
    this.#now += seconds * 1000;
  }
}
