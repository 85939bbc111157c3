/** What an app takes on with this package (THREATS J7). */
import { describe, expect, it } from '@jest/globals';
import { readText } from '../support/documents.js';

interface Locked {
  dev?: boolean;
  peer?: boolean;
  hasInstallScript?: boolean;
  resolved?: string;
  integrity?: string;
}

const manifest = JSON.parse(readText('package.json')) as { dependencies: Record<string, string>; scripts: Record<string, string>; files: string[] };
const { packages } = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Locked> };
const installed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);

describe('J7: the package', () => {
  it('has at most four dependencies', () => {
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(4);
  });

  it('runs nothing when it is installed, nor do its dependencies', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
    expect(installed.length).toBeGreaterThan(4);
    expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([]);
  });

  it('is locked by checksums', () => {
    expect(installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path)).toEqual([]);
  });

  it('holds what is built and its documents, no sources, tests or settings', () => {
    for (const pattern of manifest.files) expect(pattern).toMatch(/^dist\/|\.md$/);
  });
});
