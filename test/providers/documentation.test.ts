/** The examples of docs/providers.md compile against the published types, and start. */
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { codeFlow } from '../../lib/index.js';
import type { CodeFlow, ProviderOptions } from '../../lib/index.js';
import * as presets from '../../lib/providers/index.js';
import { exampleSecret, examplesOf, readPage, root, runExample } from '../support/documentation.js';

const page = readPage('docs/providers.md');
const examples = examplesOf(page);

/** Each as a module of its own beside the page; problems by the heading above it. */
function problems(): string[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const sources = new Map(examples.map((example, index) => [`${root}docs/example-${index + 1}.ts`, example]));
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
  return [...sources].flatMap(([path, { heading }]) => {
    const file = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({ messageText }) => `${heading}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  });
}

describe('docs/providers.md', () => {
  it('has examples that compile', () => {
    expect(examples.length).toBeGreaterThanOrEqual(15);
    expect(problems()).toEqual([]);
  }, 360_000);

  it.each(examples.map((example, index) => [`${example.heading} (${index + 1})`, example] as const))('%s starts', async (_name, example) => {
    for (const value of Object.values(runExample(example, fetch))) {
      if (typeof value === 'function' && 'close' in value) await (value as unknown as CodeFlow).close();
      else if (typeof value === 'object') await codeFlow({ provider: value as ProviderOptions, baseUrl: 'https://app.example.com', secret: exampleSecret }).close();
    }
  });

  it('has a section for every preset and every worked example', () => {
    for (const name of Object.keys(presets)) expect(page).toContain(`| \`${name}\` |`);
    for (const name of ['Google', 'Microsoft Entra ID', 'Okta', 'Auth0', 'Keycloak', 'Amazon Cognito', 'GitHub', 'Salesforce']) {
      expect(page).toContain(`### ${name}\n`);
    }
  });
});
