/** A real redis-server of the test's own: memory only, on a free loopback port or a unix socket, dead when the test process is dead. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis, type RedisOptions } from 'ioredis';
import { createCommandCounter, type CommandCounter } from './command-counter.js';

export interface RedisServerOptions {
  /** Listen on a unix socket in a temporary directory; `url` is then its path, which ioredis takes as well. */
  unixSocket?: boolean;
  /** Further arguments for redis-server, such as `['--maxmemory', '1mb']`. */
  arguments?: readonly string[];
}

/** Without the one property whose type wants an exact `Redis<mode>`. */
type ClientOptions = Omit<RedisOptions, 'replyMapping'>;

/** The server dies with its parent however that dies: the shell's standard input is a pipe that only the parent holds open. */
const watchdog = 'redis-server "$@" & server=$!; exec 3<&0; (cat <&3; kill -9 $server) >/dev/null 2>&1 & wait $server';

const launchAttempts = 5;

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-test-'));
  const server = new RedisServer(directory, options);
  try {
    await server.restart();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

export class RedisServer {
  /** 0 on a unix socket. */
  port = 0;
  /** Of the server that runs now: for tests that freeze it. */
  pid = 0;
  readonly #directory: string;
  readonly #arguments: readonly string[];
  readonly #socket: string | undefined;
  readonly #clients: Redis[] = [];
  #shell: ChildProcess | undefined;

  constructor(directory: string, options: RedisServerOptions) {
    this.#directory = directory;
    this.#arguments = ['--save', '', '--appendonly', 'no', '--dir', directory, ...(options.arguments ?? [])];
    this.#socket = options.unixSocket === true ? join(directory, 'redis.sock') : undefined;
  }

  get url(): string {
    return this.#socket ?? `redis://127.0.0.1:${this.port}`;
  }

  /** A client; it is closed with the server. */
  client(options: ClientOptions = {}): Redis {
    const client = new Redis({ ...this.#address(), disconnectTimeout: 100, ...options });
    // Outages are what these tests are about: commands report them, the bare event would only print.
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }

  /** Counts the commands that the server runs from now on. */
  async commandCounter(): Promise<CommandCounter> {
    return createCommandCounter(() => this.#info('commandstats'));
  }

  /** Tells the keys that are there and were not there when this was called. What expires meanwhile is no news. */
  async addedKeys(): Promise<() => Promise<string[]>> {
    const reader = this.client();
    const before = new Set(await reader.keys('*'));
    return async () => (await reader.keys('*')).filter((key) => !before.has(key)).sort();
  }

  /** Ends the server and nothing else: its address is kept for `restart()`. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const shell = this.#shell;
    if (shell === undefined) return;
    this.#shell = undefined;
    if (shell.exitCode !== null || shell.signalCode !== null) return;
    const exited = once(shell, 'exit');
    const pid = this.pid;
    this.pid = 0;
    // It did not come far enough to tell: its watchdog ends it. (To signal 0 is to signal ourselves.)
    if (pid === 0) shell.stdin?.end();
    else process.kill(pid, signal);
    await exited;
  }

  /** An empty server on the same address. Ends the running one first. */
  async restart(): Promise<void> {
    await this.kill();
    this.#shell = await this.#launch();
    this.pid = Number(/process_id:(\d+)/.exec(await this.#info('server'))?.[1]);
  }

  /** Ends server and clients and removes what they wrote. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #address(): ClientOptions {
    return this.#socket === undefined ? { host: '127.0.0.1', port: this.port } : { path: this.#socket };
  }

  async #launch(): Promise<ChildProcess> {
    if (this.#socket !== undefined) return spawnRedis(['--port', '0', '--unixsocket', this.#socket, ...this.#arguments]);
    if (this.port !== 0) return this.#launchOn(this.port);
    // Somebody may take the free port before redis-server does.
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      try {
        const shell = await this.#launchOn(port);
        this.port = port;
        return shell;
      } catch (error) {
        if (attempt === launchAttempts || !String(error).includes('in use')) throw error;
      }
    }
  }

  #launchOn(port: number): Promise<ChildProcess> {
    return spawnRedis(['--port', String(port), '--bind', '127.0.0.1', ...this.#arguments]);
  }

  /** A connection of its own, so that the clients under test are left alone. */
  async #info(section: string): Promise<string> {
    const admin = new Redis({ ...this.#address(), lazyConnect: true, maxRetriesPerRequest: 1 });
    try {
      await admin.connect();
      return await admin.info(section);
    } finally {
      admin.disconnect();
    }
  }
}

/** Resolves once the server takes connections, or has said what it says when it is ready. */
export async function spawnRedis(serverArguments: readonly string[], ready = 'eady to accept connections'): Promise<ChildProcess> {
  const shell = spawn('/bin/sh', ['-c', watchdog, 'redis', ...serverArguments], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said: string[] = [];
  shell.once('exit', () => shell.stdin.end());
  return new Promise<ChildProcess>((resolve, reject) => {
    const listen = (line: string): void => {
      said.push(line);
      if (line.includes(ready)) resolve(shell);
    };
    createInterface({ input: shell.stdout }).on('line', listen);
    createInterface({ input: shell.stderr }).on('line', listen);
    shell.once('error', reject);
    // 'close' and not 'exit': only then is everything read that the server said.
    shell.once('close', () => reject(new Error(`redis-server did not start (is it installed?):\n${said.join('\n')}`)));
  });
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
