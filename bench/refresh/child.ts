/** What the two kinds of app process tell the bench, and how they are started. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** The child's environment variable with its `Configuration`. */
export const configurationVariable = 'BENCH_APP';

export interface Configuration {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redis: string;
  /** The same for all processes, as behind a load balancer. */
  readonly baseUrl: string;
}

/** Instants are epoch milliseconds with fractions, comparable on one machine. */
export type Message = { readonly port: number } | { readonly committedAt: number } | { readonly answeredAt: number };

export const instant = (): number => performance.timeOrigin + performance.now();

export function tell(message: Message): void {
  if (process.connected) process.send!(message);
}

export const configuration = (): Configuration => JSON.parse(process.env[configurationVariable] ?? '{}') as Configuration;

/** An app in a process of its own. */
export class App {
  origin = '';
  /** Since `forget()`. */
  committedAt: number[] = [];
  answeredAt: number[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: Message) => {
      if ('committedAt' in message) this.committedAt.push(message.committedAt);
      if ('answeredAt' in message) this.answeredAt.push(message.answeredAt);
    });
  }

  static async start(file: URL, settings: Configuration): Promise<App> {
    const env = { ...process.env, NODE_ENV: 'production', [configurationVariable]: JSON.stringify(settings) };
    const child = fork(file, { execArgv: ['--import', 'tsx'], env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const app = new App(child);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    app.origin = `http://127.0.0.1:${port}`;
    return app;
  }

  forget(): void {
    this.committedAt = [];
    this.answeredAt = [];
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}
