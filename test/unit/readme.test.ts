/** The documents say what the code does: their code compiles, their tables are complete, what they point to is there. */
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { resolveOptions } from '../../lib/options.js';
import { codeBlocks, codeSpans, filesUnder, quickStart, readText, root, tableRows, type CodeBlock } from '../support/documents.js';

const readme = readText('README.md');
const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...filesUnder('docs', '.md')];
const sources = filesUnder('lib', '.ts');

const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path));
const { options: compilerOptions } = ts.parseJsonConfigFileContent(config, ts.sys, root);

/** A program over the project and over files that exist here only. */
function programOf(virtual: ReadonlyMap<string, string>): ts.Program {
  const options = { ...compilerOptions, allowJs: true, checkJs: true };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => virtual.has(name) || disk.fileExists(name),
    readFile: (name) => virtual.get(name) ?? disk.readFile(name),
    getSourceFile(name, language, ...rest) {
      const text = virtual.get(name);
      return text === undefined ? disk.getSourceFile(name, language, ...rest) : ts.createSourceFile(name, text, language);
    },
  };
  return ts.createProgram([...virtual.keys(), `${root}lib/types.ts`, `${root}lib/events.ts`], options, host);
}

const isCode = ({ language }: CodeBlock): boolean => ['ts', 'js'].includes(language);
const blocks = [...documents, ...sources].flatMap(codeBlocks).filter(isCode);
const fileOf = ({ place, language }: CodeBlock): string => `${root}${place.replaceAll(/[^\w.-]/g, '-')}.${language}`;

/** A block that imports nothing of ours goes on where the quick start ended. */
const completed = ({ code }: CodeBlock): string => (/^import .* from 'express-code-flow/m.test(code) ? code : `${quickStart().code}\n${code}`);
const program = programOf(new Map(blocks.map((block) => [fileOf(block), completed(block)])));
const checker = program.getTypeChecker();

describe('the code in the documents', () => {
  it('is there', () => {
    expect(blocks.map(({ place }) => place.split(':')[0])).toEqual(expect.arrayContaining(['README.md', 'lib/code-flow.ts', 'lib/guards/require-auth.ts']));
  });

  it.each(blocks.map((block) => [block.place, block] as const))('%s compiles', (_place, block) => {
    const source = program.getSourceFile(fileOf(block));
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });

  it('begins in the README by line 15', () => {
    expect(quickStart().line).toBeLessThanOrEqual(15);
  });

  it('is what the TypeScript consumer of the tarball compiles', () => {
    expect(readText('test/package/consumers/typescript/quick-start.ts')).toContain(quickStart().code);
  });

  it.each(['npm ci && npm start', 'npm ci && npm test'])('`%s` stands in the README, and package.json has the script', (command) => {
    expect(readme).toContain(`\`${command}\``);
    expect(Object.keys(JSON.parse(readText('package.json')).scripts)).toContain(command.split(' ').at(-1));
  });
});

describe('the quick start and the example app', () => {
  /** What a real app writes in its place, and the example has from its own parts. */
  const configuration: Record<string, string> = {
    issuer: "'https://id.example.com'",
    clientId: "'web'",
    clientSecret: 'process.env.CLIENT_SECRET',
    baseUrl: "'https://app.example.com'",
    sessionSecret: 'process.env.SESSION_SECRET',
    redisUrl: 'process.env.REDIS_URL',
    apiUrl: "'https://api.example.com/v1/'",
  };
  /** Of the quick start: a page and a port, which every app has of its own. */
  const isOwn = (statement: string): boolean => /^app\.get\('\/',|^const server = app\.listen\(/.test(statement);

  const configured = (text: string): string =>
    text
      .replaceAll(/`\$\{config\.(\w+)\}(\w*)`/g, (_, name: string, rest: string) => `${configuration[name]!.slice(0, -1)}${rest}'`)
      .replaceAll(/\bconfig\.(\w+)/g, (_, name: string) => configuration[name] ?? `config.${name}`);

  /** Without comments and types, in one spelling. */
  const plain = (statement: string): string =>
    ts.transpile(statement, { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: true }).replace(/^"use strict";/, '').replaceAll(/\s+/g, ' ').trim();

  const parse = (text: string): readonly ts.Statement[] => ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true).statements;
  const example = parse(configured(readText('example-app/server.ts')));
  const createServer = example.find(ts.isFunctionDeclaration)?.body?.statements ?? [];
  const start = parse(quickStart().code);

  const namesImported = (statements: readonly ts.Statement[]): string[] =>
    statements
      .filter(ts.isImportDeclaration)
      .filter(({ moduleSpecifier }) => ts.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === 'express-code-flow')
      .flatMap(({ importClause }) => (importClause?.namedBindings !== undefined && ts.isNamedImports(importClause.namedBindings) ? [...importClause.namedBindings.elements] : []))
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .map(({ name }) => name.text)
      .sort();

  it('import the same', () => {
    expect(namesImported(example)).toEqual(namesImported(start));
  });

  it('integrate with the same statements in the same order', () => {
    const shown = start.filter((statement) => !ts.isImportDeclaration(statement)).map((statement) => plain(statement.getText()));
    const integration = shown.filter((statement) => !isOwn(statement));
    const written = createServer.map((statement) => plain(statement.getText()));
    expect(shown.length - integration.length).toBe(2);
    expect(written.filter((statement) => integration.includes(statement))).toEqual(integration);
  });

  it('the example integrates in at most 60 lines', () => {
    expect(readText('example-app/server.ts').split('\n').length).toBeLessThanOrEqual(61);
  });
});

/** The members of an interface of lib/, by name. */
function membersOf(file: string, name: string): ts.Symbol[] {
  const source = program.getSourceFile(`${root}${file}`)!;
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).find((symbol) => symbol.name === name)!;
  return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(exported));
}

