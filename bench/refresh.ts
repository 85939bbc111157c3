/**
 * A stampede: 200 requests at once on one login whose access token is over, with a token endpoint that takes 100 ms. This package beside a
 * refresh by hand, in the same run, in turns: `npm run bench:refresh`. From the environment: `BENCH_ROUNDS`, default 7, and `BENCH_LATENCY_MS`, default
 * 100: the longer it is, the less the requests themselves count beside it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { startAuthorizationServer, webClient, type AuthorizationServer } from '../test/support/authorization-server.js';
import { createBrowser } from '../test/support/browser.js';
import { listen, sendJson } from '../test/support/http.js';
import { startRedis } from '../test/support/redis-server.js';
import { App, type Configuration } from './refresh/child.js';
import { Wire } from './refresh/wire.js';

const REQUESTS = 200;
const LATENCY_MS = Number(process.env['BENCH_LATENCY_MS'] ?? 100);
const PROCESSES = [1, 2, 4] as const;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7);
const LONG_LIFE_SECONDS = 3600;
/** Of all processes; the browser finds the first of them there. */
const baseUrl = 'http://127.0.0.1:9';

type Kind = 'this package' | 'by hand';
type Server = 'strict' | 'no rotation';
interface Case {
  readonly server: Server;
  readonly kind: Kind;
  readonly processes: (typeof PROCESSES)[number];
}

/** What one round of a case measured. */
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
}

interface Bench {
  readonly server: AuthorizationServer;
  readonly apps: Readonly<Record<Kind, readonly App[]>>;
  readonly redirectUri: string;
  /** Of the token calls since the last stampede. */
  readonly latencies: number[];
}

/** All requests at once, evenly over the connections. */
async function timed(wires: readonly Wire[], cookie: string, path = '/work'): Promise<{ ms: number; statuses: number[] }> {
  const startedAt = performance.now();
  const statuses = await Promise.all(wires.map((wire) => wire.get(path, cookie)));
  return { ms: performance.now() - startedAt, statuses };
}

/** A user who has just logged in; answers the cookie. */
async function login(bench: Bench, kind: Kind, account: string): Promise<string> {
  const browser = createBrowser({ login: account, proxies: { [baseUrl]: bench.apps[kind][0]!.origin } });
  if (kind === 'this package') {
    await browser.get(`${baseUrl}/login?returnTo=/work`);
    return browser.cookies.header(new URL(baseUrl)) ?? '';
  }
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL('/auth', bench.server.issuer);
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const parameters = { client_id: 'web', response_type: 'code', redirect_uri: bench.redirectUri, scope: 'openid', state: 's', code_challenge: challenge, code_challenge_method: 'S256' };
  url.search = new URLSearchParams(parameters).toString();
  const code = new URL((await browser.get(url)).url).searchParams.get('code') ?? '';
  const authorization = `Basic ${Buffer.from(`${webClient.clientId}:${encodeURIComponent(webClient.clientSecret)}`).toString('base64')}`;
  const body = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: bench.redirectUri, code_verifier: verifier });
  const tokens = await fetch(`${bench.server.issuer}/token`, { method: 'POST', headers: { authorization }, body });
  const stored = await fetch(`${bench.apps[kind][0]!.origin}/tokens`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: await tokens.text() });
  return stored.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

let users = 0;

async function sample(bench: Bench, { server, kind, processes }: Case): Promise<Sample> {
  const { settings, tokenRequests } = bench.server;
  const apps = bench.apps[kind].slice(0, processes);
  settings.rotateRefreshToken = server === 'strict';
  settings.accessTokenTtl = LONG_LIFE_SECONDS;
  const rested = await login(bench, kind, `user${(users += 1)}`);
  settings.accessTokenTtl = 1;
  const expired = await login(bench, kind, `user${(users += 1)}`);
  settings.accessTokenTtl = LONG_LIFE_SECONDS;
  await setTimeout(1100);
  const wires = await Promise.all(Array.from({ length: REQUESTS }, (_, index) => Wire.open(apps[index % apps.length]!.origin)));
  await timed(wires, rested); // new connections cost extra
  const rest = await timed(wires, rested);
  const floor = await timed(wires, rested, `/delayed?ms=${LATENCY_MS}`);
  for (const app of apps) app.forget();
  const before = tokenRequests.refresh_token;
  bench.latencies.length = 0;
  const { ms, statuses } = await timed(wires, expired);
  for (const wire of wires) wire.close();
  const tokenCalls = tokenRequests.refresh_token - before;
  await setTimeout(100); // what the processes have to tell comes after their answers
  const successRate = statuses.filter((status) => status === 200).length / REQUESTS;
  return { tokenCalls, successRate, wallMs: ms, latencyMs: median(bench.latencies), restMs: rest.ms, floorMs: floor.ms, waiterMs: waiterMs(apps) };
}

