/** What a request costs at Redis. Counts do not vary: `npm test` asserts those of this package. */
import { floors, peers, thisPackage } from '../contestants.js';
import type { Bench, Entry, Measure } from '../parts/bench.js';
import { load } from '../parts/load.js';

const REQUESTS = 20;

async function perRequest({ world }: Bench, { app }: Entry, path: string, cookie: string): Promise<string> {
  const counter = await world.commandCounter();
  const { failed } = await load([app.origin], { path, cookies: [cookie], connections: 1, requests: REQUESTS });
  if (failed > 0) return 'failed';
  const commands = Object.entries(await counter.byName());
  return commands.length === 0 ? '0' : commands.map(([name, calls]) => `${(calls / REQUESTS).toFixed(calls % REQUESTS === 0 ? 0 : 2)} ${name.toUpperCase()}`).join(', ');
}

export const commands: Measure = {
  name: 'commands',
  async run(bench) {
    const rows: string[][] = [];
    for (const entry of await bench.entries([...floors, thisPackage, ...peers])) {
      const { contestant, cookie } = entry;
      const [path] = contestant.api;
      await load([entry.app.origin], { path: path!, cookies: [cookie], connections: 1, requests: 1 }); // the first call in a process may read the tokens
      rows.push([
        contestant.name,
        await perRequest(bench, entry, '/public', ''),
        await perRequest(bench, entry, '/public', cookie),
        await perRequest(bench, entry, '/me', cookie),
        path === '/api' ? await perRequest(bench, entry, '/api', cookie) : '–',
      ]);
    }
    const table = {
      title: 'Redis commands per request',
      about: `Counted by Redis over ${REQUESTS} requests, one after the other. Targets for this package: 0 anonymous, 1 authenticated, 1 that calls an API with a fresh token.`,
      head: ['', 'anonymous', 'a public page, logged in', 'GET /me', 'a call of an API'],
      rows,
    };
    return { tables: [table], samples: rows };
  },
};
