/** Plays histories: the same seed, the same history, to the last step. */
import type { Clock } from '../../lib/clock.js';
import type { GrantStore } from '../../lib/grants/grant-store.js';
import type { UsableToken } from '../../lib/grants/grant.js';
import { SimulatedProcess } from './simulated-process.js';
import { withTimers } from './virtual-time.js';
import { World, type Login } from './world.js';

export interface History {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Every step, if it was asked for. */
  readonly lines: readonly string[];
  /** The names of the events that the processes told. */
  readonly reached: ReadonlySet<string>;
}

export interface ExplorerSettings {
  /** The store under test; its time is `clock`. */
  readonly openStore: (clock: Clock) => GrantStore;
  /** A bug between the processes and the store; made once for each process. */
  readonly plant?: ((store: GrantStore) => GrantStore) | undefined;
  /** A bug in a process. */
  readonly plantInProcess?: ((process: SimulatedProcess) => void) | undefined;
}

/** Leases, back-offs and late commands are over by then, and so is every access token. */
const REST_MS = 120_000;
/** A process remembers earlier histories: no harm, but after so many it gets slow. */
const MOST_HISTORIES = 100;

type Act = 'use' | 'stampede' | 'refused' | 'resource' | 'keep' | 'logout' | 'crash' | 'restart' | 'stall' | 'store outage' | 'server outage' | 'revoke' | 'fail-over';

const peaceful: Record<Act, number> = { use: 40, stampede: 10, refused: 12, resource: 8, keep: 3, logout: 3, restart: 2, crash: 0, stall: 0, 'store outage': 0, 'server outage': 0, revoke: 0, 'fail-over': 0 };
const troubles: Partial<Record<Act, number>> = { crash: 7, stall: 5, 'store outage': 5, 'server outage': 4, revoke: 0.7, 'fail-over': 1.5 };

export class Explorer {
  readonly #settings: ExplorerSettings;
  readonly #store: GrantStore;
  #world: World | undefined;
  #idle: SimulatedProcess[] = [];
  #fleet: SimulatedProcess[] = [];
  readonly #stores = new WeakMap<SimulatedProcess, GrantStore>();
  #grants = 0;
  #names = 0;
  #histories = 0;

  constructor(settings: ExplorerSettings) {
    this.#settings = settings;
    const storeClock: Clock = {
      now: () => this.#world!.time.now,
      monotonic: () => this.#world!.time.now,
      sleep: () => Promise.reject(new Error('a store never sleeps')),
    };
    this.#store = settings.openStore(storeClock);
  }

  async run(seed: number, tracing = false): Promise<History> {
    const world = new World(seed, tracing);
    this.#world = world;
    this.#fleet = [];
    this.#names = 0;
    this.#histories += 1;
    if (this.#histories % MOST_HISTORIES === 0) this.#idle = [];
    world.storeOf = (process) => this.#storeOf(process);
    const after = (milliseconds: number, run: () => unknown) => {
      const owner = world.running;
      return owner && world.time.after(milliseconds, () => owner.run(run));
    };
    await withTimers({ after, random: () => world.random.next() }, () => this.#play(world));
    const violations = world.logins.flatMap(({ witness }) => witness.violations);
    // Whoever misbehaved is not asked again.
    this.#idle = violations.length > 0 ? [] : [...this.#idle, ...this.#fleet.filter(({ alive }) => alive)];
    return { seed, violations, lines: world.lines, reached: world.reached };
  }

  #storeOf(process: SimulatedProcess): GrantStore {
    const { plant } = this.#settings;
    if (plant === undefined) return this.#store;
    const known = this.#stores.get(process) ?? plant(this.#store);
    this.#stores.set(process, known);
    return known;
  }

  #startProcess(world: World): SimulatedProcess {
    const process = this.#idle.pop() ?? this.#newProcess();
    process.join(world, `p${(this.#names += 1)}`);
    this.#fleet.push(process);
    return process;
  }

