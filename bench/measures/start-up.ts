/** From the start of the process to the first answer, and to the first redirect to the authorization server. */
import { floors, peers, thisPackage, type Contestant } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure } from '../parts/bench.js';
import { Browser } from '../parts/browser.js';
import { inTurn, median, spread } from '../parts/statistics.js';

interface Sample {
  readonly answerMs: number;
  readonly redirectMs: number;
  readonly cpuMs: number;
  readonly rss: number;
}

async function sample({ world }: Bench, contestant: Contestant): Promise<Sample> {
  const startedAt = performance.now();
  const app = await App.start(world, contestant);
  await (await fetch(`${app.origin}/public`)).text();
  const answerMs = performance.now() - startedAt;
  if (contestant.login === 'GET /login') await new Browser(app).leave('/login');
  const redirectMs = contestant.login === 'GET /login' ? performance.now() - startedAt : NaN;
  const cpuMs = (await app.cpu()) / 1000;
  const { rss } = await app.memory();
  await app.stop();
  return { answerMs, redirectMs, cpuMs, rss };
}

export const startUp: Measure = {
  name: 'start-up',
  async run(bench) {
    const contestants = [...floors.slice(0, 1), ...floors.slice(2), thisPackage, ...peers];
    const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
    for (const contestant of contestants) await sample(bench, contestant); // files come from the disk the first time
    for (let round = 0; round < bench.scale.startUps; round += 1) {
      for (const contestant of inTurn(contestants, round)) samples.get(contestant.name)!.push(await sample(bench, contestant));
    }
    const of = (name: string, what: keyof Sample): number[] => samples.get(name)!.map((each) => each[what]);
    const shown = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(0));
    const smallest = Math.min(...peers.map(({ name }) => median(of(name, 'answerMs'))));
    const rows = contestants.map(({ name }) => [
      name,
      shown(median(of(name, 'answerMs'))),
      (median(of(name, 'answerMs')) / smallest).toFixed(2),
      shown(median(of(name, 'redirectMs'))),
      shown(median(of(name, 'cpuMs'))),
      (median(of(name, 'rss')) / 2 ** 20).toFixed(0),
    ]);
    const noisy = contestants.filter(({ name }) => spread(of(name, 'answerMs')) > 0.1).map(({ name }) => name);
    const table = {
      title: 'Start-up',
      about: `From the start of the process, medians of ${bench.scale.startUps} rounds in turns; those that need the metadata to start ask for them meanwhile. Target: within 1.1 of the quickest peer.`,
      head: ['', 'first answer, ms', '× quickest peer', 'first login redirect, ms', 'CPU until then, ms', 'resident, MiB'],
      rows,
      notes: noisy.length === 0 ? [] : [`Not clean, half the interquartile range is over 10 %: ${noisy.join(', ')}.`],
    };
    return { tables: [table], samples: Object.fromEntries(samples) };
  },
};
