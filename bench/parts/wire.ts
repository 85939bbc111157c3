/** An HTTP client that costs next to nothing: connections that are open already, requests that are bytes already. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class Wire {
  readonly #socket: Socket;
  readonly #host: string;
  #received = '';
  #answered: ((status: number) => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (chunk) => this.#receive(String(chunk)));
    socket.on('close', () => this.#settle(0));
    socket.on('error', () => this.#settle(0));
  }

  static async open(origin: string): Promise<Wire> {
    const { hostname, port, host } = new URL(origin);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Wire(socket, host);
  }

  /** Answers the status, or 0 if the connection broke. */
  get(path: string, cookie: string): Promise<number> {
    return new Promise((resolve) => {
      this.#received = '';
      this.#answered = resolve;
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nCookie: ${cookie}\r\n\r\n`, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    this.#received += chunk;
    const bodyAt = this.#received.indexOf('\r\n\r\n') + 4;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#received)?.[1];
    if (bodyAt > 3 && length !== undefined && this.#received.length >= bodyAt + Number(length)) this.#settle(Number(this.#received.slice(9, 12)));
  }

  #settle(status: number): void {
    this.#answered?.(status);
    this.#answered = undefined;
  }
}