const isOurs = (symbol: ts.Symbol): boolean =>
  symbol.declarations?.every((declaration) => /\/lib\/(types|provider-options)\.ts$/.test(declaration.getSourceFile().fileName)) === true;

/** Objects that our types spell out to the last name are tables of their own; dictionaries, clients, keys and functions are values. */
function nestedOptions(type: ts.Type): ts.Symbol[] {
  const parts = type.isUnion() ? type.types : [type];
  const objects = parts.filter((part) => checker.getIndexInfosOfType(part).length === 0 && part.getCallSignatures().length === 0);
  const ours = objects.map((part) => checker.getPropertiesOfType(part)).filter((members) => members.every(isOurs)).flat();
  return [...new Map(ours.map((symbol) => [symbol.name, symbol])).values()];
}

function optionNames(symbols: readonly ts.Symbol[], prefix = ''): string[] {
  return symbols.flatMap((symbol) => {
    const name = prefix + symbol.name;
    const type = checker.getNonNullableType(checker.getTypeOfSymbol(symbol));
    const element = (type.isUnion() ? type.types : [type]).map((part) => checker.getIndexTypeOfType(part, ts.IndexKind.Number)).find((part) => part?.isUnion());
    if (element !== undefined) return [name, ...optionNames(nestedOptions(element), `${name}[].`)];
    const nested = nestedOptions(type);
    return nested.length === 0 ? [name] : optionNames(nested, `${name}.`);
  });
}

/** How a default is written, if it is one that can be compared. */
function defaultOf(value: unknown): string[] {
  if (typeof value === 'number') return [value.toLocaleString('en-US')];
  if (typeof value === 'string' || typeof value === 'boolean') return [`\`${value}\``];
  return Array.isArray(value) && value.length > 0 ? [value.map((item) => `\`${item}\``).join(', ')] : [];
}

