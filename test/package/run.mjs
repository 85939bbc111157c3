/**
 * Packs the package, installs the tarball into fresh projects as a user would, and runs each of them.
 * Needs the npm registry, therefore not a part of `npm test`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const repository = fileURLToPath(new URL('../..', import.meta.url));
const consumersDirectory = join(here, 'consumers');

function run(command, args, cwd) {
  // NODE_OPTIONS of the caller are no part of a user's project.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 240_000 });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${status ?? signal ?? error}\n${stdout}${stderr}`);
}

function npm(cwd, ...args) {
  return run('npm', args, cwd);
}

/** The tarball holds the built code, its types and the documents of a package; nothing of the repository besides. */
function packInto(directory) {
  const [packed] = JSON.parse(npm(repository, 'pack', '--json', '--ignore-scripts', '--pack-destination', directory));
  const paths = packed.files.map(({ path }) => path);
  const documents = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', ...['errors', 'logout', 'providers', 'refresh', 'spa'].map((name) => `docs/${name}.md`)];
  const strangers = paths.filter((path) => !documents.includes(path) && !/^dist\/.+(\.c?js|\.d\.ts)$/.test(path));
  const missing = [...documents, 'dist/index.js', 'dist/index.d.ts'].filter((path) => !paths.includes(path));
  const unreachable = paths.filter((path) => /^dist\/(?:(?:grants|provider|routes)\/.*|seal)\.d\.ts$/.test(path));
  if (unreachable.length > 0) throw new Error(`the tarball must not describe what nobody can import: ${unreachable.join(', ')}`);
  if (strangers.length > 0) throw new Error(`the tarball must not hold ${strangers.join(', ')}`);
  if (missing.length > 0) throw new Error(`the tarball lacks ${missing.join(', ')}`);
  console.log(`packed ${paths.length} files, ${Math.ceil(packed.size / 1024)} KB`);
  return join(directory, packed.filename);
}

/** What Node loads with a built file before anything runs. A bundle that is not split would load all of it. */
function loadedWith(file, known = new Set()) {
  const imports = [...readFileSync(join(repository, 'dist', file), 'utf8').matchAll(/^(?:import "([^"]+)"|(?:import|export|\}) [^;]*?from "([^"]+)");/gm)].map(([, alone, from]) => alone ?? from);
  for (const name of imports.filter((each) => !known.has(each))) {
    known.add(name);
    if (name.startsWith('./') && name.endsWith('.js')) loadedWith(name, known);
  }
  return known;
}

function checkStart() {
  const loaded = loadedWith('index.js');
  if (!loaded.has('express-session')) throw new Error(`this does not see what is loaded: ${[...loaded].join(', ')}`);
  const late = ['openid-client', 'ioredis'].filter((name) => loaded.has(name));
  if (late.length > 0) throw new Error(`an app must start without ${late.join(' and ')}`);
}

function tryConsumer(name, scratch, tarball) {
  const project = join(scratch, name);
  cpSync(join(consumersDirectory, name), project, { recursive: true });
  cpSync(join(here, 'check.mjs'), join(project, 'check.mjs'));
  npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball);
  const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  for (const script of Object.keys(scripts)) {
    process.stdout.write(npm(project, 'run', '--silent', script));
    console.log(`ok: ${name}: ${script}`);
  }
}

const chosen = process.argv.slice(2);
const names = readdirSync(consumersDirectory).filter((name) => chosen.length === 0 || chosen.includes(name));
const scratch = mkdtempSync(join(tmpdir(), 'express-code-flow-package-'));
try {
  npm(repository, 'run', '--silent', 'build');
  checkStart();
  const tarball = packInto(scratch);
  let failed = 0;
  for (const name of names) {
    try {
      tryConsumer(name, scratch, tarball);
    } catch (error) {
      failed += 1;
      console.error(`failed: ${name}: ${error.message}`);
    }
  }
  console.log(`${names.length - failed} of ${names.length} consumer projects work`);
  process.exitCode = failed === 0 && names.length > 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
