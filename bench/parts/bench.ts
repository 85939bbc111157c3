/** What a measure is given, and what it gives back. */
import type { Contestant } from '../contestants.js';
import { App } from './app.js';
import { login } from './browser.js';
import type { World } from './world.js';

/** How much is done. Everything is bounded by these numbers. */
export interface Scale {
  readonly name: 'quick' | 'default' | 'full';
  readonly rounds: number;
  /** Of one sample of load. */
  readonly sampleMs: number;
  readonly logins: number;
  readonly stampedeRounds: number;
  /** `lifetimes` of tokens in seconds, of this package; `elsewhere`: also with the renewals in another process. */
  readonly steady: { readonly rounds: number; readonly seconds: number; readonly lifetimes: readonly number[]; readonly elsewhere: boolean };
  readonly startUps: number;
  /** Numbers of sessions in the table of memory: with those that keep them in Redis, and with those that keep none. */
  readonly sessions: { readonly inRedis: readonly number[]; readonly inCookies: readonly number[] };
  readonly scaling: { readonly sessions: readonly number[]; readonly subjects: readonly number[]; readonly providers: readonly number[] };
}

export type Cell = string | number;

export interface Table {
  readonly title: string;
  /** What a reader has to know to read it. */
  readonly about: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** What could not be measured cleanly. */
  readonly notes?: readonly string[];
}

export interface Measured {
  readonly tables: readonly Table[];
  /** Everything, for `--json`. */
  readonly samples: unknown;
}

export interface Measure {
  readonly name: string;
  run(bench: Bench): Promise<Measured>;
}

/** A contestant that runs, with somebody logged in. */
export interface Entry {
  readonly contestant: Contestant;
  readonly app: App;
  readonly cookie: string;
}

export class Bench {
  readonly #entries = new Map<string, Promise<Entry>>();

  constructor(
    readonly world: World,
    readonly scale: Scale,
    /** Progress; the tables have another way. */
    readonly say: (text: string) => void,
  ) {}

  /** Started once and kept: an idle process costs the others nothing. */
  entry(contestant: Contestant): Promise<Entry> {
    const known = this.#entries.get(contestant.name);
    if (known !== undefined) return known;
    const entry = this.#enter(contestant);
    this.#entries.set(contestant.name, entry);
    return entry;
  }

  async entries(contestants: readonly Contestant[]): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (const contestant of contestants) entries.push(await this.entry(contestant));
    return entries;
  }

  async #enter(contestant: Contestant): Promise<Entry> {
    await this.world.server.set({ lifetimeSeconds: 86_400, latencyMs: 0, rotate: true });
    const app = await App.start(this.world, contestant);
    const { cookie } = await login(this.world, contestant, app);
    return { contestant, app, cookie };
  }

  async stop(): Promise<void> {
    for (const entry of this.#entries.values()) await (await entry.catch(() => undefined))?.app.stop();
    await this.world.stop();
  }
}
