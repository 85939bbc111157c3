/** Steady traffic over many expiries: does anybody notice that tokens are renewed? */
import { setTimeout } from 'node:timers/promises';
import { byHand, openidRedis, thisPackage, type Contestant } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure } from '../parts/bench.js';
import { login } from '../parts/browser.js';
import { openWires } from '../parts/load.js';
import { median, percentile } from '../parts/statistics.js';

const USERS = 25;
const LATENCY_MS = 150;
const SHORT_SECONDS = 4;
/** Far below what a process can do, so that nobody queues behind others. */
const PER_SECOND = 250;

interface Sample {
  readonly p50: number;
  readonly p99: number;
  /** Requests that took as long as the token endpoint does. */
  readonly waited: number;
  readonly failed: number;
  readonly requests: number;
  readonly refreshes: number;
}

/** Requests come when they come, whether or not the ones before are answered. */
async function paced(app: App, cookies: readonly string[], seconds: number): Promise<{ latencies: number[]; failed: number }> {
  const free = await openWires([app.origin], 100);
  const latencies: number[] = [];
  let failed = 0;
  const running = new Set<Promise<void>>();
  const startedAt = performance.now();
  for (let count = 0; count < seconds * PER_SECOND; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * PER_SECOND);
    for (; count < due; count += 1) {
      const wire = free.pop();
      if (wire === undefined) {
        failed += 1;
        continue;
      }
      const sentAt = performance.now();
      const request = wire.get('/work', cookies[count % cookies.length]!).then((status) => {
        latencies.push(performance.now() - sentAt);
        if (status !== 200) failed += 1;
        free.push(wire);
        running.delete(request);
      });
      running.add(request);
    }
    await setTimeout(1);
  }
  await Promise.all(running);
  for (const wire of free) wire.close();
  return { latencies, failed };
}

async function sample({ world }: Bench, contestant: Contestant, app: App, lifetimeSeconds: number, seconds: number): Promise<Sample> {
  await world.server.set({ lifetimeSeconds, latencyMs: 0, rotate: true });
  const cookies: string[] = [];
  for (let user = 0; user < USERS; user += 1) cookies.push((await login(world, contestant, app)).cookie);
  await world.server.set({ latencyMs: LATENCY_MS });
  const { latencies, failed } = await paced(app, cookies, seconds);
  const { refreshes } = await world.server.facts();
  await setTimeout(LATENCY_MS * 2); // renewals under way
  const waited = latencies.filter((latency) => latency >= LATENCY_MS * 0.9).length;
  return { p50: median(latencies), p99: percentile(latencies, 99), waited, failed, requests: latencies.length, refreshes };
}

const KINDS = [
  { kind: 'no expiry', lifetimeSeconds: 86_400 },
  { kind: `expiry every ${SHORT_SECONDS} s`, lifetimeSeconds: SHORT_SECONDS },
] as const;

export const steady: Measure = {
  name: 'steady',
  async run(bench) {
    const { rounds, seconds } = bench.scale.steady;
    const cases = [thisPackage, byHand, openidRedis].flatMap((contestant) => KINDS.map((kind) => ({ ...kind, contestant })));
    const results = new Map(cases.map((each) => [each, [] as Sample[]]));
    for (const contestant of new Set(cases.map((each) => each.contestant))) {
      const app = await App.start(bench.world, contestant);
      await sample(bench, contestant, app, 86_400, 1); // what is optimised in the first second
      for (let round = 0; round < rounds; round += 1) {
        const own = cases.filter((each) => each.contestant === contestant);
        for (const each of round % 2 === 0 ? own : own.toReversed()) results.get(each)!.push(await sample(bench, contestant, app, each.lifetimeSeconds, seconds));
      }
      await app.stop();
      bench.say(`  ${contestant.name}`);
    }
    const rows = [...results].map(([{ kind, contestant }, all]) => {
      const without = results.get(cases.find((each) => each.contestant === contestant)!)!;
      const of = (what: keyof Sample): number => median(all.map((each) => each[what]));
      const sum = (what: keyof Sample): number => all.reduce((total, each) => total + each[what], 0);
      const beside = median(all.map(({ p99 }, round) => p99 / without[round]!.p99));
      return [contestant.name, kind, sum('requests'), sum('refreshes'), sum('failed'), sum('waited'), of('p50').toFixed(2), of('p99').toFixed(2), beside.toFixed(2)];
    });
    const table = {
      title: 'Steady traffic over many expiries',
      about:
        `${USERS} users, ${PER_SECOND} requests/s in all for ${seconds} s, a token endpoint of ${LATENCY_MS} ms, ${rounds} rounds; a request "waited" if it took ${LATENCY_MS * 0.9} ms or more. ` +
        'Targets: no request waits, p99 with renewals at most 1.1 of p99 without.',
      head: ['', 'tokens', 'requests', 'renewals', 'failed', 'waited', 'p50, ms', 'p99, ms', 'p99 × without expiry'],
      rows,
    };
    return { tables: [table], samples: [...results].map(([{ kind, contestant }, all]) => ({ name: contestant.name, kind, samples: all })) };
  },
};
