/** A server that speaks just enough of Redis' protocol to say what a real one cannot be brought to say. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createFramer, readCommand } from '../support/resp.js';

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

export interface StandIn {
  readonly port: number;
  /** What came after the greetings, one line each. */
  readonly commands: string[];
  /** Connections since the start. */
  readonly connections: number;
  /** Stops answering; what comes is kept back. Runs until `answers()`. */
  holds(): void;
  answers(): void;
  /** What it says of itself. */
  info: string;
  /** Cuts what is connected now. */
  cut(): void;
  stop(): Promise<void>;
}

/** `reply` gives the answer in RESP; `undefined`: none. Greetings are answered as an old Redis does. */
export async function startStandIn(reply: (words: readonly string[], socket: Socket) => string | undefined, port = 0): Promise<StandIn> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let held: (() => void)[] | undefined;
  let info = 'redis_version:6.2.0\r\nloading:0\r\n';
  function take(frame: Buffer, socket: Socket): void {
    const words = readCommand(frame);
    const name = words[0]!.toLowerCase();
    const greeting = { hello: "-ERR unknown command 'HELLO'\r\n", client: '+OK\r\n', info: bulk(info) }[name];
    if (greeting === undefined) commands.push(words.join(' '));
    const answer = greeting ?? reply(words, socket);
    if (answer !== undefined) socket.write(answer);
  }
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    const framer = createFramer((frame) => {
      const copy = Buffer.from(frame);
      if (held === undefined) take(copy, socket);
      else held.push(() => take(copy, socket));
    });
    socket.on('data', framer);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    get connections() {
      return connections;
    },
    get info() {
      return info;
    },
    set info(text) {
      info = text;
    },
    holds: () => void (held ??= []),
    answers() {
      const waiting = held ?? [];
      held = undefined;
      for (const go of waiting) go();
    },
    cut,
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

type Reply = Parameters<typeof startStandIn>[0];

/** The answers of a node of a cluster whose slots are with the node on this port, but for slot 0, which `first` has; `reply` answers the rest. */
export function clusterReply(port: () => number, reply: Reply, first: () => number = port): Reply {
  const range = (from: number, to: number, at: number): string => `*3\r\n:${from}\r\n:${to}\r\n*2\r\n${bulk('127.0.0.1')}:${at}\r\n`;
  return (words, socket) => {
    const command = words.slice(0, 2).join(' ').toLowerCase();
    if (command === 'cluster slots') return `*2\r\n${range(0, 0, first())}${range(1, 16_383, port())}`;
    if (command === 'cluster info') return bulk('cluster_state:ok\r\n');
    return reply(words, socket);
  };
}
