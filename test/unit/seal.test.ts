import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createSealer, hashId, randomId } from '../../lib/seal.js';

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

  it('opens nothing of which any one character was changed', () => {
    const sealed = sealer.seal('session', 'id', 'a text');
    for (let i = 0; i < sealed.length; i += 1) {
      const changed = `${sealed.slice(0, i)}${sealed[i] === 'A' ? 'B' : 'A'}${sealed.slice(i + 1)}`;
      // The last character of base64url can differ in bits that carry nothing.
      if (Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(Buffer.from(sealed.split('.')[2] ?? '', 'base64url')) && i > 8) continue;
      expect(sealer.open('session', 'id', changed)).toBeUndefined();
    }
  });

  it('takes any input without throwing', () => {
    fc.assert(fc.property(fc.string(), (input) => sealer.open('session', 'id', input) === undefined));
    fc.assert(fc.property(fc.base64String(), (input) => sealer.open('session', 'id', `1.${sealer.seal('session', 'x', '').split('.')[1] ?? ''}.${input}`) === undefined));
  });

  it('opens nothing that is incomplete, or has more than its three parts', () => {
    const sealed = sealer.seal('session', 'id', 'text');
    const [format = '', keyId = ''] = sealed.split('.');
    for (const value of [format, `${format}.${keyId}`, `${format}.${keyId}.`, `${sealed}.`, `${sealed}.more`]) expect(sealer.open('session', 'id', value)).toBeUndefined();
  });

  it('opens what an earlier release sealed, and takes its cookies: another derivation would sign everybody out', () => {
    const later = createSealer(['an older release had this secret: 5Yq2']);
    expect(later.open('session', 'id', '1.l8ruH8.lSr4E_yof1HdHgj_7wTrSEGLE_Y3Q0rntVAXqI0m2UB1LTk', 'context')).toBe('grüße');
    expect(later.signingKeys).toEqual(['zaP5zFGk1NEcqmDXeAMCIjWMaxNaPjsGvkC1bZj0RIA']);
  });

  it('needs a secret', () => {
    expect(() => createSealer([])).toThrow(new TypeError('createSealer() needs a secret'));
  });

  it('C21: never uses a nonce twice and never seals alike', () => {
    const sealed = Array.from({ length: 10_000 }, () => sealer.seal('grant', 'id', 'the same'));
    const nonces = sealed.map((value) => Buffer.from(value.split('.')[2] ?? '', 'base64url').subarray(0, 12).toString('hex'));
    expect(new Set(nonces).size).toBe(10_000);
    expect(new Set(sealed).size).toBe(10_000);
  });

  it('shows nothing of the text or the secret', () => {
    const sealed = sealer.seal('grant', 'id', 'sentinel-text');
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('sentinel-text');
    expect(sealed).not.toContain('sentinel-text');
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
    const [, keyId = ''] = ours.split('.');
    for (const format of ['2', '12', '999999']) expect(sealer.mayBeOthers(`${format}.${keyId}.xyz`)).toBe(true);
    const rotated = createSealer([newSecret, oldSecret]);
    for (const secret of [newSecret, oldSecret]) expect(rotated.mayBeOthers(createSealer([secret]).seal('session', 'id', 'text'))).toBe(false);
    expect(sealer.mayBeOthers(createSealer([oldSecret]).seal('session', 'id', 'text'))).toBe(true);
    for (const value of [ours, `1.${keyId}.xyz`, '', 'garbage', `0.${keyId}.b`, `99999999.${keyId}.b`]) expect(sealer.mayBeOthers(value)).toBe(false);
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
