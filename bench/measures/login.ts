/** A login: its start, the callback, the first page. */
import { peers, thisPackage } from '../contestants.js';
import type { Bench, Entry, Measure } from '../parts/bench.js';
import { login as logIn } from '../parts/browser.js';
import { inTurn, median, spread } from '../parts/statistics.js';

interface Sample {
  readonly cpu: number;
  readonly commands: number;
  readonly byName: Readonly<Record<string, number>>;
  readonly setCookieBytes: number;
}

async function sample({ world, scale }: Bench, { contestant, app }: Entry): Promise<Sample> {
  const counter = await world.commandCounter();
  const before = await app.cpu();
  let setCookieBytes = 0;
  for (let count = 0; count < scale.logins; count += 1) ({ setCookieBytes } = await logIn(world, contestant, app));
  const cpu = ((await app.cpu()) - before) / scale.logins;
  return { cpu, commands: (await counter.total()) / scale.logins, byName: await counter.byName(), setCookieBytes };
}

export const login: Measure = {
  name: 'login',
  async run(bench) {
    const entries = await bench.entries([thisPackage, ...peers]);
    const samples = new Map<string, Sample[]>(entries.map(({ contestant }) => [contestant.name, []]));
    for (const entry of entries) await sample(bench, entry);
    for (let round = 0; round < bench.scale.rounds; round += 1) {
      for (const entry of inTurn(entries, round)) samples.get(entry.contestant.name)!.push(await sample(bench, entry));
      bench.say(`  round ${round + 1} of ${bench.scale.rounds}`);
    }
    const own = samples.get(thisPackage.name)!;
    const rows = entries.map(({ contestant: { name } }) => {
      const all = samples.get(name)!;
      const beside = median(all.map(({ cpu }, round) => cpu / own[round]!.cpu));
      const { byName, commands } = all.at(-1)!;
      const named = Object.entries(byName).map(([command, calls]) => `${(calls / bench.scale.logins).toFixed(0)} ${command.toUpperCase()}`);
      return [name, (median(all.map(({ cpu }) => cpu)) / 1000).toFixed(2), beside.toFixed(2), commands.toFixed(0), named.join(', ') || '–', all.at(-1)!.setCookieBytes];
    });
    const noisy = entries.map(({ contestant: { name } }) => ({ name, share: spread(samples.get(name)!.map(({ cpu }) => cpu)) })).filter(({ share }) => share > 0.1);
    const table = {
      title: 'A login',
      about: `Start, callback and first page, one after the other; ${bench.scale.logins} logins a round, medians of ${bench.scale.rounds} rounds in turns. Commands inside a script count too. Target: at most the best of the peers.`,
      head: ['', 'CPU/login, ms', '× this package', 'Redis commands', 'which', 'Set-Cookie, bytes'],
      rows,
      notes: noisy.map(({ name, share }) => `Not clean: ${name}, half the interquartile range of the CPU is ${(share * 100).toFixed(0)} %.`),
    };
    return { tables: [table], samples: Object.fromEntries(samples) };
  },
};
