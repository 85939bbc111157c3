/** Counts what a Redis server is asked for between two moments, from its own statistics. */
export interface CommandCounter {
  /** Commands since the counter was made or reset. Those that a script runs count too, beside its `evalsha`. */
  byName(): Promise<Record<string, number>>;
  total(): Promise<number>;
  reset(): Promise<void>;
}

/** What clients send to connect, and what the counter itself sends. */
const housekeeping = new Set(['info', 'config', 'ping', 'hello', 'client', 'select', 'auth', 'command', 'quit']);

/** `commandstats` gives the answer to `INFO commandstats`. */
export async function createCommandCounter(commandstats: () => Promise<string>): Promise<CommandCounter> {
  let before = count(await commandstats());
  const byName = async (): Promise<Record<string, number>> => {
    const since = [...count(await commandstats())].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)] as const);
    return Object.fromEntries(since.filter(([, calls]) => calls !== 0));
  };
  return {
    byName,
    async total() {
      return Object.values(await byName()).reduce((sum, calls) => sum + calls, 0);
    },
    async reset() {
      before = count(await commandstats());
    },
  };
}

function count(commandstats: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, command, calls] of commandstats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)) {
    const name = command!.split('|')[0]!;
    if (!housekeeping.has(name)) counts.set(name, (counts.get(name) ?? 0) + Number(calls));
  }
  return counts;
}
