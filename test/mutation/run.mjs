/**
 * `npm run test:mutation`, or `npm run test:mutation -- urls grants routes/login` for these parts, or whole folders, alone. What was found before
 * is kept in reports/ and not tried again.
 */
import { spawnSync } from 'node:child_process';
import { parts } from './parts.mjs';

const names = Object.keys(parts);
const meant = (asked) => names.filter((name) => name === asked || name.startsWith(`${asked}/`));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => meant(name).length === 0);
if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}: name some of ${names.join(', ')}`);

for (const part of asked.length > 0 ? asked.flatMap(meant) : names) {
  console.log(`\n=== ${part}`);
  const { status } = spawnSync('npx', ['--no-install', 'stryker', 'run', 'test/mutation/stryker.config.mjs'], { stdio: 'inherit', env: { ...process.env, MUTATION_PART: part } });
  if (status !== 0) process.exitCode = 1;
}
