/** The examples of docs/providers.md compile against the published types, and start. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import * as library from '../../lib/index.js';
import type { ProviderOptions } from '../../lib/index.js';
import * as presets from '../../lib/providers/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/providers.md`, 'utf8');

/** Named by the heading above and a number, as a reader would find them. */
const examples = [...page.matchAll(/^#+ (.+)$|^```ts\n([^]*?)^```$/gm)].reduce<{ heading: string; found: [string, string][] }>(
  ({ heading, found }, [, title, code]) =>
    code === undefined ? { heading: title!, found } : { heading, found: [...found, [`${heading}, example ${found.length + 1}`, code]] },
  { heading: '', found: [] },
).found;

/** Each as a module of its own beside the page; problems by the name of the example. */
function problems(): string[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, paths: { 'express-code-flow': ['./lib/index.ts'], 'express-code-flow/providers': ['./lib/providers/index.ts'] } },
    root,
  );
  const sources = new Map(examples.map(([name, code], index) => [`${root}docs/example-${index + 1}.ts`, { name, code }]));
  const host = ts.createCompilerHost(options);
  const withExamples: ts.CompilerHost = {
    ...host,
    fileExists: (path) => sources.has(path) || host.fileExists(path),
    readFile: (path) => sources.get(path)?.code ?? host.readFile(path),
    getSourceFile: (path, languageVersion, ...rest) => {
      const source = sources.get(path);
      return source === undefined ? host.getSourceFile(path, languageVersion, ...rest) : ts.createSourceFile(path, source.code, languageVersion);
    },
  };
  const program = ts.createProgram([...sources.keys()], options, withExamples);
  return [...sources].flatMap(([path, { name }]) => {
    const file = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({ messageText }) => `${name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  });
}

/** Runs an example with its secrets filled in, and answers what it exports. */
function run(code: string): Record<string, unknown> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  const exported: Record<string, unknown> = {};
  const modules: Record<string, unknown> = { 'express-code-flow': library, 'express-code-flow/providers': presets };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- our own page is what is tested
  new Function('require', 'exports', 'process', outputText)((name: string) => modules[name], exported, { env: new Proxy({}, { get: () => secret }) });
  return exported;
}

const secret = 'a secret of the documentation: fV7kq2nW0x';

describe('docs/providers.md', () => {
  it('has examples that compile', () => {
    expect(examples.length).toBeGreaterThanOrEqual(15);
    expect(problems()).toEqual([]);
  }, 60_000);

  it.each(examples)('%s starts', async (_name, code) => {
    for (const value of Object.values(run(code))) {
      if (typeof value === 'function' && 'close' in value) await (value as unknown as library.CodeFlow).close();
      else if (typeof value === 'object') await library.codeFlow({ provider: value as ProviderOptions, baseUrl: 'https://app.example.com', secret }).close();
    }
  });

  it('has a section for every preset and every worked example', () => {
    for (const name of Object.keys(presets)) expect(page).toContain(`| \`${name}\` |`);
    for (const name of ['Google', 'Microsoft Entra ID', 'Okta', 'Auth0', 'Keycloak', 'Amazon Cognito', 'GitHub', 'Salesforce']) {
      expect(page).toContain(`### ${name}\n`);
    }
  });
});
