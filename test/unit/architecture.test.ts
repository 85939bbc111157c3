/** The layers and doors that CONTRIBUTING describes, read from the sources themselves. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { filesUnder, readText } from '../support/documents.js';

const libDirectory = fileURLToPath(new URL('../../lib/', import.meta.url));

/** The rows of its table, from the ground up; `/` at the end stands for a whole folder. A file imports from its own layer and from lower ones. */
const layers: readonly (readonly string[])[] = readFileSync(new URL('../../CONTRIBUTING.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `lib/'))
  .map((row) => [...(row.split('|')[1] ?? '').matchAll(/`lib\/([^`]*)`/g)].map(([, name = '']) => name))
  .reverse();

/** Each package and each kind of act has one place. */
const packageDoors: Record<string, RegExp> = {
  'openid-client': /^provider\//,
  oauth4webapi: /^provider\//,
  'express-session': /^session\//,
  'connect-redis': /^session\//,
  'quick-lru': /^bounded-map\.ts$/,
  ioredis: /^ioredis\.cjs$/,
  'ioredis.cjs': /^redis-client\.ts$/,
  // No place: its first use makes every promise of the process dearer on Node before 24, with our one Redis round trip the most.
  'node:async_hooks': /(?!)/,
};

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
  /** `import()` and `require()`: not loaded before it is reached. */
  later: boolean;
}

interface SourceFile {
  name: string;
  imports: Import[];
  exports: string[];
  /** Every `object.property` and `object.method` in the code, comments and strings left out. */
  members: { object: string; property: string }[];
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return clause.name === undefined && named !== undefined && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly);
}

function resolveSpecifier(from: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts') : specifier;
}

/** The names of what is declared with `export`. */
function exportsOf(tree: ts.SourceFile): string[] {
  return tree.statements.flatMap((statement) => {
    if (!ts.canHaveModifiers(statement) || ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) !== true) return [];
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText());
    return ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)
      ? [statement.name?.text ?? '']
      : [];
  });
}

function readSource(name: string): SourceFile {
  const tree = ts.createSourceFile(name, readFileSync(join(libDirectory, name), 'utf8'), ts.ScriptTarget.ES2023, true);
  const file: SourceFile = { name, imports: [], exports: exportsOf(tree), members: [] };
  const add = (specifier: ts.Node | undefined, typeOnly: boolean, later = false) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    file.imports.push({ from: name, to: resolveSpecifier(name, specifier.text), typeOnly, later });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node));
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && ['import', 'require'].includes(node.expression.getText())) add(node.arguments[0], false, true);
    else if (ts.isPropertyAccessExpression(node)) file.members.push({ object: node.expression.getText(), property: node.name.text });
    node.forEachChild(visit);
  };
  visit(tree);
  return file;
}

const files = readdirSync(libDirectory, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.(?:ts|cjs)$/.test(path))
  .map(readSource);
const fileNames = new Set(files.map(({ name }) => name));
const imports = files.flatMap((file) => file.imports);
const isOwn = (name: string): boolean => /\.(?:ts|cjs)$/.test(name);
const ownImports = imports.filter(({ to }) => isOwn(to));

/** What no row names is the ground floor's. */
const layerOf = (name: string): number => Math.max(0, layers.findIndex((places) => places.some((place) => name === place || (place.endsWith('/') && name.startsWith(place)))));
const looksUp = ({ from, to }: Import): boolean => layerOf(to) > layerOf(from);
const arrow = ({ from, to }: Import): string => `${from} -> ${to}`;

/** The first circle of imports, those of types too, as a path. */
function findCycle(): string[] {
  const done = new Set<string>();
  const follow = (name: string, path: string[]): string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return [];
    for (const { to } of ownImports.filter(({ from }) => from === name)) {
      const cycle = follow(to, [...path, name]);
      if (cycle.length > 0) return cycle;
    }
    done.add(name);
    return [];
  };
  for (const { name } of files) {
    const cycle = follow(name, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** All that is loaded with this file. */
function loadedWith(name: string, known = new Set<string>()): Set<string> {
  if (known.has(name)) return known;
  known.add(name);
  for (const { from, to, typeOnly, later } of imports) {
    if (from === name && !typeOnly && !later) loadedWith(to, known);
  }
  return known;
}

/** Where such a member is touched outside its door, as `file: object.property`. */
function touched(outside: RegExp, isTouch: (member: { object: string; property: string }) => boolean): string[] {
  return files
    .filter(({ name }) => !outside.test(name))
    .flatMap(({ name, members }) => members.filter(isTouch).map(({ object, property }) => `${name}: ${object}.${property}`));
}

describe('the layers', () => {
  it('every row names what is there', () => {
    const places = layers.flat();
    expect(layers).toHaveLength(9);
    expect(places.filter((place) => ![...fileNames].some((name) => name === place || (place.endsWith('/') && name.startsWith(place))))).toEqual([]);
    expect(places).toHaveLength(new Set(places).size);
  });

  it('every import names a file that exists', () => {
    expect(ownImports.filter(({ to }) => !fileNames.has(to)).map(arrow)).toEqual([]);
  });

  it('no file imports from a higher layer, not even a type', () => {
    expect(ownImports.filter(looksUp).map(arrow)).toEqual([]);
  });

  it('no circle of imports', () => {
    expect(findCycle()).toEqual([]);
  });
});

describe('what is exported', () => {
  it('is used by another file', () => {
    const texts = [...filesUnder('lib', '.ts'), ...filesUnder('test', '.ts').filter((path) => !path.includes('architecture'))].map((path) => [path, readText(path)] as const);
    const isUsed = (name: string, exported: string): boolean => texts.some(([path, text]) => path !== `lib/${name}` && new RegExp(`\\b${exported}\\b`).test(text));
    const unused = files.flatMap(({ name, exports }) => exports.filter((exported) => !isUsed(name, exported)).map((exported) => `${name}: ${exported}`));
    // The declarations of another file have to name it.
    expect(unused).toEqual(['options/private-key.ts: GivenKey']);
  });
});

describe('the tests', () => {
  it('have a row for each directory', () => {
    const directories = readdirSync(new URL('../', import.meta.url), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const rows = [...readText('CONTRIBUTING.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(rows.concat('soak').sort()).toEqual(directories.map(({ name }) => name).sort());
  });
});

describe('one door each', () => {
  it.each(Object.entries(packageDoors))('%s', (packageName, door) => {
    const importers = imports.filter(({ to, typeOnly }) => !typeOnly && (to === packageName || to.startsWith(`${packageName}/`)));
    expect(importers.filter(({ from }) => !door.test(from)).map(arrow)).toEqual([]);
  });

  it('answers are written in http.ts', () => {
    const writers = ['end', 'write', 'writeHead', 'setHeader', 'appendHeader', 'statusCode', 'removeHeader'];
    const isResponse = (object: string) => /(^|\.)(res|response)$/.test(object);
    expect(touched(/^http\.ts$/, ({ object, property }) => writers.includes(property) && isResponse(object))).toEqual([]);
  });

  it('req.session is touched in session/', () => {
    expect(touched(/^session\//, ({ object, property }) => property === 'session' && /(^|\.)req(uest)?$/.test(object))).toEqual([]);
  });

  it('time is asked for in clock.ts', () => {
    expect(touched(/^clock\.ts$/, ({ object, property }) => property === 'now' && ['Date', 'performance'].includes(object))).toEqual([]);
  });

  it('the environment is read in options', () => {
    expect(touched(/^options/, ({ object, property }) => object === 'process' && property === 'env')).toEqual([]);
  });
});

describe('what is loaded at start-up', () => {
  it('is no openid-client and nothing that needs it, and no ioredis where the app passes a client', () => {
    const loaded = loadedWith('index.ts');
    expect([...loaded]).toEqual(expect.arrayContaining(['code-flow.ts', 'provider/create-provider.ts', 'express-session', 'ioredis.cjs']));
    for (const later of ['provider/authorization-server.ts', 'openid-client', 'ioredis']) expect(loaded).not.toContain(later);
  });

  it('nor are the presets, which have an entry point of their own', () => {
    expect([...loadedWith('index.ts')].filter((name) => name.startsWith('providers/'))).toEqual([]);
  });

  it('the rest is loaded in two places', () => {
    expect(imports.filter(({ later }) => later).map(arrow).sort()).toEqual(['ioredis.cjs -> ioredis', 'provider/create-provider.ts -> provider/authorization-server.ts']);
  });
});

describe('the dependencies', () => {
  it('package.json names the packages that are loaded, and no others', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const named = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const loaded = imports.map(({ to }) => to).filter((to) => !isOwn(to) && !to.startsWith('node:'));
    // The types of express-session live in a package of their own.
    expect([...new Set(loaded)].sort()).toEqual(named.filter((name) => !name.startsWith('@types/')).sort());
  });
});
