/**
 * The tests use a real redis-server and a real Chromium. Where one is missing, it is installed if this process may do that
 * (root, Debian and its kin); otherwise one line says how. The servers' own service units are not relied on: tests start their own.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const tools = [
  { names: ['redis-server'], debianPackage: 'redis-server' },
  { names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'], debianPackage: 'chromium' },
];

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isInstalled(name) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => isExecutable(join(directory, name)));
}

function missingPackages() {
  return tools.filter(({ names }) => !names.some(isInstalled)).map(({ debianPackage }) => debianPackage);
}

function aptGet(...args) {
  // Standard output is for the tests; apt's progress goes where warnings go.
  const { status } = spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  return status === 0;
}

const missing = missingPackages();
if (missing.length > 0 && process.getuid?.() === 0 && isInstalled('apt-get')) {
  console.error(`Installing for the tests: ${missing.join(', ')}`);
  // A failed update need not matter: the lists at hand may know the packages.
  aptGet('update', '-qq');
  aptGet('install', '-y', '-qq', '--no-install-recommends', ...missing);
}

const stillMissing = missingPackages();
if (stillMissing.length > 0) {
  console.error(`The tests need ${stillMissing.join(' and ')} on the PATH: sudo apt-get install ${stillMissing.join(' ')} (or your system's like)`);
  process.exitCode = 1;
}
