/**
 * The properties of test/security, with many more inputs: a part of `npm run test:soak`. From the environment:
 *
 *   SOAK_FUZZ_RUNS  inputs of each property; default 20,000
 *   SOAK_SEED       as told by a run that failed; default a new one each time
 */
import fc from 'fast-check';
import { startFuzzWorld } from '../security/fuzz-world.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function numberFrom(name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} must be a whole number`);
  return value;
}

const numRuns = numberFrom('SOAK_FUZZ_RUNS', 20_000);
const seed = numberFrom('SOAK_SEED', Math.floor(Math.random() * 1_000_000_000));
say(`${numRuns} inputs of each property, SOAK_SEED=${seed}`);

const strays: unknown[] = [];
process.on('uncaughtException', (error) => strays.push(error));
process.on('unhandledRejection', (error) => strays.push(error));

const world = await startFuzzWorld();
let broken = 0;
for (const [name, property] of Object.entries(world.properties)) {
  const startedAt = performance.now();
  const details = await fc.check(property, { numRuns, seed });
  if (details.failed) broken += 1;
  say(`${details.failed ? 'BROKEN' : 'holds'}  ${name}: ${details.numRuns} inputs in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  if (details.failed) say(fc.defaultReportMessage(details));
}
await world.close();
for (const stray of strays) say(`nobody caught: ${String(stray)}`);
if (broken > 0 || strays.length > 0) process.exitCode = 1;
