/** A process of the app: its own clock and memory, the real token manager, and lines to the store and the server that may fail. */
import type { Clock } from '../../lib/clock.js';
import type { Events } from '../../lib/events.js';
import { createTokenManager } from '../../lib/grants/token-manager.js';
import type { TokenManager } from '../../lib/grants/token-manager.js';
import type { GrantProvider } from '../../lib/provider-registry.js';
import { createProviderLine } from './provider-line.js';
import { createStoreLine } from './store-line.js';
import type { World } from './world.js';

/** The defaults of `codeFlow()`. */
export const httpTimeoutSeconds = 5;
export const redisTimeoutSeconds = 0.5;
const idleTimeoutSeconds = 28_800;

/** Longer than a token call and the tries to store its answer. */
const LONGEST_CLOSE_MS = 20_000;
const EPOCH = 1_800_000_000_000;

export class SimulatedProcess {
  name = '';
  manager: TokenManager;
  provider: GrantProvider;
  readonly clock: Clock;
  #alive = true;
  #world: World | undefined;
  #stalledUntil = 0;
  /** Its clocks are not anybody else's. */
  #wrongBy = 0;

  constructor() {
    const events: Events = {
      emit: (name, detail) => {
        this.world.reached.add(name);
        this.world.trace(`${this.name} ${name}${'code' in detail ? ` ${detail.code}` : ''}`);
      },
      on: () => undefined,
    };
    this.clock = {
      now: () => EPOCH + this.world.time.now + this.#wrongBy,
      monotonic: () => this.world.time.now + this.#wrongBy,
      sleep: (milliseconds, signal) => this.#sleep(milliseconds, signal),
    };
    this.provider = createProviderLine(this);
    this.manager = createTokenManager({ store: createStoreLine(this), clock: this.clock, events, httpTimeoutSeconds, redisTimeoutSeconds, idleTimeoutSeconds });
  }

  /** Takes part in a history. The memory of earlier ones does not matter: every grant has an id of its own. */
  join(world: World, name: string): void {
    this.#world = world;
    this.name = name;
    this.#stalledUntil = 0;
    this.#wrongBy = world.random.between(0, 600_000);
  }

  get world(): World {
    return this.#world!;
  }

  get alive(): boolean {
    return this.#alive;
  }

  #sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.world.time.after(milliseconds, () => this.run(resolve));
      signal?.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Something happens to this process: never if it is dead, later if it is stalled. */
  run(work: () => unknown): void {
    if (!this.#alive) return;
    const { time } = this.world;
    if (time.now < this.#stalledUntil) {
      time.after(this.#stalledUntil - time.now, () => this.run(work));
      return;
    }
    this.world.running = this;
    work();
  }

  stalledSince(instant: number): boolean {
    return this.#stalledUntil > instant;
  }

  /** Its event loop is blocked. */
  stall(milliseconds: number): void {
    this.#stalledUntil = this.world.time.now + milliseconds;
  }

  /** It ends in its own time, as at a deployment. */
  async close(): Promise<void> {
    await this.manager.close(LONGEST_CLOSE_MS);
    this.#alive = false;
    for (const { witness } of this.world.logins) witness.processEnded(this.name, 'closed');
  }

  /** Whatever it was doing never goes on. */
  crash(): void {
    this.#alive = false;
    for (const { witness } of this.world.logins) witness.processEnded(this.name, 'crashed');
  }
}
