/** Memory: how a process and Redis grow with the number of sessions. Each contestant has a process and a Redis of its own here. */
import { startRedis, type RedisServer } from '../../test/support/redis-server.js';
import { peers, thisPackage, type Contestant } from '../contestants.js';
import { App } from '../parts/app.js';
import type { Bench, Measure } from '../parts/bench.js';
import { login } from '../parts/browser.js';
import { Wire } from '../parts/wire.js';

interface Point {
  readonly sessions: number;
  readonly rssGrowth: number;
  readonly heapGrowth: number;
  readonly redisBytesPerSession: number;
}

const BEFORE = 200;
const AT_ONCE = 20;

/** Of one connection, which is there from the first question on. */
function usedMemoryOf(redis: RedisServer): () => Promise<number> {
  const client = redis.client();
  return async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
}

/** Users who log in, look at a page, and call an API. */
async function users(bench: Bench, contestant: Contestant, app: App, count: number): Promise<void> {
  const wires = await Promise.all(Array.from({ length: AT_ONCE }, () => Wire.open(app.origin)));
  let left = count;
  await Promise.all(
    wires.map(async (wire) => {
      while (left > 0) {
        left -= 1;
        const { cookie } = await login(bench.world, contestant, app);
        await wire.get('/api', cookie);
      }
      wire.close();
    }),
  );
}

async function grow(bench: Bench, contestant: Contestant, sizes: readonly number[]): Promise<Point[]> {
  const redis = await startRedis();
  const usedMemory = usedMemoryOf(redis);
  const app = await App.start(bench.world, contestant, { redis: redis.url });
  try {
    await users(bench, contestant, app, BEFORE); // what is optimised and pooled once is no growth
    const [memory, stored] = [await app.memory(), await usedMemory()];
    const points: Point[] = [];
    let sessions = 0;
    for (const size of sizes) {
      await users(bench, contestant, app, size - sessions);
      sessions = size;
      const now = await app.memory();
      const redisBytesPerSession = ((await usedMemory()) - stored) / sessions;
      points.push({ sessions, rssGrowth: now.rss - memory.rss, heapGrowth: now.heapUsed - memory.heapUsed, redisBytesPerSession });
      bench.say(`  ${contestant.name}: ${sessions} sessions`);
    }
    return points;
  } finally {
    await app.stop();
    await redis.stop();
  }
}

export const memory: Measure = {
  name: 'memory',
  async run(bench) {
    const { inRedis, inCookies } = bench.scale.sessions;
    const samples: Record<string, readonly Point[]> = {};
    for (const contestant of [thisPackage, ...peers]) {
      samples[contestant.name] = await grow(bench, contestant, contestant.store === 'Redis' ? inRedis : inCookies);
    }
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    const rows = Object.entries(samples).flatMap(([name, points]) =>
      points.map(({ sessions, rssGrowth, heapGrowth, redisBytesPerSession }) => [name, sessions, mib(rssGrowth), mib(heapGrowth), redisBytesPerSession.toFixed(0)]),
    );
    const table = {
      title: 'Memory',
      about: `Growth since the first ${BEFORE} logins, after a collection of garbage; each user logs in, looks at a page and calls an API. Targets: a process that stays flat (its caches are bounded), and Redis at most as full as with the best of the peers that keep sessions there.`,
      head: ['', 'sessions', 'resident growth, MiB', 'heap growth, MiB', 'Redis bytes per session'],
      rows,
    };
    return { tables: [table], samples };
  },
};
