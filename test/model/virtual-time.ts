/**
 * Time that jumps from event to event. What happens at the same instant happens in an order that chance decides, and
 * every event is followed by all that it sets free before the next one comes: one thread of many interleaved programs.
 */
import type { Random } from './random.js';

interface Event {
  readonly at: number;
  /** Decides between events of the same instant. */
  readonly tie: number;
  run: (() => unknown) | undefined;
}

export interface Cancellable {
  cancel(): void;
}

/** More events than any history needs: something goes round in circles. */
const MOST_EVENTS = 20_000;

/** Runs after every promise that can settle has settled. */
const settle = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

export class VirtualTime {
  /** Whole milliseconds, so that Redis counts them as JavaScript does. */
  now = 1000;
  readonly #random: Random;
  /** The next one last. */
  readonly #queue: Event[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  after(milliseconds: number, run: () => unknown): Cancellable {
    const event: Event = { at: this.now + Math.max(0, Math.ceil(milliseconds)), tie: this.#random.next(), run };
    let [low, high] = [0, this.#queue.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#queue[middle]!;
      if (other.at > event.at || (other.at === event.at && other.tie > event.tie)) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, event);
    return { cancel: () => (event.run = undefined) };
  }

  /** Until nothing is left to happen. */
  async runAll(): Promise<void> {
    for (let count = 0; ; count += 1) {
      const event = this.#queue.pop();
      if (event === undefined) return;
      if (event.run === undefined) continue;
      if (count === MOST_EVENTS) throw new Error('the history does not come to rest');
      this.now = event.at;
      await event.run();
      await settle();
    }
  }
}

export interface Lent {
  /** `undefined`: this timer is none of the history's. */
  after: (milliseconds: number, run: () => unknown) => Cancellable | undefined;
  random: () => number;
}

/** Lends the code under test its timers and its chance while `work` runs. */
export async function withTimers<T>(lent: Lent, work: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout } = globalThis;
  const { random } = Math;
  const virtual = new Map<object, Cancellable>();
  const set = (run: (...args: unknown[]) => void, milliseconds = 0, ...args: unknown[]): object => {
    const timer = lent.after(milliseconds, () => run(...args));
    if (timer === undefined) return setTimeout(run, milliseconds, ...args);
    const handle = {};
    virtual.set(handle, timer);
    return handle;
  };
  const clear = (handle: unknown): void => {
    const timer = virtual.get(handle as object);
    if (timer === undefined) clearTimeout(handle as NodeJS.Timeout);
    else timer.cancel();
  };
  try {
    Math.random = lent.random;
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    return await work();
  } finally {
    Math.random = random;
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}
