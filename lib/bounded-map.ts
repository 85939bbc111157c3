/**
 * What this process remembers, by name, within a bound; what was not used for longest goes first.
 *
 * quick-lru keeps two generations of up to `maxSize` entries each, so that using one costs no list. Half of `most` each makes `most` the bound: at
 * least the half of it that was used last is there. Its own `maxAge` goes by the wall clock, which somebody may set, and is never used.
 */
import QuickLRU from 'quick-lru';
import type { Clock } from './clock.js';

export interface BoundedMap<V> {
  /** Counts as a use, as writing it does. */
  get(name: string): V | undefined;
  set(name: string, value: V): unknown;
  has(name: string): boolean;
  delete(name: string): boolean;
}

export const boundedMap = <V>(most: number): BoundedMap<V> => new QuickLRU<string, V>({ maxSize: Math.ceil(most / 2) });

/** Each entry lives for as long as was said when it was written last, on the monotonic clock, and is not there afterwards. */
export interface ExpiringMap<V> {
  /** Counts as a use, but does not lengthen its life. */
  get(name: string): V | undefined;
  set(name: string, value: V, lifeMs: number): void;
  /** With its time left, and not as a use; `undefined`: it is not there. */
  peek(name: string): { readonly value: V; readonly leftMs: number } | undefined;
  delete(name: string): void;
}

export function expiringMap<V>(most: number, clock: Clock): ExpiringMap<V> {
  const entries = new QuickLRU<string, { readonly value: V; readonly endsAt: number }>({ maxSize: Math.ceil(most / 2) });

  function peek(name: string): { readonly value: V; readonly leftMs: number } | undefined {
    const entry = entries.peek(name);
    if (entry === undefined) return undefined;
    const leftMs = entry.endsAt - clock.monotonic();
    if (leftMs > 0) return { value: entry.value, leftMs };
    entries.delete(name);
    return undefined;
  }

  return {
    get: (name) => (peek(name) === undefined ? undefined : entries.get(name)?.value),
    set: (name, value, lifeMs) => void entries.set(name, { value, endsAt: clock.monotonic() + lifeMs }),
    peek,
    delete: (name) => void entries.delete(name),
  };
}
