/** A real primary with replicas, watched by real sentinels, all on free loopback ports. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, spawnRedis, startRedis, type RedisServer } from './redis-server.js';

export interface SentinelOptions {
  replicas?: number;
  sentinels?: number;
  /** How long the primary may be silent before a sentinel calls it down. */
  downAfterMs?: number;
}

interface Sentinel {
  readonly shell: ChildProcess;
  readonly admin: Redis;
  readonly port: number;
}

/** The name under which sentinels know the primary. */
export const primaryName = 'sessions';

export async function startSentinel({ replicas = 2, sentinels = 3, downAfterMs = 500 }: SentinelOptions = {}): Promise<SentinelWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'sentinel-test-'));
  const quick = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
  const primary = await startRedis({ arguments: quick });
  const others = await Promise.all(
    Array.from({ length: replicas }, () => startRedis({ arguments: [...quick, '--replicaof', `127.0.0.1 ${primary.port}`] })),
  );
  const world = new SentinelWorld(directory, [primary, ...others]);
  try {
    await world.replicated();
    for (let index = 0; index < sentinels; index += 1) await world.addSentinel(Math.floor(sentinels / 2) + 1, downAfterMs);
    await world.watched(sentinels);
  } catch (error) {
    await world.stop();
    throw error;
  }
  return world;
}

export class SentinelWorld {
  /** The primary of the start first. */
  readonly servers: readonly RedisServer[];
  readonly #directory: string;
  readonly #sentinels: Sentinel[] = [];

  constructor(directory: string, servers: readonly RedisServer[]) {
    this.#directory = directory;
    this.servers = servers;
  }

  /** For `new Redis({ sentinels, name })`. */
  get sentinels(): { host: string; port: number }[] {
    return this.#sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async addSentinel(quorum: number, downAfterMs: number): Promise<void> {
    const port = await freePort();
    const file = join(this.#directory, `${port}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${this.#directory}`,
      `sentinel monitor ${primaryName} 127.0.0.1 ${this.servers[0]!.port} ${quorum}`,
      `sentinel down-after-milliseconds ${primaryName} ${downAfterMs}`,
      `sentinel failover-timeout ${primaryName} 1000`,
    ];
    await writeFile(file, lines.join('\n'));
    const shell = await spawnRedis([file, '--sentinel'], 'Sentinel ID is');
    const admin = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, disconnectTimeout: 100 });
    admin.on('error', () => undefined);
    this.#sentinels.push({ shell, admin, port });
  }

  /** The primary, as the first sentinel says, or another one. */
  async primary(sentinel = this.#sentinels[0]!): Promise<RedisServer> {
    const [, port] = (await sentinel.admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primaryName)) as [string, string];
    return this.servers.find((server) => server.port === Number(port))!;
  }

  /** Resolves with the new primary when all sentinels say the same. */
  async replaced(old: RedisServer): Promise<RedisServer> {
    let found: Set<RedisServer> = new Set();
    await eventually('agreement', async () => {
      found = new Set(await Promise.all(this.#sentinels.map((sentinel) => this.primary(sentinel))));
      return found.size === 1 && !found.has(old);
    });
    return [...found][0]!;
  }

  /** Ends one of the sentinels. */
  async killSentinel(): Promise<void> {
    await end(this.#sentinels.at(-1)!);
    this.#sentinels.pop();
  }

  /** What the primary says of itself and its replicas, `INFO replication`. */
  async replication(server: RedisServer): Promise<string> {
    return this.#ask(server, (admin) => admin.info('replication'));
  }

  /** Resolves when the replicas have all that the primary has. */
  async replicated(): Promise<void> {
    await eventually('replication', async () => {
      const info = await this.replication(this.#sentinels.length === 0 ? this.servers[0]! : await this.primary());
      const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
      return [...info.matchAll(/state=online,offset=(\d+)/g)].filter(([, seen]) => seen === offset).length === this.servers.length - 1;
    });
  }

  /** Resolves when the sentinels know each other and all replicas. */
  async watched(count: number): Promise<void> {
    await eventually('watching', async () => {
      const states = await Promise.all(
        this.#sentinels.map(async ({ admin }) => {
          const fields = (await admin.call('SENTINEL', 'MASTER', primaryName)) as string[];
          const field = (name: string): number => Number(fields[fields.indexOf(name) + 1]);
          return field('num-slaves') === this.servers.length - 1 && field('num-other-sentinels') === count - 1;
        }),
      );
      return states.every(Boolean);
    });
  }

  /** What an operator does: the primary hands over, though nothing is wrong with it. */
  async failOver(): Promise<void> {
    await this.#sentinels[0]!.admin.call('SENTINEL', 'FAILOVER', primaryName);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sentinels.map(end));
    await Promise.all(this.servers.map((server) => server.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #ask<T>(server: RedisServer, question: (admin: Redis) => Promise<T>): Promise<T> {
    const admin = new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true, maxRetriesPerRequest: 0 });
    try {
      await admin.connect();
      return await question(admin);
    } finally {
      admin.disconnect();
    }
  }
}

async function end({ admin, shell }: Sentinel): Promise<void> {
  admin.disconnect();
  const exited = once(shell, 'exit');
  shell.stdin?.end(); // its watchdog ends it
  await exited;
}

async function eventually(what: string, fact: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!(await fact())) {
    if (performance.now() > giveUpAt) throw new Error(`${what} did not come about`);
    await setTimeout(20);
  }
}
