import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pack, unpack } from '../../lib/packed-text.js';

/** What tokens and ids are made of, short and long. */
const run = fc.string({ unit: fc.constantFrom('A', 'B', 'Z', 'a', 'b', 'z', '0', '1', '9', '-', '_'), maxLength: 300 });

it('comes back as it was, whatever the text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(unpack(pack(text))).toBe(text)));
  fc.assert(fc.property(fc.array(fc.oneof(run, fc.string({ unit: 'grapheme' }), fc.constantFrom('.', '=', '+', '/', '"'))), (parts) => expect(unpack(pack(parts.join('')))).toBe(parts.join(''))));
});

it.each([
  ['of no length', '', 1],
  ['too short to gain anything', 'a'.repeat(23), 24],
  ['of whole bytes', 'a'.repeat(24), 1 + 1 + 18 + 1],
  ['with characters that are no whole bytes', 'a'.repeat(27), 1 + 1 + 18 + 1 + 3],
  ['of bits that a decoder would drop', '_'.repeat(25), 1 + 1 + 18 + 1 + 1],
  ['longer than one byte can count', 'a'.repeat(172), 1 + 2 + 129 + 1],
  ['longer than two bytes can count', `${'.'.repeat(16_384)}${'a'.repeat(4)}`, 3 + 16_388],
])('keeps a text %s', (_name, text, length) => {
  expect([pack(text).length, unpack(pack(text))]).toEqual([length, text]);
});

it('is no compression: what stands beside a secret does not change how long it is', () => {
  const lengths = ['the same words', 'quite other 12', 'XXXXXXXXXXXXXX'].map((beside) => pack(`{"name":"${beside}","other":"the same words"}`).length);
  expect(new Set(lengths).size).toBe(1);
});
