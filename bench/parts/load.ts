/** Load: so many connections, each sending its next request when the last one is answered. */
import { percentile } from './statistics.js';
import { Wire } from './wire.js';

export interface Load {
  readonly path: string;
  /** Taken in turns. */
  readonly cookies: readonly string[];
  readonly connections?: number;
  /** For as long as this; or as many as `requests`. */
  readonly milliseconds?: number;
  readonly requests?: number;
}

export interface Outcome {
  readonly requests: number;
  /** Other than 200. */
  readonly failed: number;
  readonly milliseconds: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly latencies: readonly number[];
}

export const CONCURRENCY = 50;

export async function openWires(origins: readonly string[], connections = CONCURRENCY): Promise<Wire[]> {
  return Promise.all(Array.from({ length: connections }, (_, index) => Wire.open(origins[index % origins.length]!)));
}

export async function drive(wires: readonly Wire[], { path, cookies, milliseconds = Infinity, requests = Infinity }: Load): Promise<Outcome> {
  const latencies: number[] = [];
  let sent = 0;
  let failed = 0;
  const startedAt = performance.now();
  const deadline = startedAt + milliseconds;
  await Promise.all(
    wires.map(async (wire) => {
      for (let now = performance.now(); now < deadline && sent < requests; ) {
        const cookie = cookies[sent++ % cookies.length] ?? '';
        const status = await wire.get(path, cookie);
        const answeredAt = performance.now();
        latencies.push(answeredAt - now);
        if (status !== 200) failed += 1;
        now = answeredAt;
      }
    }),
  );
  const elapsed = performance.now() - startedAt;
  const perSecond = (latencies.length / elapsed) * 1000;
  return { requests: latencies.length, failed, milliseconds: elapsed, perSecond, p50: percentile(latencies, 50), p99: percentile(latencies, 99), latencies };
}

/** On connections of its own. */
export async function load(origins: readonly string[], what: Load): Promise<Outcome> {
  const wires = await openWires(origins, what.connections);
  try {
    return await drive(wires, what);
  } finally {
    for (const wire of wires) wire.close();
  }
}