describe('the tables of the README', () => {
  const optionRows = ['| option | meaning | default |', '| rarer option | meaning | default |'].flatMap((head) => tableRows(readme, head));

  it('name every option', () => {
    const names = optionNames(membersOf('lib/types.ts', 'CodeFlowOptions'));
    const some = ['provider.issuer', 'provider.server', 'provider.privateKey', 'provider.identity', 'providers', 'session.keep', 'routes.login', 'apis[].provider', 'fetch'];
    expect(names).toEqual(expect.arrayContaining(some));
    expect(membersOf('lib/types.ts', 'ProviderSettings').map(({ name }) => `provider.${name}`).filter((name) => !names.includes(name))).toEqual([]);
    expect(optionRows.flatMap(([option]) => codeSpans(option!)).sort()).toEqual(names.sort());
  });

  it('name the defaults that the code has', () => {
    const secret = '4yVqD0sZ8nKcJm2T-7uLwXo3RbEa6HgNi';
    const required = { provider: { issuer: 'https://id.example.com', clientId: 'web' }, baseUrl: 'https://app.example.com', secret };
    const { afterLogin, afterLogout, ...resolved } = resolveOptions({ ...required, session: { keepGrant: true } }, {});
    const values = { ...resolved, afterLogin: new URL(afterLogin).pathname, afterLogout: new URL(afterLogout).pathname };
    const compared = optionRows.flatMap(([option, , documented]) => {
      if (documented!.startsWith('required')) return [];
      const actual = codeSpans(option!)[0]!.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], values);
      return defaultOf(actual).map((text) => ({ option, documented, text }));
    });
    expect(compared.length).toBeGreaterThan(12);
    for (const { option, documented, text } of compared) expect([option, documented!.split(' (')[0]]).toEqual([option, text]);
  });

  it('name every option of requireAuth()', () => {
    const rows = tableRows(readme, '| option | lets a request through if |');
    const names = membersOf('lib/guards/require-auth.ts', 'RequireAuthOptions').map(({ name }) => name);
    expect(rows.flatMap(([option]) => codeSpans(option!)).sort()).toEqual(names.sort());
  });

  it('name every method of codeFlow()', () => {
    const rows = tableRows(readme, '| method | meaning |');
    const own = membersOf('lib/code-flow.ts', 'CodeFlow').map(({ name }) => name);
    expect(rows.map(([method]) => /^`auth\.(\w+)\(/.exec(method!)?.[1]).sort()).toEqual(own.sort());
  });

  it('name every member of the request', () => {
    const rows = tableRows(readme, '| member | meaning |');
    const names = rows.flatMap(([member]) => codeSpans(member!)).map((code) => /^(?:req\.oauth)?\.(\w+)|^req\.(\w+)/.exec(code)).map((match) => match?.[1] ?? match?.[2]);
    const oauth = membersOf('lib/request-oauth.ts', 'AuthenticatedOAuth').map(({ name }) => name);
    expect(names.sort()).toEqual([...oauth, 'oauthFetch', 'session'].sort());
  });

  it('name every event', () => {
    const rows = tableRows(readme, '| event | meaning |');
    expect(rows.flatMap(([event]) => codeSpans(event!)).sort()).toEqual(membersOf('lib/events.ts', 'CodeFlowEvents').map(({ name }) => name).sort());
  });

  it('name every error code, with its class and status', () => {
    const rows = tableRows(readme, '| code | class, status | meaning, and what to do |');
    expect(rows.map(([code, kind]) => `${codeSpans(code!)[0]}: ${kind}`)).toEqual(errorCodes());
  });
});

/** From lib/errors.ts, in its order: each code under the comment with its class; the status from the class, or from where it is thrown. */
function errorCodes(): string[] {
  const text = readText('lib/errors.ts');
  const statuses = new Map([...text.matchAll(/class (\w+) extends CodeFlowError \{\n\s*readonly status = (\d+)/g)].map(([, name, status]) => [name!, status!]));
  const thrown = new Map(sources.flatMap((path) => [...readText(path).matchAll(/new (\w+)\(\s*'(ERR_CODE_FLOW_\w+)',\s*(?:(\d{3}),)?/g)]).map(([, name, code, status]) => [code!, { name: name!, status }]));
  let className = '';
  return [...text.slice(text.indexOf('type CodeFlowErrorCode')).matchAll(/\/\/ (\w+)$|'(ERR_CODE_FLOW_\w+)'/gm)].flatMap(([, heading, code]) => {
    className = heading ?? className;
    if (code === undefined) return [];
    // The comment is held to the code: a class is named where an error of it is made.
    const made = thrown.get(code) ?? { name: className, status: undefined };
    return [`${code}: ${made.name}, ${statuses.get(className) ?? made.status}`];
  });
}

/** The files of ours that a document links to. */
function linksOf(document: string): string[] {
  const targets = [...readText(document).matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !target.includes('://')).map((target) => posix.join(posix.dirname(document), target));
}

describe('what the documents point to', () => {
  it.each(documents)('%s: is there', (document) => {
    const named = codeSpans(readText(document)).filter((code) => /^(lib|test|docs|example-app)\/[\w./-]*$/.test(code));
    const missing = [...linksOf(document), ...named].filter((path) => !existsSync(root + path));
    expect(missing).toEqual([]);
  });

  it('is in the package, too, but for what the README says is in the repository', () => {
    const { files } = JSON.parse(readText('package.json')) as { files: string[] };
    const packed = ['README.md', ...files.filter((path) => path.endsWith('.md')).map((path) => path.replace(/^\//, ''))];
    const elsewhere = codeSpans(readme.split('\n\n').find((paragraph) => paragraph.includes('In the repository alone are'))!);
    const outside = packed.flatMap(linksOf).filter((path) => !packed.includes(path));
    const isNamed = (path: string): boolean => elsewhere.some((name) => path === name || path.startsWith(`${name}/`));
    expect(outside.filter((path) => !isNamed(path))).toEqual([]);
    expect(elsewhere.filter((name) => !existsSync(root + name) || packed.includes(name))).toEqual([]);
  });

  it('also from comments of the code', () => {
    const named = sources.flatMap((path) => codeSpans(readText(path)).filter((code) => /^docs\/[\w./-]*\.md$/.test(code)));
    expect(named).toContain('docs/decisions/refresh-protocol.md');
    expect(named.filter((path) => !existsSync(root + path))).toEqual([]);
  });
});
