import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { hidden } from '../../lib/hidden.js';

describe('hidden', () => {
  it('keeps a value with an object, and another one in its place', () => {
    const kept = hidden<string>();
    const object = {};
    expect(kept.get(object)).toBeUndefined();
    kept.set(object, 'first');
    kept.set(object, 'second');
    expect(kept.get(object)).toBe('second');
  });

  it('keeps what each one is asked to keep apart', () => {
    const [kept, other] = [hidden<string>(), hidden<string>()];
    const object = {};
    kept.set(object, 'one');
    other.set(object, 'another');
    expect([kept.get(object), other.get(object), kept.get({})]).toEqual(['one', 'another', undefined]);
  });

  it('shows nothing to whoever lists, prints or inherits from the object', () => {
    const kept = hidden<string>();
    const object = {};
    kept.set(object, 'a secret');
    expect(Reflect.ownKeys(object)).toEqual([]);
    expect(inspect(object, { showHidden: true })).toBe('{}');
    expect(kept.get(Object.create(object) as object)).toBeUndefined();
  });

  it('finds it for an object that inherits, where that is asked for', () => {
    const kept = hidden<string>();
    const object = {};
    kept.set(object, 'a secret');
    expect(kept.inherited(Object.create(Object.create(object) as object) as object)).toBe('a secret');
    expect(kept.inherited({})).toBeUndefined();
  });
});
