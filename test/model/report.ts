/** Runs many histories and, when one goes wrong, tells it from the beginning. */
import { Explorer, type ExplorerSettings } from './explorer.js';

export interface Findings {
  /** Histories in which a promise was broken, by their seeds. */
  readonly broken: ReadonlyMap<number, readonly string[]>;
  /** How many histories came across each event. */
  readonly reached: ReadonlyMap<string, number>;
}

export interface Exploration {
  readonly first: number;
  readonly count: number;
  /** Stop after so many broken histories. */
  readonly enough?: number;
  /** Called now and then, with the number of histories so far. */
  readonly progress?: (done: number) => void;
}

/** As often as this, the event loop gets its turn. */
const PAUSE_EVERY = 50;

export async function explore(settings: ExplorerSettings, { first, count, enough = 1, progress }: Exploration): Promise<Findings> {
  const explorer = new Explorer(settings);
  const broken = new Map<number, readonly string[]>();
  const reached = new Map<string, number>();
  for (let seed = first; seed < first + count && broken.size < enough; seed += 1) {
    const history = await explorer.run(seed);
    if (history.violations.length > 0) broken.set(seed, history.violations);
    for (const name of history.reached) reached.set(name, (reached.get(name) ?? 0) + 1);
    if (seed % PAUSE_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
    if ((seed - first + 1) % 1000 === 0) progress?.(seed - first + 1);
  }
  return { broken, reached };
}

/** The same history once more, step by step. */
export async function tell(settings: ExplorerSettings, seed: number): Promise<string> {
  const { lines, violations } = await new Explorer(settings).run(seed, true);
  return [`seed ${seed}: ${violations.join('; ') || 'did not happen again'}`, ...lines].join('\n');
}
