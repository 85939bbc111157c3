/** Tables as Markdown. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Scale, Table } from './bench.js';

function markdown({ title, about, head, rows, notes = [] }: Table): string {
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const remarks = notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)];
  return [`### ${title}`, about, '', ...(rows.length === 0 ? [] : lines), ...remarks].join('\n');
}

export interface About {
  readonly date: string;
  readonly scale: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
}

export function about(scale: Scale): About {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: Record<string, string> };
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const redis = /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  return {
    date: new Date().toISOString().slice(0, 10),
    scale: scale.name,
    machine: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
    versions: { 'express-code-flow': version, node: process.version.slice(1), 'redis-server': redis, ...dependencies },
  };
}

export function report({ date, scale, machine, versions }: About, tables: readonly Table[]): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [`Measured on ${date} (\`--${scale}\`) on ${machine}. Versions: ${named.join(', ')}.`, ...tables.map(markdown)].join('\n\n') + '\n';
}
