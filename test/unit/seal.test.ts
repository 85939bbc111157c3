import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createSealer, hashId, randomId } from '../../lib/seal.js';
import { headOf, nonceOf, ofFormat } from '../support/sealed.js';

const oldSecret = 'an old secret, long enough for everybody';
const newSecret = 'a new secret, long enough for everybody!';

describe('sealing', () => {
  const sealer = createSealer([oldSecret]);

  it('opens what it sealed, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, id) => {
        expect(sealer.open('grant', id, sealer.seal('grant', id, text))).toBe(text);
      }),
    );
  });

  it('C20, A5: never opens for another purpose, id or context', () => {
    const sealed = sealer.seal('grant', 'id', 'text', 'version 1');
    expect(sealer.open('grant', 'id', sealed, 'version 1')).toBe('text');
    expect(sealer.open('session', 'id', sealed, 'version 1')).toBeUndefined();
    expect(sealer.open('grant', 'other', sealed, 'version 1')).toBeUndefined();
    expect(sealer.open('grant', 'id', sealed, 'version 2')).toBeUndefined();
  });

  it('opens nothing of which any one bit was changed', () => {
    const sealed = sealer.seal('session', 'id', 'a text');
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(sealer.open('session', 'id', changed)).toBeUndefined();
    }
  });

  it('takes any input without throwing', () => {
    const head = headOf(sealer.seal('session', 'x', ''));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (input) => sealer.open('session', 'id', Buffer.from(input)) === undefined));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (input) => sealer.open('session', 'id', Buffer.concat([head, input])) === undefined));
  });

  it('opens nothing that is incomplete, or has more than its parts', () => {
    const sealed = sealer.seal('session', 'id', 'text');
    for (let length = 0; length < sealed.length; length += 1) expect(sealer.open('session', 'id', sealed.subarray(0, length))).toBeUndefined();
    expect(sealer.open('session', 'id', Buffer.concat([sealed, Buffer.of(0)]))).toBeUndefined();
  });

  it('opens what an earlier release sealed, and takes its cookies: another derivation would sign everybody out', () => {
    const later = createSealer(['an older release had this secret: 5Yq2']);
    expect(later.open('session', 'id', Buffer.from('AZfK7h-vnKwsgNzXB42U3PKs8A1a4jGm2vOcgbbAzdFgzkxMkb2bQmw', 'base64url'), 'context')).toBe('grüße');
    expect(later.signingKeys).toEqual(['zaP5zFGk1NEcqmDXeAMCIjWMaxNaPjsGvkC1bZj0RIA']);
  });

  it('takes three quarters of the bytes of a token, besides its own 34', () => {
    for (const [text, length] of [['', 0], ['short', 5], ['x'.repeat(400), 303], [`{"token":"${'Ab-_'.repeat(100)}"}`, 315]] as const) {
      expect([text, sealer.seal('session', 'id', text).length]).toEqual([text, 34 + length]);
    }
  });

  it('needs a secret', () => {
    expect(() => createSealer([])).toThrow(new TypeError('createSealer() needs a secret'));
  });

  it('C21: never uses a nonce twice and never seals alike', () => {
    const sealed = Array.from({ length: 10_000 }, () => sealer.seal('grant', 'id', 'the same'));
    const nonces = sealed.map(nonceOf);
    expect(new Set(nonces).size).toBe(10_000);
    expect(new Set(sealed.map((value) => value.toString('hex'))).size).toBe(10_000);
  });

  it('shows nothing of the text or the secret', () => {
    const sealed = sealer.seal('grant', 'id', 'sentinel-text');
    expect(sealed.toString('latin1')).not.toContain('sentinel-text');
  });
});

describe('rotating secrets', () => {
  it('C20: the first seals, all open, and a removed one no longer does', () => {
    const before = createSealer([oldSecret]).seal('grant', 'id', 'text');
    const rotated = createSealer([newSecret, oldSecret]);
    expect(rotated.open('grant', 'id', before)).toBe('text');
    const after = rotated.seal('grant', 'id', 'text');
    expect(createSealer([newSecret]).open('grant', 'id', after)).toBe('text');
    expect(createSealer([newSecret]).open('grant', 'id', before)).toBeUndefined();
  });

  it('gives cookies keys of their own', () => {
    const { signingKeys } = createSealer([newSecret, oldSecret]);
    expect(signingKeys).toHaveLength(2);
    expect(new Set([...signingKeys, newSecret, oldSecret]).size).toBe(4);
  });
});

describe('values of others', () => {
  const sealer = createSealer([newSecret]);

  it('C16: a later release\'s, or one sealed with a secret that is not ours yet, is told from garbage', () => {
    const ours = sealer.seal('session', 'id', 'text');
    for (const format of [2, 9, 15]) expect(sealer.mayBeOthers(ofFormat(ours, format))).toBe(true);
    const rotated = createSealer([newSecret, oldSecret]);
    for (const secret of [newSecret, oldSecret]) expect(rotated.mayBeOthers(createSealer([secret]).seal('session', 'id', 'text'))).toBe(false);
    expect(sealer.mayBeOthers(createSealer([oldSecret]).seal('session', 'id', 'text'))).toBe(true);
    for (const value of [ours, headOf(ours), ofFormat(ours, 0), ofFormat(ours, 16), Buffer.alloc(0), Buffer.of(2), Buffer.from('garbage'), Buffer.from('{"cookie":{}}')]) {
      expect(sealer.mayBeOthers(value)).toBe(false);
    }
  });
});

describe('ids', () => {
  it('C19: have 256 random bits', () => {
    const ids = Array.from({ length: 10_000 }, randomId);
    expect(new Set(ids).size).toBe(10_000);
    for (const id of ids.slice(0, 100)) expect(Buffer.from(id, 'base64url')).toHaveLength(32);
  });

  it('hash one way, and equally for equal ids', () => {
    expect(hashId('a')).toBe(hashId('a'));
    expect(hashId('a')).not.toBe(hashId('b'));
    expect(hashId('some id')).not.toContain('some id');
  });
});
