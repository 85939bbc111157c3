/** `GET /api`: a call of an API with the user's token, beside a bare `fetch` with a token that never changes. */
import { byHand, floor1, floor2, openidRedis, thisPackage } from '../contestants.js';
import type { Measure } from '../parts/bench.js';
import { of, ratio, runRounds, unclean, type Runner } from '../parts/rounds.js';
import { median } from '../parts/statistics.js';

export const api: Measure = {
  name: 'api',
  async run(bench) {
    const runners: Runner[] = [];
    for (const entry of await bench.entries([thisPackage, floor1, floor2, byHand, openidRedis])) {
      for (const path of entry.contestant.api) {
        runners.push({ name: `${entry.contestant.name}, ${path === '/bare' ? 'bare fetch' : 'with the token'}`, entry, path });
      }
    }
    const samples = await runRounds(bench, runners);
    const bare = `${thisPackage.name}, bare fetch`;
    const rows = runners.map(({ name }) => [
      name,
      median(of(samples, name, 'cpuPerRequest')).toFixed(0),
      ratio(samples, name, bare, 'cpuPerRequest').toFixed(2),
      ratio(samples, name, `${floor1.name}, bare fetch`, 'cpuPerRequest').toFixed(2),
      median(of(samples, name, 'p50')).toFixed(1),
      ratio(samples, name, bare, 'p50').toFixed(2),
      median(of(samples, name, 'p99')).toFixed(1),
    ]);
    const table = {
      title: 'A request that calls an API',
      about: `The API answers at once. "Bare fetch": the same session, and the global fetch with a bearer token that never changes. Target: \`oauthFetch\` at most 1.05 of it. Medians of ${bench.scale.rounds} rounds in turns.`,
      head: ['', 'CPU/request, µs', '× bare fetch, this session', '× bare fetch, floor 1', 'p50, ms', '× bare fetch, this session', 'p99, ms'],
      rows,
      notes: unclean(samples, runners),
    };
    return { tables: [table], samples: Object.fromEntries(samples) };
  },
};
