/** One caller's patience with a flight that serves many. */
import { tokenUnavailable } from './refresh-outcomes.js';

/** Waits with a limit of its own; the flight goes on whatever becomes of this caller. */
export async function within<T>(flight: Promise<T>, limitMs: number, signal: AbortSignal | undefined): Promise<T> {
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const timer = setTimeout(stop, Math.max(0, limitMs));
  signal?.addEventListener('abort', stop);
  try {
    return await Promise.race([flight, stopped.then(() => rejectWaiting(signal))]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function rejectWaiting(signal: AbortSignal | undefined): never {
  signal?.throwIfAborted();
  throw tokenUnavailable(1000);
}
