/** How the cost of this package grows with the work: processes, sessions, sessions of one user, providers. */
import { thisPackage } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure, Table } from '../parts/bench.js';
import { login } from '../parts/browser.js';
import { drive, load, openWires } from '../parts/load.js';
import { copySessions } from '../parts/seed.js';
import { growth, inTurn, median } from '../parts/statistics.js';

type Points = Map<number, number[][]>;

/** Each column's median at each size, and the exponent of its growth. */
function tableOf(title: string, about: string, head: readonly string[], points: Points): Table {
  const medians = [...points].map(([size, samples]) => [size, head.slice(1).map((_, column) => median(samples.map((sample) => sample[column]!)))] as const);
  const rows = medians.map(([size, columns]) => [size, ...columns.map((value) => (value < 10 ? value.toFixed(2) : value.toFixed(0)))]);
  const exponents = head.slice(1).map((_, column) => growth(medians.map(([size, columns]) => [size, columns[column]!])).toFixed(2));
  return { title, about: `${about} The last line is the exponent of growth: 0 does not grow, 1 is linear.`, head, rows: [...rows, ['exponent', ...exponents]] };
}

const pointsOf = (sizes: readonly number[]): Points => new Map(sizes.map((size) => [size, []]));

async function underLoad(apps: readonly App[], cookies: readonly string[], milliseconds: number): Promise<number[]> {
  const wires = await openWires(apps.map(({ origin }) => origin));
  await drive(wires, { path: '/me', cookies, requests: 500 });
  const total = async (): Promise<number> => (await Promise.all(apps.map((app) => app.cpu()))).reduce((sum, cpu) => sum + cpu, 0);
  const before = await total();
  const { requests, perSecond } = await drive(wires, { path: '/me', cookies, milliseconds });
  const cpu = ((await total()) - before) / requests;
  for (const wire of wires) wire.close();
  return [cpu, perSecond];
}

const rounds = ({ scale }: Bench): number => Math.ceil(scale.rounds / 2);

async function processes(bench: Bench): Promise<Table> {
  const first = await App.start(bench.world, thisPackage);
  const others = await Promise.all([1, 2, 3].map(() => App.start(bench.world, thisPackage, { baseUrl: first.baseUrl })));
  const { cookie } = await login(bench.world, thisPackage, first);
  const apps = [first, ...others];
  const points = pointsOf([1, 2, 3, 4]);
  await underLoad(apps, [cookie], bench.scale.sampleMs * 2);
  for (let round = 0; round < rounds(bench); round += 1) {
    for (const count of inTurn([...points.keys()], round)) points.get(count)!.push(await underLoad(apps.slice(0, count), [cookie], bench.scale.sampleMs));
  }
  for (const app of apps) await app.stop();
  return tableOf('Processes', 'Requests/s can grow only as far as the machine has cores left for Redis and the load.', ['processes', 'CPU/request, µs', 'requests/s'], points);
}

async function sessions(bench: Bench): Promise<Table> {
  const entry = await bench.entry(thisPackage);
  const points = pointsOf(bench.scale.scaling.sessions);
  const cookies = await copySessions(entry, bench.world.redis.url, Math.max(...points.keys()));
  await underLoad([entry.app], cookies, bench.scale.sampleMs * 2);
  for (let round = 0; round < rounds(bench); round += 1) {
    for (const count of inTurn([...points.keys()], round)) points.get(count)!.push(await underLoad([entry.app], cookies.slice(0, count), bench.scale.sampleMs));
  }
  return tableOf('Sessions', 'GET /me over so many sessions in turns.', ['sessions', 'CPU/request, µs', 'requests/s'], points);
}

async function subjects(bench: Bench): Promise<Table> {
  const { app } = await bench.entry(thisPackage);
  const points = pointsOf(bench.scale.scaling.subjects);
  for (const size of points.keys()) {
    const subject = `crowd${size}`;
    const cookies: string[] = [];
    while (cookies.length < size) cookies.push((await login(bench.world, thisPackage, app, { login_hint: subject })).cookie);
    const before = await app.cpu();
    await login(bench.world, thisPackage, app, { login_hint: subject });
    const loginMs = ((await app.cpu()) - before) / 1000;
    const startedAt = performance.now();
    const ended = await fetch(`${app.origin}/end/${subject}`, { method: 'POST' });
    const endMs = performance.now() - startedAt;
    const left = await load([app.origin], { path: '/me', cookies, requests: size });
    if (!ended.ok || left.failed !== size) throw new Error(`${size - left.failed} of ${size} sessions outlived endSessions()`);
    points.get(size)!.push([loginMs, endMs, endMs / (size + 1)]);
  }
  return tableOf('Sessions of one user', 'One further login, and `endSessions()` for all.', ['sessions of the user', 'CPU of a login, ms', 'endSessions(), ms', 'per session, ms'], points);
}

const SAMPLED_PROVIDERS = 20;

async function providers(bench: Bench): Promise<Table> {
  const points = pointsOf(bench.scale.scaling.providers);
  for (const count of points.keys()) {
    const startedAt = performance.now();
    const app = await App.start(bench.world, thisPackage, { settings: { providers: count } });
    const startMs = performance.now() - startedAt;
    const before = await app.cpu();
    const cookies: string[] = [];
    for (let index = 0; index < SAMPLED_PROVIDERS; index += 1) {
      const query: Record<string, string> = count === 1 ? {} : { provider: `p${Math.floor((index * count) / SAMPLED_PROVIDERS)}` };
      cookies.push((await login(bench.world, thisPackage, app, query)).cookie);
    }
    const loginMs = ((await app.cpu()) - before) / 1000 / SAMPLED_PROVIDERS;
    await underLoad([app], cookies, bench.scale.sampleMs);
    const [cpu = NaN] = await underLoad([app], cookies, bench.scale.sampleMs);
    points.get(count)!.push([startMs, loginMs, cpu, (await app.memory()).heapUsed / 2 ** 20]);
    await app.stop();
  }
  const head = ['providers', 'start, ms', 'CPU of a login, ms', 'GET /me, CPU/request, µs', 'heap, MiB'];
  return tableOf('Providers', `${SAMPLED_PROVIDERS} logins, spread over the providers; the first at each includes finding its metadata and keys.`, head, points);
}

export const scaling: Measure = {
  name: 'scaling',
  async run(bench) {
    const tables: Table[] = [];
    for (const part of [processes, sessions, subjects, providers]) {
      tables.push(await part(bench));
      bench.say(`  ${tables.at(-1)!.title}`);
    }
    return { tables, samples: tables.map(({ title, rows }) => ({ title, rows })) };
  },
};
