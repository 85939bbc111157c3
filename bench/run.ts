/**
 * This package beside its peers, measured in one run and in turns: `npm run bench -- --quick|--full --only requests,login --json out.json --markdown out.md`.
 * Absolute figures belong to a machine and a moment; what counts are the ratios and the counts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { api } from './measures/api.js';
import { commands } from './measures/commands.js';
import { installSize } from './measures/install.js';
import { login } from './measures/login.js';
import { memory } from './measures/memory.js';
import { requests } from './measures/requests.js';
import { scaling } from './measures/scaling.js';
import { stampede } from './measures/stampede.js';
import { startUp } from './measures/start-up.js';
import { steady } from './measures/steady.js';
import { Bench, type Measure, type Scale, type Table } from './parts/bench.js';
import { about, report } from './parts/report.js';
import { startWorld } from './parts/world.js';
import { scales } from './scales.js';

const measures: readonly Measure[] = [requests, commands, api, stampede, steady, login, memory, startUp, installSize, scaling];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Wishes {
  readonly scale: Scale;
  readonly chosen: readonly Measure[];
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

function wishes(): Wishes {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { quick: flag, full: flag, only: text, json: text, markdown: text } });
  const names = values.only?.split(',') ?? measures.map(({ name }) => name);
  const chosen = names.map((name) => {
    const found = measures.find((measure) => measure.name === name);
    if (found === undefined) throw new Error(`--only ${name}: there is ${measures.map((measure) => measure.name).join(', ')}`);
    return found;
  });
  return { scale: scales[values.quick ? 'quick' : values.full ? 'full' : 'default'], chosen, json: values.json, markdown: values.markdown };
}

/** The peers are not dependencies of the package: they are installed when somebody wants to see them. */
function installPeers(): void {
  const directory = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${directory}node_modules/.package-lock.json`)) return;
  say('The peers are not installed yet: npm ci --prefix bench');
  execFileSync('npm', ['ci', '--prefix', directory, '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

async function run({ scale, chosen, json, markdown }: Wishes): Promise<void> {
  installPeers();
  const startedAt = performance.now();
  const seconds = (): string => `${((performance.now() - startedAt) / 1000).toFixed(0)} s`;
  const bench = new Bench(await startWorld(), scale, say);
  const tables: Table[] = [];
  const samples: Record<string, unknown> = {};
  try {
    for (const measure of chosen) {
      say(`${measure.name} (${seconds()})`);
      const measured = await measure.run(bench);
      tables.push(...measured.tables);
      samples[measure.name] = measured.samples;
    }
  } finally {
    await bench.stop();
  }
  say(`done (${seconds()})`);
  const facts = about(scale);
  const text = report(facts, tables);
  process.stdout.write(text);
  if (markdown !== undefined) writeFileSync(markdown, text);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...facts, tables, samples }, undefined, 2)}\n`);
}

await run(wishes());
