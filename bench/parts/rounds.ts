/** Load on several contestants in turns, and each beside another of the same round. */
import type { Bench, Entry } from './bench.js';
import { drive, openWires } from './load.js';
import { inTurn, median, spread } from './statistics.js';

/** One contestant in one round. */
export interface Sample {
  /** Microseconds of CPU. */
  readonly cpuPerRequest: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

/** A contestant and what it is asked for. */
export interface Runner {
  readonly name: string;
  readonly entry: Entry;
  readonly path: string;
}

export type Samples = ReadonlyMap<string, readonly Sample[]>;

const WARM_UP_MS = 1500;

async function sample({ entry: { app, cookie }, path }: Runner, milliseconds: number): Promise<Sample> {
  const wires = await openWires([app.origin]);
  await drive(wires, { path, cookies: [cookie], requests: 500 }); // new connections cost extra
  const before = await app.cpu();
  const { requests, failed, perSecond, p50, p99 } = await drive(wires, { path, cookies: [cookie], milliseconds });
  const cpuPerRequest = ((await app.cpu()) - before) / requests;
  for (const wire of wires) wire.close();
  return { cpuPerRequest, perSecond, p50, p99, failed };
}

export async function runRounds(bench: Bench, runners: readonly Runner[]): Promise<Samples> {
  const { rounds, sampleMs } = bench.scale;
  const samples = new Map<string, Sample[]>(runners.map(({ name }) => [name, []]));
  // V8 optimises in the first second; that is nobody's cost per request.
  for (const runner of runners) await sample(runner, Math.min(WARM_UP_MS, sampleMs * 2));
  for (let round = 0; round < rounds; round += 1) {
    for (const runner of inTurn(runners, round)) samples.get(runner.name)!.push(await sample(runner, sampleMs));
    bench.say(`  round ${round + 1} of ${rounds}`);
  }
  return samples;
}

export const of = (samples: Samples, name: string, what: keyof Sample): number[] => (samples.get(name) ?? []).map((each) => each[what]);

/** The median of the ratios within each round. */
export function ratio(samples: Samples, name: string, floor: string, what: keyof Sample): number {
  const below = of(samples, floor, what);
  return median(of(samples, name, what).map((value, round) => value / below[round]!));
}

/** A spread of more than this is told. */
const CLEAN = 0.1;

export function unclean(samples: Samples, runners: readonly Runner[]): string[] {
  const noisy = runners
    .map(({ name }) => ({ name, cpu: spread(of(samples, name, 'cpuPerRequest')), rate: spread(of(samples, name, 'perSecond')) }))
    .filter(({ cpu, rate }) => cpu > CLEAN || rate > CLEAN)
    .map(({ name, cpu, rate }) => `Not clean: ${name}, half the interquartile range is ${percent(cpu)} of the CPU and ${percent(rate)} of the requests/s.`);
  const failed = runners
    .map(({ name }) => ({ name, sum: of(samples, name, 'failed').reduce((sum, value) => sum + value, 0) }))
    .filter(({ sum }) => sum > 0)
    .map(({ name, sum }) => `${name}: ${sum} requests failed.`);
  return [...noisy, ...failed];
}

export const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
