/** Where the CPU of an authenticated `GET /me` goes: `npx tsx bench/profile.ts [contestant's file] [path]`, after `npm run build`. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { floors, peers, thisPackage } from './contestants.js';
import { App } from './parts/app.js';
import { login } from './parts/browser.js';
import { load } from './parts/load.js';
import { startWorld } from './parts/world.js';

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const REQUESTS = 30_000;
const MOST = 45;

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [id, `${functionName || '(anonymous)'} ${url.replace(/^.*?(?=node_modules|dist|contestants|node:)/, '')}:${lineNumber + 1}`]));
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) times.set(names.get(id)!, (times.get(names.get(id)!) ?? 0) + timeDeltas[index]!);
  return times;
}

const [wanted = thisPackage.file, path = '/me'] = process.argv.slice(2);
const contestant = [thisPackage, ...floors, ...peers].find(({ file }) => file === wanted) ?? thisPackage;
const directory = await mkdtemp(join(tmpdir(), 'bench-profile-'));
const world = await startWorld();
try {
  const app = await App.start(world, contestant, { execArgv: ['--cpu-prof', `--cpu-prof-dir=${directory}`] });
  const { cookie } = await login(world, contestant, app);
  await load([app.origin], { path, cookies: [cookie], requests: 3000 });
  const before = await app.cpu();
  await load([app.origin], { path, cookies: [cookie], requests: REQUESTS });
  const cpu = ((await app.cpu()) - before) / REQUESTS;
  await app.stop();
  const [file] = await readdir(directory);
  const times = selfTimes(JSON.parse(await readFile(join(directory, file!), 'utf8')) as Profile);
  const lines = [...times].filter(([name]) => !name.startsWith('(idle)')).sort(([, a], [, b]) => b - a).slice(0, MOST);
  process.stdout.write(`${contestant.name}, GET ${path}: ${cpu.toFixed(0)} µs of CPU per request. Self time per request, µs:\n`);
  for (const [name, time] of lines) process.stdout.write(`${(time / (REQUESTS + 3000)).toFixed(2).padStart(8)}  ${name}\n`);
} finally {
  await world.stop();
  await rm(directory, { recursive: true, force: true });
}
