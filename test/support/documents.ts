/** The documents of the repository, taken apart for the tests that hold them to the code. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface CodeBlock {
  /** Where it stands, such as `README.md:9`: the first line of the code. */
  readonly place: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

export const readText = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

export function filesUnder(folder: string, extension: string): string[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith(extension))
    .sort();
}

/** Fenced blocks, in Markdown or in doc comments. */
export function codeBlocks(path: string): CodeBlock[] {
  const text = readText(path).replaceAll(/^ *\* ?/gm, (stars) => (path.endsWith('.md') ? stars : ''));
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length + 1;
    return { place: `${path}:${line}`, line, language: match[1]!, code: match[2]! };
  });
}

/** The quick start: the first code of the README. */
export function quickStart(): CodeBlock {
  const block = codeBlocks('README.md').find(({ language }) => language === 'ts');
  if (block === undefined) throw new Error('README.md has no code');
  return block;
}

/** The rows of the table whose head is this, cell by cell. */
export function tableRows(text: string, head: string): string[][] {
  const lines = text.slice(text.indexOf(`\n${head}\n`) + 1).split('\n');
  if (lines[0] !== head) throw new Error(`there is no table ${head}`);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));
}

/** What is set in code type. */
export const codeSpans = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
