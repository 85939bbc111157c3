/** The examples of a page of the documentation: found, named by the heading above them, and run. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import * as library from '../../lib/index.js';
import * as presets from '../../lib/providers/index.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** What stands in for every environment variable. */
export const exampleSecret = 'a secret of the documentation: fV7kq2nW0x';

export interface Example {
  /** The heading above it. */
  readonly heading: string;
  readonly code: string;
}

export function readPage(path: string): string {
  return readFileSync(root + path, 'utf8');
}

export function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  let heading = '';
  for (const [, title, code] of page.matchAll(/^#+ (.+)$|^```ts\n([^]*?)^```$/gm)) {
    if (code === undefined) heading = title!;
    else examples.push({ heading, code });
  }
  return examples;
}

/** Runs an example and answers what it exports. Its own `fetch`, if it uses any, is the one given here. */
export function runExample({ code }: Example, fetch: typeof globalThis.fetch): Record<string, unknown> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  const exported: Record<string, unknown> = {};
  const modules: Record<string, unknown> = { 'express-code-flow': library, 'express-code-flow/providers': presets };
  const process = { env: new Proxy({}, { get: () => exampleSecret }) };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- our own page is what is tested
  new Function('require', 'exports', 'process', 'fetch', outputText)((name: string) => modules[name], exported, process, fetch);
  return exported;
}
