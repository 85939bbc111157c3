/** A stampede: 200 requests at once on one login whose access token is over, with a token endpoint that takes its time. */
import { setTimeout } from 'node:timers/promises';
import { byHand, naive, openidRedis, thisPackage, type Contestant } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure, Table } from '../parts/bench.js';
import { login } from '../parts/browser.js';
import { drive, openWires } from '../parts/load.js';
import { inTurn, median } from '../parts/statistics.js';

const REQUESTS = 200;
const LATENCY_MS = 100;
const PROCESSES = [1, 2, 4] as const;
const CONTESTANTS = [thisPackage, naive, byHand, openidRedis];
const SERVERS = ['strict', 'no rotation'] as const;

interface Case {
  readonly server: (typeof SERVERS)[number];
  readonly contestant: Contestant;
  readonly processes: (typeof PROCESSES)[number];
}

interface Sample {
  readonly tokenCalls: number;
  readonly successRate: number;
  readonly wallMs: number;
  /** Of the token endpoint, as the server saw it: with what it has to do itself. */
  readonly latencyMs: number;
  /** The same requests just before, when the token was good. */
  readonly restMs: number;
  /** With a good token and a mere delay as long as the token call: what the machine takes for it. */
  readonly floorMs: number;
  /** From the commit to the first answer of each process that did not make it. */
  readonly waiterMs: readonly number[];
  /** By the server: an old refresh token came again. */
  readonly ended: boolean;
}

interface Users {
  readonly rested: string;
  readonly expired: string;
}

type Apps = ReadonlyMap<Contestant, readonly App[]>;

/** Several processes of each, as behind a load balancer. */
async function start({ world }: Bench): Promise<Apps> {
  const apps = new Map<Contestant, App[]>();
  for (const contestant of CONTESTANTS) {
    const settings = { tellAnswers: true };
    const first = await App.start(world, contestant, { settings });
    const others = await Promise.all(Array.from({ length: Math.max(...PROCESSES) - 1 }, () => App.start(world, contestant, { settings, baseUrl: first.baseUrl })));
    apps.set(contestant, [first, ...others]);
  }
  return apps;
}

/** All log in first, so that their tokens end together. */
async function logIn({ world }: Bench, apps: Apps, cases: readonly Case[]): Promise<Map<Case, Users>> {
  const users = new Map<Case, Users>();
  const cookies = async (lifetimeSeconds: number): Promise<string[]> => {
    await world.server.set({ lifetimeSeconds, latencyMs: 0, rotate: true });
    const all: string[] = [];
    for (const { contestant } of cases) all.push((await login(world, contestant, apps.get(contestant)![0]!)).cookie);
    return all;
  };
  const [rested, expired] = [await cookies(3600), await cookies(1)];
  for (const [index, each] of cases.entries()) users.set(each, { rested: rested[index]!, expired: expired[index]! });
  await setTimeout(1100);
  return users;
}

async function sample({ world }: Bench, apps: readonly App[], rotate: boolean, { rested, expired }: Users): Promise<Sample> {
  const wires = await openWires(apps.map(({ origin }) => origin), REQUESTS);
  const all = { path: '/work', requests: REQUESTS };
  await drive(wires, { ...all, cookies: [rested] }); // new connections cost extra
  const rest = await drive(wires, { ...all, cookies: [rested] });
  const floor = await drive(wires, { ...all, path: `/delayed?ms=${LATENCY_MS}`, cookies: [rested] });
  for (const app of apps) app.forget();
  await world.server.set({ lifetimeSeconds: 3600, latencyMs: LATENCY_MS, rotate });
  const { milliseconds, failed } = await drive(wires, { ...all, cookies: [expired] });
  await setTimeout(50); // what the processes have to tell comes after their answers
  const waiterMs = waiterMsOf(apps);
  const { refreshes, latencies, ended } = await world.server.set({ latencyMs: 0 });
  for (const wire of wires) wire.close();
  const successRate = 1 - failed / REQUESTS;
  return { tokenCalls: refreshes, successRate, wallMs: milliseconds, latencyMs: median(latencies), restMs: rest.milliseconds, floorMs: floor.milliseconds, waiterMs, ended: ended > 0 };
}

function waiterMsOf(apps: readonly App[]): number[] {
  const [committedAt] = apps.flatMap((app) => app.committedAt);
  if (committedAt === undefined) return [];
  return apps.filter((app) => app.committedAt.length === 0).map(({ answeredAt }) => Math.max(0, Math.min(...answeredAt) - committedAt));
}

function row({ server, contestant, processes }: Case, samples: readonly Sample[]): (string | number)[] {
  const of = (value: (sample: Sample) => number): number => median(samples.map(value));
  const waits = contestant === thisPackage ? samples.flatMap((each) => each.waiterMs) : [];
  return [
    server,
    contestant.name,
    processes,
    of(({ tokenCalls }) => tokenCalls),
    `${(of(({ successRate }) => successRate) * 100).toFixed(1)} %`,
    `${samples.filter(({ ended }) => ended).length} of ${samples.length}`,
    of(({ latencyMs }) => latencyMs).toFixed(0),
    of(({ wallMs }) => wallMs).toFixed(0),
    (of(({ wallMs }) => wallMs) / LATENCY_MS).toFixed(2),
    of(({ floorMs }) => floorMs).toFixed(0),
    of(({ wallMs, floorMs }) => wallMs / floorMs).toFixed(2),
    of(({ restMs }) => restMs).toFixed(0),
    waits.length === 0 ? '–' : `${median(waits).toFixed(0)} (${Math.max(...waits).toFixed(0)})`,
  ];
}

function table(results: ReadonlyMap<Case, readonly Sample[]>, rounds: number): Table {
  return {
    title: 'A stampede on an expired token',
    about:
      `${REQUESTS} requests at once, each on a connection of its own, a token endpoint of ${LATENCY_MS} ms, ${rounds} rounds in turns, medians. "strict" rotates refresh tokens and ends the login when an old one comes ` +
      `again. Target: 1 token call, every answer 200, at most 1.3 × ${LATENCY_MS} ms; the delay tells what the machine alone takes for that.`,
    head: [
      ...['server', '', 'processes', 'token calls', 'answers 200', 'logins ended', 'token endpoint, ms', 'all answered, ms', `× ${LATENCY_MS} ms`],
      ...[`a delay of ${LATENCY_MS} ms instead, ms`, '× that', 'with a good token, ms', 'other processes after the commit, ms: median (most)'],
    ],
    rows: [...results].map(([each, samples]) => row(each, samples)),
  };
}

export const stampede: Measure = {
  name: 'stampede',
  async run(bench) {
    const cases: Case[] = SERVERS.flatMap((server) => CONTESTANTS.flatMap((contestant) => PROCESSES.map((processes) => ({ server, contestant, processes }))));
    const results = new Map<Case, Sample[]>(cases.map((each) => [each, []]));
    const apps = await start(bench);
    const rounds = bench.scale.stampedeRounds;
    try {
      for (let round = 0; round < rounds; round += 1) {
        const users = await logIn(bench, apps, cases);
        for (const each of inTurn(cases, round)) {
          const processes = apps.get(each.contestant)!.slice(0, each.processes);
          results.get(each)!.push(await sample(bench, processes, each.server === 'strict', users.get(each)!));
        }
        bench.say(`  round ${round + 1} of ${rounds}`);
      }
    } finally {
      for (const app of [...apps.values()].flat()) await app.stop();
    }
    const samples = [...results].map(([{ server, contestant, processes }, all]) => ({ server, name: contestant.name, processes, samples: all }));
    return { tables: [table(results, rounds)], samples };
  },
};
