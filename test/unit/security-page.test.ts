/** The table of docs/security.md says of each threat where it is tested; here it is held to that. */
import { describe, expect, it } from '@jest/globals';
import { filesUnder, readText, tableRows } from '../support/documents.js';

const page = readText('docs/security.md');
const rows = tableRows(page, '| row | what could happen | what we do | tests |');
const tests = new Map(filesUnder('test', '.test.ts').map((path) => [path, readText(path)]));

describe('the threats of docs/security.md', () => {
  it('are in order, each once', () => {
    const ids = rows.map(([id]) => id!);
    const number = (id: string): number => id.charCodeAt(0) * 100 + Number(id.slice(1));
    expect(ids.length).toBeGreaterThan(80);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => number(a) - number(b)));
  });

  it.each(rows.map(([id, threat, promise, links]) => [id!, threat!, promise!, links!]))('%s is tested where it says', (id, threat, promise, links) => {
    expect(threat.length * promise.length).toBeGreaterThan(0);
    const linked = [...links.matchAll(/\[([\w/-]+)\]\(\.\.\/(test\/([\w/-]+)\.test\.ts)\)/g)].map(([, text, path, name]) => {
      expect(text).toBe(name);
      return path!;
    });
    expect(linked.length).toBeGreaterThan(0);
    const named = new RegExp(`\\b${id}\\b`);
    expect(linked.filter((path) => !named.test(tests.get(path) ?? ''))).toEqual([]);
  });
});

it('SECURITY.md and the README lead to the page', () => {
  for (const document of ['SECURITY.md', 'README.md']) expect(readText(document)).toContain('(docs/security.md)');
});
