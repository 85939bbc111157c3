/** Steady traffic over many expiries: does anybody notice that tokens are renewed? */
import { setTimeout } from 'node:timers/promises';
import { byHand, openidRedis, thisPackage, type Contestant } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure, Scale } from '../parts/bench.js';
import { login } from '../parts/browser.js';
import { openWires } from '../parts/load.js';
import { inTurn, median, percentile } from '../parts/statistics.js';

const USERS = 25;
const LATENCY_MS = 150;
const SHORT_SECONDS = 4;
/** A process that did nothing for a while is slow in its first second. */
const SETTLING_SECONDS = 2;
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
async function paced(app: App, cookies: readonly string[], perSecond: number, seconds: number): Promise<{ latencies: number[]; failed: number }> {
  const free = await openWires([app.origin], 100);
  const latencies: number[] = [];
  let failed = 0;
  const running = new Set<Promise<void>>();
  const startedAt = performance.now();
  for (let count = 0; count < seconds * perSecond; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
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

/** Users whose tokens end one after the other: they come when they come, not all at the same moment. Who is there already goes on working. */
async function logins({ world }: Bench, contestant: Contestant, app: App, lifetimeSeconds: number): Promise<string[]> {
  await world.server.set({ lifetimeSeconds, latencyMs: 0, rotate: true });
  const spreadSeconds = lifetimeSeconds < UNENDING ? lifetimeSeconds * 0.8 : 0;
  const cookies = [(await login(world, contestant, app)).cookie];
  const work = paced(app, cookies, PER_SECOND, spreadSeconds);
  while (cookies.length < USERS) {
    await setTimeout((spreadSeconds * 1000) / USERS);
    cookies.push((await login(world, contestant, app)).cookie);
  }
  await work;
  return cookies;
}

async function sample(bench: Bench, { contestant, lifetimeSeconds, elsewhere }: Case, { app, other }: Apps, seconds: number): Promise<Sample> {
  const { server } = bench.world;
  const cookies = await logins(bench, contestant, app, lifetimeSeconds);
  const others = elsewhere ? await logins(bench, contestant, other, SHORT_SECONDS) : [];
  await server.set({ latencyMs: LATENCY_MS });
  // Each of the others comes often enough to be renewed in time.
  const traffic = (forSeconds: number) => Promise.all([paced(app, cookies, PER_SECOND, forSeconds), elsewhere ? paced(other, others, USERS * 2, forSeconds) : undefined]);
  await traffic(SETTLING_SECONDS);
  await server.facts();
  const [{ latencies, failed }] = await traffic(seconds);
  const { refreshes } = await server.facts();
  await setTimeout(LATENCY_MS * 2); // renewals under way
  const waited = latencies.filter((latency) => latency >= LATENCY_MS * 0.9).length;
  return { p50: median(latencies), p99: percentile(latencies, 99), waited, failed, requests: latencies.length, refreshes };
}

const UNENDING = 86_400;
/** In which functions are optimised and the heap finds its size. */
const WARM_UP_SECONDS = 4;

interface Case {
  readonly contestant: Contestant;
  readonly kind: string;
  readonly lifetimeSeconds: number;
  /** Nothing is renewed here, but as much as otherwise in a second process of the same kind: what the machine takes for it. */
  readonly elsewhere: boolean;
}

interface Apps {
  readonly app: App;
  /** The same in another process. */
  readonly other: App;
}

function casesOf(contestant: Contestant, { lifetimes, elsewhere }: Scale['steady']): Case[] {
  const unending = { contestant, kind: 'no expiry', lifetimeSeconds: UNENDING, elsewhere: false };
  const shortest = [{ contestant, kind: `expiry every ${SHORT_SECONDS} s`, lifetimeSeconds: SHORT_SECONDS, elsewhere: false }];
  if (contestant !== thisPackage) return [unending, ...shortest];
  const others = elsewhere ? [{ ...unending, kind: `no expiry; another process renews every ${SHORT_SECONDS} s`, elsewhere }] : [];
  const own = lifetimes.map((lifetimeSeconds) => ({ contestant, kind: `expiry every ${lifetimeSeconds} s`, lifetimeSeconds, elsewhere: false }));
  return [unending, ...others, ...own];
}

export const steady: Measure = {
  name: 'steady',
  async run(bench) {
    const { rounds, seconds } = bench.scale.steady;
    const cases = [thisPackage, byHand, openidRedis].flatMap((contestant) => casesOf(contestant, bench.scale.steady));
    const results = new Map(cases.map((each) => [each, [] as Sample[]]));
    for (const contestant of new Set(cases.map((each) => each.contestant))) {
      const own = cases.filter((each) => each.contestant === contestant);
      const apps = { app: await App.start(bench.world, contestant), other: await App.start(bench.world, contestant) };
      for (const app of Object.values(apps)) await sample(bench, own[0]!, { ...apps, app }, WARM_UP_SECONDS);
      for (let round = 0; round < rounds; round += 1) {
        for (const each of inTurn(own, round)) results.get(each)!.push(await sample(bench, each, apps, seconds));
      }
      await Promise.all([apps.app.stop(), apps.other.stop()]);
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
