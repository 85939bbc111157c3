/** An authenticated `GET /me` at concurrency 50, beside the floors and the peers. */
import { floor1, floor2, floors, peers, thisPackage } from '../contestants.js';
import type { Measure } from '../parts/bench.js';
import { CONCURRENCY } from '../parts/load.js';
import { of, ratio, runRounds, unclean, type Runner } from '../parts/rounds.js';
import { median } from '../parts/statistics.js';

export const requests: Measure = {
  name: 'requests',
  async run(bench) {
    const entries = await bench.entries([...floors, thisPackage, ...peers]);
    const runners: Runner[] = entries.map((entry) => ({ name: entry.contestant.name, entry, path: '/me' }));
    const samples = await runRounds(bench, runners);
    const bestPeer = Math.min(...peers.map(({ name }) => ratio(samples, name, floor1.name, 'cpuPerRequest')));
    const beside = (name: string, floor: string, what: 'cpuPerRequest' | 'perSecond'): string => ratio(samples, name, floor, what).toFixed(2);
    const rows = entries.map(({ contestant: { name }, cookie }) => [
      name,
      median(of(samples, name, 'cpuPerRequest')).toFixed(0),
      beside(name, floor1.name, 'cpuPerRequest'),
      beside(name, floor2.name, 'cpuPerRequest'),
      median(of(samples, name, 'perSecond')).toFixed(0),
      beside(name, floor1.name, 'perSecond'),
      median(of(samples, name, 'p50')).toFixed(1),
      median(of(samples, name, 'p99')).toFixed(1),
      cookie.length,
    ]);
    const own = ratio(samples, thisPackage.name, floor1.name, 'cpuPerRequest');
    const notes = [`This package takes ${(own / bestPeer).toFixed(2)} of the CPU of the best peer (target 0.8).`, ...unclean(samples, runners)];
    const table = {
      title: 'An authenticated GET /me',
      about:
        `At concurrency ${CONCURRENCY}; medians of ${bench.scale.rounds} rounds in turns, ratios within each round. Targets for this package: 1.15 of floor 2's CPU, ` +
        `0.75 of floor 1's, and 1.3 of floor 1's requests/s. ${[...floors, thisPackage].filter(({ note }) => note).map(({ name, note }) => `${name}: ${note}.`).join(' ')}`,
      head: ['', 'CPU/request, µs', '× floor 1', '× floor 2', 'requests/s', '× floor 1', 'p50, ms', 'p99, ms', 'Cookie header, bytes'],
      rows,
      notes,
    };
    return { tables: [table], samples: Object.fromEntries(samples) };
  },
};
