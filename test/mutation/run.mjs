/** `npm run test:mutation`, or `npm run test:mutation -- urls seal` for these parts alone. What was found before is kept in reports/ and not tried again. */
import { spawnSync } from 'node:child_process';
import { parts } from './parts.mjs';

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in parts));
if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}: name some of ${Object.keys(parts).join(', ')}`);

for (const part of asked.length > 0 ? asked : Object.keys(parts)) {
  console.log(`\n=== ${part}`);
  const { status } = spawnSync('npx', ['--no-install', 'stryker', 'run', 'test/mutation/stryker.config.mjs'], { stdio: 'inherit', env: { ...process.env, MUTATION_PART: part } });
  if (status !== 0) process.exitCode = 1;
}
