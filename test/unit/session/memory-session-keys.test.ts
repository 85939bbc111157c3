/** What test/integration/sessions.test.ts and its like show of Redis, of the memory of one process. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { MARK_SECONDS } from '../../../lib/session/session-keys.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { HandClock } from './support.js';

let clock: HandClock;
let keys: SessionKeys;

beforeEach(() => {
  clock = new HandClock();
  keys = memorySessionKeys(clock);
});

const bytes = (text: string): Buffer => Buffer.from(text);
const texts = (members: readonly Buffer[]): string[] => members.map(String);

describe('a key', () => {
  it('is written where the condition holds, and not where it does not', async () => {
    expect(await keys.set('key', bytes('late'), 10, 'XX')).toBe(false);
    expect(await keys.getAndRenew('key', 10)).toBeUndefined();
    expect(await keys.set('key', bytes('first'), 10, 'NX')).toBe(true);
    expect(await keys.set('key', bytes('second'), 10, 'NX')).toBe(false);
    expect(await keys.getAndRenew('key', 10)).toEqual(bytes('first'));
    expect(await keys.set('key', bytes('third'), 10, 'XX')).toBe(true);
    expect(await keys.getAndRenew('key', 10)).toEqual(bytes('third'));
  });

  it('lives as long as it was told at last, by a write or a read', async () => {
    await keys.set('key', bytes('value'), 10, 'NX');
    clock.forward(9.999);
    expect(await keys.getAndRenew('key', 20)).toEqual(bytes('value'));
    clock.forward(19.999);
    expect(await keys.set('key', bytes('other'), 5, 'XX')).toBe(true);
    clock.forward(4.999);
    expect(await keys.getAndRenew('key', 1)).toEqual(bytes('other'));
    clock.forward(1.001);
    expect(await keys.getAndRenew('key', 10)).toBeUndefined();
    expect(await keys.getAndRenew('key', 10)).toBeUndefined();
  });

  it('is looked at, which renews nothing, with the time that is left of it', async () => {
    await keys.set('key', bytes('value'), 10, 'NX');
    clock.forward(3.5);
    expect(await keys.peek('key')).toEqual({ value: bytes('value'), leftSeconds: 7 });
    expect(await keys.exist(['key', 'other'])).toEqual([true, false]);
    expect(await keys.timesLeft(['other', 'key'])).toEqual([undefined, 6500]);
    expect(await keys.peek('other')).toBeUndefined();
    clock.forward(6.501);
    expect([await keys.peek('key'), await keys.exist(['key']), await keys.timesLeft(['key'])]).toEqual([undefined, [false], [undefined]]);
  });

  it('is swapped for another value, whatever was there', async () => {
    expect(await keys.swap('key', bytes('first'), 10)).toBeUndefined();
    clock.forward(9);
    expect(await keys.swap('key', bytes('second'), 10)).toEqual(bytes('first'));
    clock.forward(9.999);
    expect(await keys.getAndRenew('key', 1)).toEqual(bytes('second'));
    expect(await keys.swap('key', bytes('third'), 2)).toEqual(bytes('second'));
    clock.forward(2.001);
    expect(await keys.peek('key')).toBeUndefined();
  });

  it('is taken once, and deleted with others', async () => {
    for (const key of ['one', 'two', 'three', 'four']) await keys.set(key, bytes(key), 10, 'NX');
    expect([await keys.take('one'), await keys.take('one')]).toEqual([bytes('one'), undefined]);
    await keys.deleteAll(['two', 'three', 'unknown']);
    expect(await keys.exist(['one', 'two', 'three', 'four'])).toEqual([false, false, false, true]);
  });
});

describe('a set', () => {
  it('has what was added, until each one\'s end, and not what was removed', async () => {
    for (const [member, left] of [['a', 10], ['b', 20], ['c', 30], ['a', 15]] as const) expect(await keys.addMember('set', bytes(member), clock.seconds + left)).toEqual({});
    expect(texts(await keys.members('set'))).toEqual(['a', 'b', 'c']);
    await keys.removeMembers('set', [bytes('b'), bytes('unknown')]);
    await keys.removeMembers('unknown', [bytes('a')]);
    clock.forward(14.999);
    expect(texts(await keys.members('set'))).toEqual(['a', 'c']);
    clock.forward(0.001);
    expect(texts(await keys.members('set'))).toEqual(['c']);
    expect(texts(await keys.members('unknown'))).toEqual([]);
  });

  it('H6: tells who adds to it how long ago it was marked, as long as that matters', async () => {
    await keys.addMember('set', bytes('a'), clock.seconds + 1000);
    expect(texts(await keys.markAndList('set', 'out'))).toEqual(['a']);
    clock.forward(2);
    expect(texts(await keys.markAndList('set', 'dead'))).toEqual(['a']);
    clock.forward(3);
    expect(await keys.addMember('set', bytes('b'), clock.seconds + 1000)).toEqual({ out: 5000, dead: 3000 });
    clock.forward(MARK_SECONDS - 5);
    expect(await keys.addMember('set', bytes('c'), clock.seconds + 1000)).toEqual({ out: MARK_SECONDS * 1000, dead: (MARK_SECONDS - 2) * 1000 });
    clock.forward(0.001);
    expect(await keys.addMember('set', bytes('c'), clock.seconds + 1000)).toEqual({ dead: expect.any(Number) });
    expect(texts(await keys.markAndList('set', 'out'))).toEqual(['a', 'b', 'c']);
    expect(await keys.addMember('other', bytes('d'), clock.seconds + 1000)).toEqual({});
  });

  it('H6: is marked before anything is in it, and lists what has not ended alone', async () => {
    expect(texts(await keys.markAndList('set', 'out'))).toEqual([]);
    expect(await keys.addMember('set', bytes('a'), clock.seconds + 1)).toEqual({ out: 0 });
    clock.forward(1);
    expect(texts(await keys.markAndList('set', 'out'))).toEqual([]);
  });
});

it('goes by the system\'s clock if no other is given', async () => {
  const own = memorySessionKeys();
  await own.addMember('set', bytes('a'), Date.now() / 1000 + 1);
  await own.addMember('set', bytes('b'), Date.now() / 1000 - 1);
  expect(texts(await own.members('set'))).toEqual(['a']);
});
