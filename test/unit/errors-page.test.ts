/** `docs/errors.md` has a page for every error, and none for what there is not. */
import { describe, expect, it } from '@jest/globals';
import { readText } from '../support/documents.js';

const page = readText('docs/errors.md');
const source = readText('lib/errors.ts');

/** As lib/errors.ts lists them: the class in a comment, then its codes. */
const declared = [...source.slice(source.indexOf('type CodeFlowErrorCode')).matchAll(/\/\/ (\w+)$|'(ERR_CODE_FLOW_\w+)'/gm)].map(([, name, code]) => name ?? code!);

/** The same on the page: each part names its class first. */
const explained = [...page.matchAll(/^`(\w+Error)`, status|^### `(\w+)`$/gm)].map(([, name, code]) => name ?? code!);

const entries = page.split(/^### /m).slice(1).map((text) => text.split(/^## /m)[0]!);

describe('docs/errors.md', () => {
  it('explains every code, under its class and in the order of lib/errors.ts', () => {
    expect(declared.length).toBeGreaterThan(40);
    expect(explained).toEqual(declared);
  });

  it.each(entries.map((entry) => [entry.split('\n')[0]!, entry]))('%s: cause, how to see it, what to do', (_code, entry) => {
    const labels = [...entry.matchAll(/^- \*\*(\w+):\*\* \S.{9,}/gm)].map(([, label]) => label);
    expect(labels).toEqual(['Cause', 'See', 'Do']);
  });

  it('names no code that is not there', () => {
    const named = [...page.matchAll(/ERR_CODE_FLOW_[A-Z_]+/g)].map(([code]) => code);
    expect(named.filter((code) => !declared.includes(code))).toEqual([]);
  });

  it('names no event that is not there', () => {
    const named = [...page.matchAll(/`((?:login|logout|refresh|store|configuration)\.[a-z_]+)`/g)].map(([, event]) => event!);
    const events = [...readText('lib/events.ts').matchAll(/^ {2}'([\w.]+)':/gm)].map(([, event]) => event!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((event) => !events.includes(event))).toEqual([]);
  });
});
