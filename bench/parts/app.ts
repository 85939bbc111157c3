/** A contestant in a process of its own. */
import { freePort } from '../../test/support/redis-server.js';
import type { Contestant } from '../contestants.js';
import { Process } from './process.js';
import type { World } from './world.js';

export interface Usage {
  /** Microseconds. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

export interface AppOptions {
  /** Where the browser sees it; default: where it listens. */
  readonly baseUrl?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly execArgv?: readonly string[];
  readonly redis?: string;
}

export class App extends Process {
  baseUrl = '';
  /** Since `forget()`, epoch milliseconds. */
  committedAt: number[] = [];
  answeredAt: number[] = [];

  protected override heard({ committedAt, answeredAt }: { committedAt?: number; answeredAt?: number }): void {
    if (committedAt !== undefined) this.committedAt.push(committedAt);
    if (answeredAt !== undefined) this.answeredAt.push(answeredAt);
  }

  static async start(world: World, contestant: Contestant, { baseUrl, settings = {}, execArgv = ['--expose-gc'], redis }: AppOptions = {}): Promise<App> {
    // @auth/express, passport and others are told their own URL at start-up.
    const port = await freePort();
    const own = baseUrl ?? `http://127.0.0.1:${port}`;
    const told = { ...world.settings, ...(redis !== undefined && { redis }), baseUrl: own, port, ...contestant.settings, ...settings };
    const file = new URL(`../contestants/${contestant.file}.mjs`, import.meta.url);
    const app = new App(Process.fork(file, { env: { BENCH_APP: JSON.stringify(told) }, execArgv }));
    app.baseUrl = own;
    return app.listening();
  }

  /** CPU since its start, in microseconds. */
  async cpu(): Promise<number> {
    const { cpu } = await this.ask<Usage>({ ask: 'cpu' });
    return cpu.user + cpu.system;
  }

  /** After a collection of garbage. */
  async memory(): Promise<Usage['memory']> {
    return (await this.ask<Usage>({ ask: 'memory' })).memory;
  }

  forget(): void {
    this.committedAt = [];
    this.answeredAt = [];
  }
}
