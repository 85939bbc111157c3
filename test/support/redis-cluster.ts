/** A real Redis Cluster of the test's own: masters on free loopback ports, each with as many replicas as asked for. */
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort, startRedis, type RedisServer } from './redis-server.js';

export interface RedisClusterOptions {
  masters?: number;
  /** Of each master. */
  replicas?: number;
  /** For every node, such as `['--appendonly', 'yes']`. */
  arguments?: readonly string[];
  /** How long a node may be silent before the others call it dead. */
  nodeTimeoutMs?: number;
}

interface Node {
  readonly server: RedisServer;
  /** Talks to this node alone. */
  readonly admin: Redis;
  readonly busPort: number;
}

const SLOTS = 16_384;

export async function startRedisCluster({ masters = 3, replicas = 0, nodeTimeoutMs = 1000, ...options }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const started = Array.from({ length: masters * (1 + replicas) }, () => startNode(nodeTimeoutMs, options.arguments ?? []));
  const results = await Promise.allSettled(started);
  const nodes = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  const cluster = new RedisCluster(nodes);
  try {
    await Promise.all(started);
    await cluster.join(masters);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function startNode(nodeTimeoutMs: number, more: readonly string[]): Promise<Node> {
  // By itself Redis takes the port that is 10,000 above its own, which may be somebody else's, or none at all.
  const busPort = await freePort();
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', String(nodeTimeoutMs)];
  const server = await startRedis({ arguments: [...cluster, '--cluster-config-file', 'nodes.conf', '--repl-diskless-sync-delay', '0', ...more] });
  return { server, admin: server.client({ retryStrategy: () => 50 }), busPort };
}

export class RedisCluster {
  readonly #nodes: readonly Node[];

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes;
  }

  /** Masters first, as they were at the start. */
  get servers(): RedisServer[] {
    return this.#nodes.map(({ server }) => server);
  }

  /** For `new Cluster(…)`. */
  get startupNodes(): { host: string; port: number }[] {
    return this.#nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port }));
  }

  /** Gives out the slots, lets all nodes know each other, and waits until all agree. */
  async join(masters: number): Promise<void> {
    const [first, ...others] = this.#nodes;
    for (const [index, { admin }] of this.#nodes.entries()) await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    for (const [index, { admin }] of this.#nodes.slice(0, masters).entries()) {
      const [from, to] = [Math.ceil((SLOTS * index) / masters), Math.ceil((SLOTS * (index + 1)) / masters) - 1];
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (const { server, busPort } of others) await first!.admin.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
    await this.#eventually(() => this.#everyNode(async (node) => (await clusterInfo(node)).includes(`cluster_known_nodes:${this.#nodes.length}\r`)));
    for (const [index, { admin }] of this.#nodes.slice(masters).entries()) {
      await admin.call('CLUSTER', 'REPLICATE', await this.#idOf(this.#nodes[index % masters]!));
    }
    await this.whole();
  }

  /** Resolves when every node sees every slot served, and every replica has its master's data. */
  async whole(): Promise<void> {
    await this.#eventually(() =>
      this.#everyNode(async (node) => {
        if (!(await clusterInfo(node)).includes('cluster_state:ok')) return false;
        const replication = await node.admin.info('replication');
        return replication.includes('role:master') || replication.includes('master_link_status:up');
      }),
    );
  }

  /** Resolves when every replica has all that its master has. */
  async settled(): Promise<void> {
    await this.#eventually(() =>
      this.#everyNode(async ({ admin }) => {
        const info = await admin.info('replication');
        const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
        return [...info.matchAll(/^slave\d.*offset=(\d+)/gm)].every(([, seen]) => seen === offset);
      }),
    );
  }

  /** The servers that have this key: its master and the replicas of that. */
  async shardOf(key: string): Promise<RedisServer[]> {
    const master = await this.#masterOf(await this.slotOf(key));
    const lines = ((await master.admin.call('CLUSTER', 'REPLICAS', await this.#idOf(master))) as string[]).join();
    return [master.server, ...this.servers.filter(({ port }) => lines.includes(`:${port}@`))];
  }

  /** The server that answers for this key now. */
  async masterOf(key: string): Promise<RedisServer> {
    return (await this.#masterOf(await this.slotOf(key))).server;
  }

  async slotOf(key: string): Promise<number> {
    return (await this.#running()[0]!.admin.call('CLUSTER', 'KEYSLOT', key)) as number;
  }

  /** The keys of the whole cluster. */
  async keys(pattern: string): Promise<string[]> {
    return (await Promise.all((await this.#masters()).map(({ admin }) => admin.keys(pattern)))).flat();
  }

  /** Deletes them. */
  async forget(pattern: string): Promise<void> {
    for (const { admin } of await this.#masters()) {
      for (const key of await admin.keys(pattern)) await admin.del(key);
    }
  }

  /**
   * Resharding, as `redis-cli --cluster reshard` does it: the slot's keys move one by one to another master while both answer
   * for it. `half` runs when the keys have moved and the slot has not.
   */
  async moveSlot(slot: number, half: () => Promise<unknown> = async () => undefined): Promise<void> {
    const source = await this.#masterOf(slot);
    const target = await this.#otherMaster(source);
    const [sourceId, targetId] = [await this.#idOf(source), await this.#idOf(target)];
    await target.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
    await source.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
    for (;;) {
      const keys = (await source.admin.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
      if (keys.length === 0) break;
      await source.admin.call('MIGRATE', '127.0.0.1', target.server.port, '', 0, 1000, 'KEYS', ...keys);
    }
    await half();
    for (const node of [target, source]) await node.admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server.stop()));
  }

  /** The one that all running nodes name. News travels between them: one that has not heard yet would name the master before. */
  async #masterOf(slot: number): Promise<Node> {
    let agreed: Node | undefined;
    await this.#eventually(async () => {
      const named = await Promise.all(this.#running().map((node) => masterPort(node, slot)));
      agreed = this.#nodes.find(({ server }) => named.every((port) => port === server.port));
      return agreed !== undefined && (await agreed.admin.info('replication')).includes('role:master');
    });
    return agreed!;
  }

  async #masters(): Promise<Node[]> {
    const roles = await Promise.all(this.#nodes.map(async ({ admin }) => (await admin.info('replication')).includes('role:master')));
    return this.#nodes.filter((_node, index) => roles[index]);
  }

  async #otherMaster(than: Node): Promise<Node> {
    const other = (await this.#masters()).find((node) => node !== than);
    if (other === undefined) throw new Error('there is only one master');
    return other;
  }

  #running(): readonly Node[] {
    const running = this.#nodes.filter(({ admin }) => admin.status === 'ready');
    return running.length > 0 ? running : this.#nodes.slice(0, 1);
  }

  async #idOf({ admin }: Node): Promise<string> {
    return (await admin.call('CLUSTER', 'MYID')) as string;
  }

  async #everyNode(fact: (node: Node) => Promise<boolean>): Promise<boolean> {
    return (await Promise.all(this.#nodes.map(fact))).every(Boolean);
  }

  async #eventually(fact: () => Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + 20_000;
    while (!(await fact().catch(() => false))) {
      if (performance.now() > giveUpAt) throw new Error('the cluster did not come about');
      await setTimeout(20);
    }
  }
}

const clusterInfo = async ({ admin }: Node): Promise<string> => (await admin.call('CLUSTER', 'INFO')) as string;

async function masterPort({ admin }: Node, slot: number): Promise<number | undefined> {
  const ranges = (await admin.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
  return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
}
