// One file per entry point, and one for what they share: loading a hundred small files takes an app longer at its start than all they do there.
import { copyFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const sourceOf = ({ default: built }) => built.replace('./dist/', 'lib/').replace(/\.js$/, '.ts');

await build({
  absWorkingDir: root,
  entryPoints: Object.values(exports).filter((entry) => typeof entry === 'object').map(sourceOf),
  outdir: 'dist',
  outbase: 'lib',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  external: ['*.cjs'],
});
copyFileSync(`${root}lib/ioredis.cjs`, `${root}dist/ioredis.cjs`);
