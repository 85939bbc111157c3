/** What goes wrong in a history, and how long things take: all drawn from its seed. */
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

export interface Profile {
  /** `static`: no rotation. `grace`: a spent token still works for a while. `strict`: it ends its whole family (RFC 9700 §4.14.2). */
  readonly rotation: 'static' | 'grace' | 'strict';
  readonly graceMs: number;
  /** Whether a refusal reads `invalid_grant`, or in the server's own words. */
  readonly refusesClearly: boolean;
  /** Whether a revocation ends the family or the one token (RFC 7009 §2.1 allows both). */
  readonly revokesFamily: boolean;
  /** Of access tokens; `undefined`: the server does not say. */
  readonly lifetimeSeconds: number | undefined;
  readonly processes: number;
  readonly logins: number;
  /** The slowest of each; the fastest take no time. */
  readonly storeMs: number;
  readonly tokenMs: number;
  /** How often a call to the store or to the token endpoint goes wrong. */
  readonly storeFaults: number;
  readonly tokenFaults: number;
  /** Whether anything goes wrong at all: crashes, outages and stalls, too. */
  readonly troubled: boolean;
}

export function drawProfile(random: Random): Profile {
  const troubled = random.chance(0.8);
  const rate = (...rates: [number, ...number[]]): number => (troubled ? random.pick(rates) : 0);
  return {
    rotation: random.pick(['static', 'grace', 'strict', 'strict']),
    graceMs: random.pick([10_000, 30_000]),
    refusesClearly: random.chance(0.8),
    revokesFamily: random.chance(0.5),
    lifetimeSeconds: random.pick([5, 20, 60, 60, undefined]),
    processes: random.between(1, 4),
    logins: random.pick([1, 1, 2]),
    storeMs: random.pick([2, 20, 200]),
    tokenMs: random.pick([20, 300, 3000]),
    storeFaults: rate(0, 0.03, 0.15),
    tokenFaults: rate(0, 0.1, 0.4),
    troubled,
  };
}

/**
 * `refused`: never arrives, and the caller learns it at once. `request lost`, `reply lost`: the caller waits in vain. `cut`: carried
 * out, then the connection breaks. `late`: carried out long after the caller gave up. `twice`: carried out again later.
 */
export type StoreFate = 'ok' | 'refused' | 'request lost' | 'reply lost' | 'cut' | 'late' | 'twice';

/** `slow`: answers when the caller has given up, or nearly. `unverified`: tokens, but with an ID Token that cannot be checked. */
export type TokenFate = 'ok' | 'refused' | 'unavailable' | 'busy' | 'client' | 'request lost' | 'reply lost' | 'cut' | 'slow' | 'unverified' | 'foreign';

interface Passage<F> {
  readonly fate: F;
  readonly requestMs: number;
  readonly replyMs: number;
}

export class Faults {
  #calm = false;
  #storeOutageUntil = 0;
  #serverOutageUntil = 0;

  constructor(
    readonly random: Random,
    readonly time: VirtualTime,
    readonly profile: Profile,
  ) {}

  /** From now on everything works. */
  calm(): void {
    this.#calm = true;
  }

  storeOutage(milliseconds: number): void {
    this.#storeOutageUntil = this.time.now + milliseconds;
  }

  serverOutage(milliseconds: number): void {
    this.#serverOutageUntil = this.time.now + milliseconds;
  }

  storeCall(): Passage<StoreFate> & { readonly againMs: number } {
    const { random } = this;
    const [requestMs, replyMs, againMs] = [random.between(0, this.profile.storeMs), random.between(0, this.profile.storeMs), random.between(0, 15_000)];
    const fate = this.#storeFate();
    return { fate, requestMs: fate === 'late' ? random.between(500, 20_000) : requestMs, replyMs, againMs };
  }

  #storeFate(): StoreFate {
    if (this.#calm) return 'ok';
    if (this.time.now < this.#storeOutageUntil) return this.random.pick(['refused', 'refused', 'request lost', 'cut']);
    return this.random.chance(this.profile.storeFaults) ? this.random.pick(['refused', 'request lost', 'reply lost', 'cut', 'late', 'twice']) : 'ok';
  }

  tokenCall(): Passage<TokenFate> {
    const { random, profile } = this;
    const fate = this.#tokenFate();
    const half = Math.round(profile.tokenMs / 2);
    return { fate, requestMs: fate === 'slow' ? random.between(3000, 14_000) : random.between(0, half), replyMs: random.between(0, half) };
  }

  #tokenFate(): TokenFate {
    const { random } = this;
    if (this.#calm) return 'ok';
    if (this.time.now < this.#serverOutageUntil) return random.pick(['refused', 'unavailable', 'request lost']);
    if (!random.chance(this.profile.tokenFaults)) return 'ok';
    return random.weighted({ refused: 2, unavailable: 2, busy: 1, client: 1, 'request lost': 1, 'reply lost': 1, cut: 2, slow: 1, unverified: 2, foreign: 0.2, ok: 0 });
  }
}
