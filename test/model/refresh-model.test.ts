/**
 * The refresh protocol under every disturbance that a seeded scheduler can think of: the real token manager and the real stores, several
 * processes, an authorization server that rotates, crashes, lost answers, outages, stalls, fail-overs. What must hold stands in
 * `witness.ts`. A failure prints its seed and the whole history; `SOAK_SEED=<seed> SOAK_HISTORIES=1 npm run test:soak` plays it again.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMemoryGrantStore } from '../../lib/grants/memory-grant-store.js';
import { createRedisGrantStore } from '../../lib/grants/redis-grant-store.js';
import { createSealer } from '../../lib/seal.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';
import { Explorer, type ExplorerSettings } from './explorer.js';
import { plantedBugs } from './planted-bugs.js';
import { redisInVirtualTime } from './redis-in-virtual-time.js';
import { explore, tell } from './report.js';

const HISTORIES = 2000;
const HISTORIES_ON_REDIS = 150;

const memory: ExplorerSettings = { openStore: createMemoryGrantStore };

async function expectNoneBroken(settings: ExplorerSettings, broken: ReadonlyMap<number, readonly string[]>): Promise<void> {
  const [seed] = broken.keys();
  if (seed !== undefined) throw new Error(await tell(settings, seed));
}

describe('the refresh protocol', () => {
  it(`E5: keeps its promises in ${HISTORIES} histories, among them every kind of trouble`, async () => {
    const { broken, reached } = await explore(memory, { first: 1, count: HISTORIES });
    await expectNoneBroken(memory, broken);
    const events = ['started', 'committed', 'stale', 'gone', 'refused', 'failed', 'takeover', 'healed', 'subject_mismatch'];
    expect([...reached.keys()]).toEqual(expect.arrayContaining(events.map((event) => `refresh.${event}`)));
  }, 360_000);

  it('plays the same history for the same seed', async () => {
    const explorer = new Explorer(memory);
    for (const seed of [1, 2, 3, 1000, 2000]) {
      const { lines } = await explorer.run(seed, true);
      expect((await new Explorer(memory).run(seed, true)).lines).toEqual(lines);
    }
  });
});

describe('the refresh protocol on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ unixSocket: true });
  });
  afterAll(() => redis.stop());

  it(`plays ${HISTORIES_ON_REDIS} histories step by step as in memory`, async () => {
    const client = redis.client();
    const sealer = createSealer(['a secret for tests only, of more than enough length']);
    const onRedis = new Explorer({ openStore: (clock) => createRedisGrantStore(redisInVirtualTime(client, clock), sealer) });
    const inMemory = new Explorer(memory);
    for (let seed = 1; seed <= HISTORIES_ON_REDIS; seed += 1) {
      const [history, model] = [await onRedis.run(seed, true), await inMemory.run(seed, true)];
      expect({ seed, lines: history.lines }).toEqual({ seed, lines: model.lines });
      expect(history.violations).toEqual([]);
    }
  }, 360_000);
});

describe('the model finds', () => {
  it.each(plantedBugs)('$name', async ({ finding, ...plants }) => {
    const settings = { ...memory, ...plants };
    const { broken } = await explore(settings, { first: 1, count: HISTORIES });
    const [[seed, violations] = [0, []]] = broken;
    expect(violations.join('\n')).toMatch(finding);
    expect(await tell(settings, seed)).toContain(violations[0]);
  }, 360_000);
});
