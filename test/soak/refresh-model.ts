/**
 * The histories of test/model, many more of them: `npm run test:soak`. From the environment:
 *
 *   SOAK_HISTORIES           in memory; default 100,000
 *   SOAK_HISTORIES_ON_REDIS  played on Redis and in memory, step by step alike; default a twentieth
 *   SOAK_SEED                the first seed; default a new one each time, so that every run looks somewhere else
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createMemoryGrantStore } from '../../lib/grants/memory-grant-store.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import { createSealer } from '../../lib/seal.js';
import { Explorer, type ExplorerSettings } from '../model/explorer.js';
import { redisInVirtualTime } from '../model/redis-in-virtual-time.js';
import { explore, tell } from '../model/report.js';
import { startRedis } from '../support/redis-server.js';

/** What a worker tells when it is done. */
interface Outcome {
  readonly broken: readonly [seed: number, violations: readonly string[]][];
  readonly reached: readonly [event: string, histories: number][];
}

const memory: ExplorerSettings = { openStore: createMemoryGrantStore };
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function numberFrom(name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} must be a whole number`);
  return value;
}

/** In a process of its own: `count` histories from `first` on. */
async function work(first: number, count: number): Promise<void> {
  const { broken, reached } = await explore(memory, { first, count, enough: 5, progress: (done) => done % 10_000 === 0 && say(`  ${done} of ${count} from seed ${first} on`) });
  const outcome: Outcome = { broken: [...broken], reached: [...reached] };
  process.send!(outcome, () => process.disconnect());
}

async function share(first: number, count: number): Promise<Outcome> {
  const child = fork(fileURLToPath(import.meta.url), [String(first), String(count)]);
  const [outcome] = (await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])])) as [Outcome | undefined];
  if (outcome === undefined) throw new Error(`the worker from seed ${first} on ended without a word`);
  return outcome;
}

async function inMemory(first: number, count: number): Promise<number[]> {
  const workers = Math.max(1, Math.min(availableParallelism(), Math.ceil(count / 1000)));
  const each = Math.ceil(count / workers);
  const outcomes = await Promise.all(Array.from({ length: workers }, (_, index) => share(first + index * each, Math.min(each, count - index * each))));
  const reached = new Map<string, number>();
  for (const [event, histories] of outcomes.flatMap((outcome) => outcome.reached)) reached.set(event, (reached.get(event) ?? 0) + histories);
  for (const [event, histories] of [...reached].sort()) say(`  ${event}: in ${histories} histories`);
  return outcomes.flatMap(({ broken }) => broken.map(([seed]) => seed));
}

/** The seeds whose history on Redis is broken, or differs from the one in memory. */
async function onRedis(first: number, count: number): Promise<number[]> {
  const redis = await startRedis({ unixSocket: true });
  try {
    const client = redis.client();
    const sealer = createSealer(['a secret for tests only, of more than enough length']);
    const there = new Explorer({ openStore: (clock) => createRedisGrantStore(redisInVirtualTime(client, clock), sealer) });
    const here = new Explorer(memory);
    for (let seed = first; seed < first + count; seed += 1) {
      const [history, model] = [await there.run(seed, true), await here.run(seed, true)];
      const difference = history.lines.findIndex((line, index) => line !== model.lines[index]);
      if (difference !== -1) say(`seed ${seed} differs on Redis:\n  ${history.lines[difference]}\nin memory:\n  ${model.lines[difference]}`);
      if (difference !== -1 || history.violations.length > 0) return [seed];
    }
    return [];
  } finally {
    await redis.stop();
  }
}

async function soak(): Promise<void> {
  const histories = numberFrom('SOAK_HISTORIES', 100_000);
  const histories2 = numberFrom('SOAK_HISTORIES_ON_REDIS', Math.ceil(histories / 20));
  const first = numberFrom('SOAK_SEED', Math.floor(Math.random() * 1_000_000_000));
  const startedAt = performance.now();
  say(`${histories} histories in memory and ${histories2} on Redis, from SOAK_SEED=${first} on`);
  const broken = [...(await inMemory(first, histories)), ...(await onRedis(first, histories2))];
  for (const seed of new Set(broken)) say(await tell(memory, seed));
  say(`${broken.length} broken histories${broken.length === 0 ? '' : ` (seeds ${broken.join(', ')})`} in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  if (broken.length > 0) process.exitCode = 1;
}

const [first, count] = process.argv.slice(2).map(Number);
await (first === undefined || count === undefined ? soak() : work(first, count));
