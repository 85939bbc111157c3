/** Waiting for facts instead of time. */
import { setTimeout } from 'node:timers/promises';

/** Less than the time limit of a test: a wait that went on behind it would hold up the end of the run. */
const LONGEST_WAIT_MS = 45_000;

/** Looks every 20 ms until there is something to see. */
export async function eventually<T>(look: () => T | undefined | false | Promise<T | undefined | false>, limitMs = LONGEST_WAIT_MS): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  while (performance.now() < giveUpAt) {
    const seen = await look();
    if (seen) return seen;
    await setTimeout(20);
  }
  throw new Error(`nothing came of it in ${limitMs / 1000} s: ${look.toString().slice(0, 200)}`);
}

/** A promise that somebody else resolves. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
