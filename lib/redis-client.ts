/** Opens a client of our own beside the user's: the same server and the same rights, but options that suit short requests. */
import { setImmediate } from 'node:timers';
import type { Cluster, Redis } from 'ioredis';
import { systemClock } from './clock.js';
import { loadIoredis } from './ioredis.cjs';
import { replyCode } from './redis-replies.js';

export type RedisClient = Redis | Cluster;

const retryStrategy = (attempt: number): number => Math.min(50 * attempt, 500);

/**
 * A primary that became a replica: connect anew, so that DNS or Sentinel shows us the new one. Not at every answer, since
 * a replica's answers to reads are as good as any.
 */
function reconnectFromReplica(): (error: Error) => 1 | false {
  let last = -Infinity;
  return (error) => {
    const now = systemClock.monotonic();
    if (replyCode(error) !== 'READONLY' || now - last < 1000) return false;
    last = now;
    return 1; // without sending the command again: that is for whoever waits for it
  };
}

/** How long a socket may take to close before it is cut. */
const DISCONNECT_MS = 200;

function connectionOptions(timeoutMs: number) {
  const patienceMs = Math.max(1000, timeoutMs);
  return {
    // A command that could not be sent at once must not run later, when its request is long gone.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Commands of a lost connection fail at once; redis-connection sends them again while somebody waits.
    maxRetriesPerRequest: 0,
    commandTimeout: undefined,
    enableAutoPipelining: false,
    connectTimeout: patienceMs,
    // A socket on which nothing comes back is replaced, instead of swallowing every later command.
    socketTimeout: Math.max(1000, timeoutMs * 4),
    disconnectTimeout: DISCONNECT_MS,
    // ioredis waits for as long as Redis guesses that loading takes.
    maxLoadingRetryTime: 500,
    // An option of the app's that ends reconnecting, or asks a replica, would end the service with it.
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: patienceMs,
    role: 'master',
    // Sentinels tell of a new primary at once; the old one learns of it seconds later, and what it took until then is lost.
    failoverDetector: true,
    reconnectOnError: reconnectFromReplica(),
    // We read replies in ioredis' classic shape.
    replyMapping: 'legacy',
    stringNumbers: false,
  } as const;
}

function clientOf(url: string): Redis {
  const { Redis } = loadIoredis();
  return new Redis(url, { lazyConnect: true });
}

export function openClient(redis: RedisClient | string, timeoutMs: number): RedisClient {
  const options = connectionOptions(timeoutMs);
  // Duplicated like any other client, since what a URL says behind its `?` would go before our options.
  const given = typeof redis === 'string' ? clientOf(redis) : redis;
  if (isCluster(given)) return openCluster(given, options);
  const client = given.duplicate({ ...options, lazyConnect: false });
  dropOldTimer(client);
  tendSentinels(client);
  return client;
}

/**
 * What is sent in one turn of the event loop leaves in one write at its end, and is answered in one: the system calls cost more than the commands.
 * The turn is over once all that has arrived was looked at; an answer would not be read before either. The nodes of a cluster are left alone: each has a socket of its own.
 * ioredis' own pipelining by turns would hold the next turn's commands back until the answers are here.
 */
export function sendTogether(client: RedisClient): void {
  if (isCluster(client) || client.stream.writableCorked > 0) return;
  const { stream } = client;
  stream.cork();
  setImmediate(() => stream.uncork());
}

/** By its own mark, not by its class: the app may use another copy or version of ioredis than we do. */
const isCluster = (redis: RedisClient): redis is Cluster => redis.isCluster;

function openCluster(cluster: Cluster, options: ReturnType<typeof connectionOptions>): Cluster {
  const { replyMapping: _, ...own } = cluster.options.redisOptions ?? {};
  const client = cluster.duplicate([], {
    lazyConnect: false,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    shardedSubscribers: false,
    scaleReads: 'master',
    clusterRetryStrategy: retryStrategy,
    // A node that is gone leaves the pool, so that another one is asked who has its slots now.
    clusterNodeRetryStrategy: null,
    // 0: at once or never. ioredis' own queues know nothing of our deadline.
    retryDelayOnMoved: 0,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    redisOptions: { ...own, ...options },
  });
  prepareNodes(client);
  return client;
}

/**
 * Nodes are connected before they are asked: a node that is still to connect queues the first command whatever
 * `enableOfflineQueue` says, and would send it after its deadline.
 */
function prepareNodes(cluster: Cluster): void {
  cluster.on('+node', (node: Redis) => {
    dropOldTimer(node);
    catchAsking(node);
    // Not earlier: the cluster's own first question goes to a node that is not connected yet.
    if (cluster.status === 'ready') connectNode(node);
  });
  cluster.on('ready', () => {
    for (const node of cluster.nodes('master')) connectNode(node);
  });
}

function connectNode(node: Redis): void {
  if (node.status === 'wait' && node.options.readOnly !== true) node.connect().catch(() => undefined); // an `error` event tells more
}

/** ioredis sends ASKING without looking at the promise: a node that dies then would end the process by an unhandled rejection. */
function catchAsking(node: Redis): void {
  const ask = node.asking.bind(node);
  node.asking = () => ask().catch(() => 'OK' as const); // the command behind it fails likewise, and is sent again
}

/** ioredis 5 lets the `socketTimeout` of a lost socket run on: it would cut the next one, and hold up the end of the process. */
function dropOldTimer(node: Redis): void {
  const inside = node as unknown as { socketTimeoutTimer?: NodeJS.Timeout | undefined }; // private
  node.on('close', () => {
    clearTimeout(inside.socketTimeoutTimer);
    inside.socketTimeoutTimer = undefined;
  });
}

/** ioredis listens to all sentinels for `failoverDetector`, but not to their errors, which it then prints; nor do they get our options. */
function tendSentinels(client: Redis): void {
  type Connect = (endpoint: unknown, options?: object) => Redis;
  const { connector } = client as unknown as { connector: { connectToSentinel?: Connect } }; // private
  const connect = connector.connectToSentinel?.bind(connector);
  if (connect === undefined) return;
  connector.connectToSentinel = (endpoint, options) =>
    connect(endpoint, { ...options, disconnectTimeout: DISCONNECT_MS }).on('error', () => undefined); // the next one is asked
}
