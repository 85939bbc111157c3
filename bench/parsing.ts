/**
 * How long each parser of ours takes over a megabyte, and how that grows from half a megabyte: `npm run bench:parsing`. Linear is 2; the limit
 * is 50 ms (THREATS J8). `BENCH_ROUNDS`, default 7: the shortest of so many runs counts.
 */
import { cpus } from 'node:os';
import { parsers, shortestMs } from '../test/support/parsers.js';

const LIMIT_MS = 50;
const MEGABYTE = 1024 * 1024;
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 7);

const say = (...columns: (string | number)[]): void => void process.stdout.write(`| ${columns.join(' | ')} |\n`);

process.stdout.write(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, the shortest of ${rounds} runs\n\n`);
say('reading', '0.5 MB, ms', '1 MB, ms', 'growth');
say('---', '---:', '---:', '---:');
let slowest = 0;
for (const parser of parsers) {
  const [half, whole] = [shortestMs(parser, MEGABYTE / 2, rounds), shortestMs(parser, MEGABYTE, rounds)];
  slowest = Math.max(slowest, whole);
  // Below a tenth of a millisecond there is nothing to compare.
  say(parser.name.replaceAll('|', '\\|'), half.toFixed(2), whole.toFixed(2), whole < 0.1 ? '–' : (whole / half).toFixed(1));
}
process.stdout.write(`\nthe slowest takes ${slowest.toFixed(1)} ms of ${LIMIT_MS}\n`);
if (slowest > LIMIT_MS) process.exitCode = 1;