  #newProcess(): SimulatedProcess {
    const process = new SimulatedProcess();
    this.#settings.plantInProcess?.(process);
    return process;
  }

  async #play(world: World): Promise<void> {
    const { random, time, profile } = world;
    world.trace(JSON.stringify(profile));
    for (let count = 0; count < profile.processes; count += 1) this.#startProcess(world);
    for (let count = 0; count < profile.logins; count += 1) {
      await world.startLogin(random.pick(this.#alive()), `u${count}`, `grant ${(this.#grants += 1)}`);
    }
    let at = 0;
    for (let count = random.between(3, 12); count > 0; count -= 1) {
      at += this.#pause(world);
      time.after(at, () => this.#act(world));
    }
    time.after(at + random.between(0, 5000), () => this.#calm(world));
    await this.#untilRest(world);
    for (const login of world.logins) login.witness.atRest(await this.#store.read(login.grantId, ''));
  }

  async #untilRest(world: World): Promise<void> {
    try {
      await world.time.runAll();
    } catch (error) {
      world.logins[0]!.witness.violated(String(error));
    }
  }

  #pause({ random, profile: { lifetimeSeconds = 10 } }: World): number {
    return random.pick([0, random.between(0, 30), random.between(0, 1500), random.between(2000, 15_000), Math.round(lifetimeSeconds * random.between(700, 1100))]);
  }

  #alive(): [SimulatedProcess, ...SimulatedProcess[]] {
    const alive = this.#fleet.filter((process) => process.alive);
    return [alive[0] ?? this.#startProcess(this.#world!), ...alive.slice(1)];
  }

  #act(world: World): unknown {
    const { random, time, faults } = world;
    const act = random.weighted(world.profile.troubled ? { ...peaceful, ...troubles } : peaceful);
    const process = random.pick(this.#alive());
    const login = random.pick(world.logins as [Login, ...Login[]]);
    world.trace(`-- ${act} (${process.name}, ${login.witness.family.id})`);
    switch (act) {
      case 'use':
      case 'stampede':
        return this.#useAtOnce(world, login, act === 'use' ? random.pick([1, 1, 2]) : random.between(4, 8));
      case 'refused':
        return this.#request(process, login, () => this.#useRefused(world, process, login));
      case 'resource':
        return this.#request(process, login, () => world.use(process, login, { resource: 'https://api.example' }));
      case 'keep': {
        if (!login.sessionExists) return;
        const grant = world.grantFor(process, login);
        return time.after(random.between(0, 5000), () => process.run(() => world.use(process, login, { grant })));
      }
      case 'logout':
        return this.#request(process, login, () => world.logout(process, login));
      case 'crash':
        process.crash();
        return time.after(random.between(0, 5000), () => this.#startProcess(world));
      case 'restart':
        process.run(() => process.close());
        return this.#startProcess(world);
      case 'stall':
        return process.stall(random.between(100, 15_000));
      case 'store outage':
        return faults.storeOutage(random.between(50, 8000));
      case 'server outage':
        return faults.serverOutage(random.between(50, 20_000));
      case 'revoke':
        login.witness.family.ended = true;
        return;
      case 'fail-over':
        return this.#failOver(world, login);
    }
  }

  /** A request reads its session first: without one there is no login to use. Nobody waits for its end. */
  #request(process: SimulatedProcess, login: Login, work: () => Promise<unknown>): void {
    process.run(() => (login.sessionExists ? work() : undefined));
  }

  #useAtOnce(world: World, login: Login, count: number): void {
    const { random } = world;
    for (let index = 0; index < count; index += 1) {
      const process = random.pick(this.#alive());
      const wish = random.chance(0.1) ? { abortAfterMs: random.between(0, 3000) } : {};
      this.#request(process, login, () => world.use(process, login, wish));
    }
  }

  /** As `oauthFetch` does it when the API refuses the token. */
  async #useRefused(world: World, process: SimulatedProcess, login: Login): Promise<UsableToken | string> {
    const token = await world.use(process, login);
    return typeof token === 'string' ? token : world.use(process, login, { refusedVersion: token.version });
  }

  async #failOver(world: World, { grantId, witness }: Login): Promise<void> {
    const state = world.random.pick(witness.states.slice(-3) as [(typeof witness.states)[number]]);
    if (witness.destroyedAt !== undefined || witness.ended) return;
    const tokens = { ...state.tokens, accessTokens: { '': state.tokens.accessTokens['']! } };
    const leftMs = state.endsAt === undefined ? undefined : state.endsAt - world.time.now;
    const keepMs = 28_800_000;
    world.running = undefined;
    await this.#store.destroy(grantId);
    await this.#store.create(grantId, tokens, leftMs, keepMs);
    if (state.version > 1) {
      const attempt = { grantId, resource: '', owner: 'the fail-over', version: 1 };
      await this.#store.commit(attempt, { tokens, newVersion: state.version, leftMs, backOffMs: 0, keepMs });
    }
    world.trace(`the store goes back to v${state.version}`);
    witness.wentBack(state);
  }

  /** Nothing goes wrong from here on: after a while every login works again, or has ended for a reason. */
  #calm(world: World): void {
    const { time, faults, random } = world;
    world.trace('-- calm');
    faults.calm();
    time.after(REST_MS, () => {
      const fleet = this.#alive();
      for (const login of world.logins) {
        for (const process of fleet) this.#request(process, login, () => this.#probe(world, process, login));
      }
    });
    time.after(REST_MS + 30_000, () => {
      const process = random.pick(this.#alive());
      for (const login of world.logins) this.#request(process, login, () => this.#probeRefused(world, process, login));
    });
  }

  async #probe(world: World, process: SimulatedProcess, login: Login): Promise<UsableToken | string> {
    const result = await world.use(process, login);
    if (typeof result === 'string') this.#excuse(world, login, `a login that nobody ended answers ${result} to ${process.name}`);
    return result;
  }

  /** The login has ended, or is about to: a refusal that is not clear has to come twice, and a slow one comes after the waiting. */
  #excuse({ profile }: World, { witness }: Login, otherwise: string): void {
    const almostEnded = witness.family.refusals > 0 && (!profile.refusesClearly || profile.tokenMs > 1000);
    if (witness.destroyedAt === undefined && !witness.ended && !almostEnded) witness.violated(otherwise);
  }

  async #probeRefused(world: World, process: SimulatedProcess, login: Login): Promise<void> {
    const token = await this.#probe(world, process, login);
    if (typeof token === 'string') return;
    const again = await world.use(process, login, { refusedVersion: token.version });
    if (typeof again === 'string') this.#excuse(world, login, `a login cannot be refreshed: ${again}`);
  }
}
