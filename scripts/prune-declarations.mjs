// Of the declarations, those that a compiler reaches from the entry points: the others describe files that nobody can import. What such a file
// shares with an exported one is marked `@internal`, which keeps it out of the declarations, and with it what it refers to.
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const entryPoints = Object.values(exports).flatMap(({ types }) => types ?? []);

const settings = { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, strict: true, noEmit: true, types: ['node'] };
const program = ts.createProgram(entryPoints.map((path) => join(root, path)), settings);

/** A mark too many leaves a name that is declared nowhere. Declarations of others are theirs to mend. */
const own = (file) => file?.fileName.startsWith(`${root}dist/`) === true;
const broken = program.getSourceFiles().filter(own).flatMap((file) => program.getSemanticDiagnostics(file));
if (broken.length > 0) {
  console.error(ts.formatDiagnostics(broken, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' }));
  process.exitCode = 1;
}

const reached = new Set(program.getSourceFiles().map(({ fileName }) => fileName));
for (const path of readdirSync(`${root}dist`, { recursive: true })) {
  const file = join(root, 'dist', path);
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
}
