/** A TCP proxy in front of Redis that knows the grant scripts by name: it can disturb one command of many, and counts them all. */
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import * as grantScripts from '../../lib/grants/redis-grant-scripts.js';
import { createFramer, isPush, readCommand } from './resp.js';

/** What happens to one command. */
export type Fault =
  /** The connection is cut, and the command never reaches Redis. */
  | 'cut'
  /** Redis carries the command out; the connection is cut in place of the answer. */
  | 'lose the reply'
  /** Redis gets the command twice; the client sees the first answer, or the second. */
  | 'duplicate'
  | 'duplicate, answer with the second reply'
  /** The command waits, and with it all that come behind it on its connection; it is sent on even if its client has gone meanwhile. */
  | { readonly holdUntil: Promise<unknown> };

interface Planned {
  readonly name: string;
  readonly fault: Fault;
  readonly always: boolean;
  readonly met: () => void;
}

/** `ACQUIRE`, `COMMIT` and so on for our scripts, else Redis' own name in lower case. */
export function commandName([command = '', scriptOrHash = '']: readonly string[]): string {
  const name = command.toLowerCase();
  if (name !== 'evalsha' && name !== 'eval') return name;
  const script = Object.entries(grantScripts).find(([, { lua, sha1 }]) => scriptOrHash === lua || scriptOrHash === sha1);
  return script?.[0] ?? name;
}

export async function startRedisProxy(targetPort: number): Promise<RedisProxy> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new RedisProxy(server, targetPort);
}

export class RedisProxy {
  /** By name, as clients sent them. */
  readonly commands: string[] = [];
  /** Every command reaches Redis this much later. */
  delayMs = 0;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #links = new Set<Link>();
  #planned: Planned[] = [];
  #frozen: Promise<void> | undefined;
  #thaw = (): void => undefined;
  #refuses = false;
  #bytesLeft = Infinity;

  constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (client) => this.#accept(client));
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How often a command came since the proxy was started, or since `commands` was emptied. */
  count(name: string): number {
    return this.commands.filter((each) => each === name).length;
  }

  /** Disturbs the next command of this name; resolves when it came. */
  next(name: string, fault: Fault): Promise<void> {
    return new Promise((met) => this.#planned.push({ name, fault, always: false, met }));
  }

  /** Disturbs every command of this name, until `resume()`. */
  every(name: string, fault: Fault): void {
    this.#planned.push({ name, fault, always: true, met: () => undefined });
  }

  /** Nothing moves any more, in either direction; connections stay open, and new ones are taken. */
  freeze(): void {
    this.#frozen ??= new Promise((resolve) => (this.#thaw = resolve));
  }

  /** Takes no connection, cuts those that there are. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Cuts every connection once so many more bytes have passed, in both directions taken together; the last command or answer is torn. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  /** Ends every disturbance; what was frozen goes on its way. */
  resume(): void {
    this.#planned = [];
    this.#refuses = false;
    this.#bytesLeft = Infinity;
    this.delayMs = 0;
    this.#frozen = undefined;
    this.#thaw();
  }

  async stop(): Promise<void> {
    this.resume();
    this.#refuses = true;
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Resolves when a frame that came at this time may go on. */
  async pass(arrivedAt: number): Promise<void> {
    const waitMs = arrivedAt + this.delayMs - performance.now();
    if (waitMs > 0) await setTimeout(waitMs);
    while (this.#frozen !== undefined) await this.#frozen;
  }

  arrived(command: readonly string[]): { name: string; fault: Fault | undefined } {
    const name = commandName(command);
    this.commands.push(name);
    const planned = this.#planned.find((each) => each.name === name);
    if (planned?.always === false) this.#planned.splice(this.#planned.indexOf(planned), 1);
    planned?.met();
    return { name, fault: planned?.fault };
  }

  /** How much of a frame may still pass; cuts everything when the allowance is used up. */
  allow(frame: Buffer): Buffer {
    const allowed = frame.subarray(0, Math.max(0, this.#bytesLeft));
    this.#bytesLeft -= frame.length;
    if (this.#bytesLeft < 0) {
      this.#bytesLeft = Infinity;
      setImmediate(() => this.cut());
    }
    return allowed;
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const link = new Link(this, client, createConnection({ host: '127.0.0.1', port: this.#targetPort, noDelay: true }));
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
  }
}

/** What becomes of the answers, in the order in which they are owed. */
type Owed = 'forward' | 'swallow' | 'cut';

/** One client's connection and its counterpart to Redis. */
class Link {
  readonly #proxy: RedisProxy;
  readonly #client: Socket;
  readonly #redis: Socket;
  readonly #owed: Owed[] = [];
  /** One step after the other, in each direction: nothing overtakes. */
  #up: Promise<void> = Promise.resolve();
  #down: Promise<void> = Promise.resolve();
  #isCut = false;

  constructor(proxy: RedisProxy, client: Socket, redis: Socket) {
    this.#proxy = proxy;
    this.#client = client;
    this.#redis = redis;
    client.setNoDelay(true);
    redis.on('error', () => undefined);
    client.on('data', createFramer((frame) => this.#command(frame)));
    redis.on('data', createFramer((frame) => this.#reply(frame)));
    // What the client sent before it went may still be on its way: Redis carries it out all the same.
    client.once('close', () => (this.#up = this.#up.then(() => void redis.end())));
    redis.once('close', () => client.destroy());
  }

  /** What is on its way here is lost; only a client that goes by itself may still be heard. */
  cut(): void {
    this.#isCut = true;
    this.#client.resetAndDestroy();
  }

  #command(frame: Buffer): void {
    const arrivedAt = performance.now();
    const { fault } = this.#proxy.arrived(readCommand(frame));
    this.#up = this.#up.then(async () => {
      await this.#proxy.pass(arrivedAt);
      if (typeof fault === 'object') await fault.holdUntil;
      if (fault === 'cut') this.cut();
      else this.#send(frame, fault);
    });
  }

  #send(frame: Buffer, fault: Fault | undefined): void {
    if (this.#isCut) return;
    const twice = fault === 'duplicate' || fault === 'duplicate, answer with the second reply';
    if (twice) this.#owed.push(...(fault === 'duplicate' ? (['forward', 'swallow'] as const) : (['swallow', 'forward'] as const)));
    else this.#owed.push(fault === 'lose the reply' ? 'cut' : 'forward');
    if (this.#redis.writable) this.#redis.write(twice ? Buffer.concat([frame, frame]) : this.#proxy.allow(frame));
  }

  #reply(frame: Buffer): void {
    const arrivedAt = performance.now() - this.#proxy.delayMs;
    const owed = isPush(frame) ? 'forward' : (this.#owed.shift() ?? 'forward');
    this.#down = this.#down.then(async () => {
      await this.#proxy.pass(arrivedAt);
      if (owed === 'cut') this.cut();
      if (owed === 'forward' && this.#client.writable) this.#client.write(this.#proxy.allow(frame));
    });
  }
}
