/** What a production install brings: packages and bytes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Measure } from '../parts/bench.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const session = ['express-session', 'connect-redis', 'ioredis'];
const THIS = 'this package';
const installs: Readonly<Record<string, readonly string[]>> = {
  'express and ioredis alone': ['ioredis'],
  [THIS]: ['ioredis'],
  'express-openid-connect, Redis': ['express-openid-connect', 'connect-redis', 'express-session', 'ioredis'],
  'express-openid-connect, cookies': ['express-openid-connect'],
  'passport, openid-client': ['passport', 'openid-client', ...session],
  '@auth/express': ['@auth/express'],
  'backend-for-frontend by hand': ['openid-client', ...session],
};

async function bytesUnder(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function pack(directory: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory], { cwd: root });
  return `file:${join(directory, stdout.trim())}`;
}

async function install(dependencies: Readonly<Record<string, string>>): Promise<{ packages: number; bytes: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-install-'));
  try {
    await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: directory, timeout: 120_000 });
    const modules = join(directory, 'node_modules');
    const lock = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')) as { packages: object };
    return { packages: Object.keys(lock.packages).length, bytes: await bytesUnder(modules) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(): Promise<(string | number)[][]> {
  const { dependencies: pinned } = JSON.parse(await readFile(join(root, 'bench/package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const directory = await mkdtemp(join(tmpdir(), 'bench-pack-'));
  try {
    const tarball = await pack(directory);
    const rows: (string | number)[][] = [];
    for (const [name, packages] of Object.entries(installs)) {
      const dependencies = Object.fromEntries(['express', ...packages].map((each) => [each, pinned[each]!]));
      const installed = await install(name === THIS ? { ...dependencies, 'express-code-flow': tarball } : dependencies);
      rows.push([name, installed.packages, (installed.bytes / 2 ** 20).toFixed(2)]);
    }
    return rows;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export const installSize: Measure = {
  name: 'install',
  async run() {
    const title = 'A production install';
    const about = 'With Express and, where sessions are in Redis, ioredis. Target: within 1.1 of the smallest peer, and no package that is not needed at run time.';
    const head = ['', 'packages', 'MiB'];
    try {
      const rows = await measure();
      return { tables: [{ title, about, head, rows }], samples: rows };
    } catch (error) {
      const why = String(error).split('\n')[0]!.replace(/https?:\S+/g, '…');
      return { tables: [{ title, about, head, rows: [], notes: [`Not measured, no package registry: ${why.slice(0, 120)}`] }], samples: [] };
    }
  },
};