function waiterMs(apps: readonly App[]): number[] {
  const [committedAt] = apps.flatMap((app) => app.committedAt);
  if (committedAt === undefined) return [];
  return apps.filter((app) => app.committedAt.length === 0).map(({ answeredAt }) => Math.max(0, Math.min(...answeredAt) - committedAt));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function row({ server, kind, processes }: Case, samples: readonly Sample[]): string {
  const of = (value: (sample: Sample) => number): number => median(samples.map(value));
  const waits = samples.flatMap((each) => each.waiterMs);
  const cells = [
    server,
    kind,
    processes,
    of(({ tokenCalls }) => tokenCalls),
    `${(of(({ successRate }) => successRate) * 100).toFixed(1)} %`,
    of(({ latencyMs }) => latencyMs).toFixed(0),
    of(({ wallMs }) => wallMs).toFixed(0),
    (of(({ wallMs }) => wallMs) / LATENCY_MS).toFixed(2),
    of(({ floorMs }) => floorMs).toFixed(0),
    of(({ wallMs, floorMs }) => wallMs / floorMs).toFixed(2),
    of(({ restMs }) => restMs).toFixed(0),
    waits.length === 0 ? '–' : `${median(waits).toFixed(0)} (${Math.max(...waits).toFixed(0)})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function print(results: ReadonlyMap<Case, readonly Sample[]>): void {
  const head = [
    `| server | refresh | processes | token calls | answers 200 | token endpoint, ms | all answered, ms | × ${LATENCY_MS} ms | a delay of ${LATENCY_MS} ms instead, ms | × that | with a good token, ms | waiters after commit, ms: median (max) |`,
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  const about = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`;
  const text = `${REQUESTS} requests at once on an expired login, token endpoint ${LATENCY_MS} ms, ${ROUNDS} rounds in turns, medians. ${about}.`;
  const rows = [...results].map(([which, samples]) => row(which, samples));
  process.stdout.write(`${[text, '', ...head, ...rows].join('\n')}\n`);
}

async function start(): Promise<{ bench: Bench; stop: () => Promise<void> }> {
  const [server, redis] = await Promise.all([startAuthorizationServer({ host: 'localhost' }), startRedis()]);
  const latencies: number[] = [];
  server.intercept = async (req, res) => {
    if (req.url !== '/token') return false;
    const arrivedAt = performance.now();
    res.once('finish', () => latencies.push(performance.now() - arrivedAt));
    await setTimeout(LATENCY_MS);
    return false;
  };
  const callback = await listen(() => (_req, res) => sendJson(res, 200, {}));
  const settings: Configuration = { issuer: server.issuer, ...webClient, redis: redis.url, baseUrl };
  await server.registerApp(baseUrl);
  await server.registerApp(`http://127.0.0.1:${callback.port}`);
  const startAll = (file: string): Promise<App[]> => Promise.all(Array.from({ length: Math.max(...PROCESSES) }, () => App.start(new URL(file, import.meta.url), settings)));
  const [ours, byHand] = await Promise.all([startAll('./refresh/our-app.ts'), startAll('./refresh/naive-app.ts')]);
  const bench = { server, apps: { 'this package': ours, 'by hand': byHand }, redirectUri: `http://127.0.0.1:${callback.port}/callback`, latencies };
  const stop = async (): Promise<void> => {
    await Promise.all([...ours, ...byHand].map((app) => app.stop()));
    await Promise.all([callback.close(), server.stop(), redis.stop()]);
  };
  return { bench, stop };
}

async function run(): Promise<void> {
  const { bench, stop } = await start();
  try {
    const servers: readonly Server[] = ['strict', 'no rotation'];
    const kinds: readonly Kind[] = ['this package', 'by hand'];
    const cases: Case[] = servers.flatMap((server) => kinds.flatMap((kind) => PROCESSES.map((processes) => ({ server, kind, processes }))));
    const results = new Map<Case, Sample[]>(cases.map((each) => [each, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      // Every other round backwards, so that no case always comes after the same one.
      for (const each of round % 2 === 0 ? cases : cases.toReversed()) results.get(each)?.push(await sample(bench, each));
      process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
    }
    print(results);
  } finally {
    await stop();
  }
}

await run();
