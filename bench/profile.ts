/** Where the CPU of an authenticated `GET /me`, of another path, of a login or of a refresh goes: `npx tsx bench/profile.ts [contestant's file] [path|login|refresh]`, after `npm run build`. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { floors, peers, thisPackage } from './contestants.js';
import { App } from './parts/app.js';
import { login } from './parts/browser.js';
import { load } from './parts/load.js';
import { startWorld } from './parts/world.js';

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame; readonly children?: readonly number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const REQUESTS = 30_000;
const LOGINS = 600;
const REFRESHES = 3000;
const MOST = 45;

const nameOf = ({ functionName, url, lineNumber }: Frame): string =>
  `${functionName || '(anonymous)'} ${url.replace(/^.*?(?=node_modules|dist|contestants|node:)/, '')}:${lineNumber + 1}`;

/** Each sample counts for the innermost of these that it stands in. */
const PARTS: readonly (readonly [string, RegExp])[] = [
  ['express-session, connect-redis', /node_modules\/(?:express-session|connect-redis|cookie-signature|uid-safe|random-bytes|on-headers)\//],
  ['ioredis', /node_modules\/(?:ioredis|@ioredis|redis-errors|standard-as-callback)\//],
  ['openid-client and its parts', /node_modules\/(?:openid-client|oauth4webapi|jose)\//],
  ['passport', /node_modules\/passport/],
  ['Express and its parts', /node_modules\//],
  ['fetch', /node:internal\/deps\/undici/],
  ['cryptography', /node:(?:internal\/)?crypto/],
  ['this package', /\/dist\//],
  ['the app', /contestants\//],
];

function partOf({ functionName, url }: Frame): string | undefined {
  if (functionName === '(idle)' || functionName === '(garbage collector)') return functionName.slice(1, -1);
  if (url === '' && /^write(?:v|Buffer|Utf8String|Latin1String)$/.test(functionName)) return 'writes to sockets';
  return PARTS.find(([, pattern]) => pattern.test(url))?.[0];
}

interface Times {
  readonly byPart: Map<string, number>;
  readonly byFunction: Map<string, number>;
}

function timesOf({ nodes, samples, timeDeltas }: Profile): Times {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const parts = new Map<number, string>();
  for (const { id } of nodes) {
    let part: string | undefined;
    for (let own: number | undefined = id; own !== undefined && part === undefined; own = parents.get(own)) part = partOf(frames.get(own)!);
    parts.set(id, part ?? 'node: http, net, promises');
  }
  const times = { byPart: new Map<string, number>(), byFunction: new Map<string, number>() };
  const add = (sums: Map<string, number>, name: string, time: number): unknown => sums.set(name, (sums.get(name) ?? 0) + time);
  for (const [index, id] of samples.entries()) {
    add(times.byPart, parts.get(id)!, timeDeltas[index]!);
    add(times.byFunction, nameOf(frames.get(id)!), timeDeltas[index]!);
  }
  return times;
}

function print(title: string, times: ReadonlyMap<string, number>, count: number): void {
  const lines = [...times].filter(([name]) => !/^\(?idle\b/.test(name)).sort(([, a], [, b]) => b - a).slice(0, MOST);
  process.stdout.write(`${title}\n`);
  for (const [name, time] of lines) process.stdout.write(`${(time / count).toFixed(2).padStart(8)}  ${name}\n`);
}

const [wanted = thisPackage.file, path = '/me'] = process.argv.slice(2);
const contestant = [thisPackage, ...floors, ...peers].find(({ file }) => file === wanted) ?? thisPackage;
const directory = await mkdtemp(join(tmpdir(), 'bench-profile-'));
const world = await startWorld();
try {
  const app = await App.start(world, contestant, { execArgv: ['--cpu-prof', `--cpu-prof-dir=${directory}`] });
  const logIn = async (times: number): Promise<string> => {
    for (let count = 1; count < times; count += 1) await login(world, contestant, app);
    return (await login(world, contestant, app)).cookie;
  };
  // Tokens that are over when they come: each request makes a refresh, and uses its token once.
  if (path === 'refresh') await world.server.set({ lifetimeSeconds: 0 });
  const cookie = await logIn(1);
  const [count, work] = {
    login: [LOGINS, (times: number) => logIn(times)] as const,
    refresh: [REFRESHES, (requests: number) => load([app.origin], { path: '/work', cookies: [cookie], connections: 1, requests })] as const,
  }[path] ?? ([REQUESTS, (requests: number) => load([app.origin], { path, cookies: [cookie], requests })] as const);
  await work(count * 0.1);
  const before = await app.cpu();
  await work(count);
  const cpu = ((await app.cpu()) - before) / count;
  await app.stop();
  const [file] = await readdir(directory);
  const { byPart, byFunction } = timesOf(JSON.parse(await readFile(join(directory, file!), 'utf8')) as Profile);
  print(`${contestant.name}, ${path}: ${cpu.toFixed(0)} µs of CPU each. On the main thread, the start included, µs each by part:`, byPart, count * 1.1);
  print('By function:', byFunction, count * 1.1);
} finally {
  await world.stop();
  await rm(directory, { recursive: true, force: true });
}
