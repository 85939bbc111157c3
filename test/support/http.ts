/** What every server of the tests needs. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function sendJson(res: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  res.end(JSON.stringify(body));
}

export interface ListeningServer {
  readonly port: number;
  readonly server: Server;
  /** Ends every connection at once. Safe to call twice. */
  close(): Promise<void>;
}

/** Listens first, so that a handler can be made that knows its own port; requests that come too early wait in the backlog. */
export async function listen(makeHandler: (port: number) => RequestListener | Promise<RequestListener>, port = 0): Promise<ListeningServer> {
  const server = createServer();
  // A client that takes a connection up again just as it is closed fails with a reset: on a busy machine that happened at the default of five seconds.
  server.keepAliveTimeout = 120_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const actualPort = (server.address() as AddressInfo).port;
  let close: Promise<void> | undefined;
  const listening: ListeningServer = {
    port: actualPort,
    server,
    close() {
      close ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return close;
    },
  };
  try {
    server.on('request', await makeHandler(actualPort));
  } catch (error) {
    await listening.close();
    throw error;
  }
  return listening;
}
