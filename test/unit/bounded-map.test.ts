import { describe, expect, it, jest } from '@jest/globals';
import { boundedMap, expiringMap } from '../../lib/bounded-map.js';
import { HandClock } from '../support/hand-clock.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `entry ${index}`);

describe('a bounded map', () => {
  it('never holds more than its bound, and always the half of it that was used last', () => {
    for (const most of [2, 10, 100]) {
      const map = boundedMap<string>(most);
      const written: string[] = [];
      for (const name of names(5 * most)) {
        written.push(name);
        map.set(name, name);
        expect(written.filter((each) => map.has(each)).length).toBeLessThanOrEqual(most);
        const last = written.slice(-most / 2);
        expect(last.filter((each) => map.has(each))).toEqual(last);
      }
    }
  });

  it('keeps what is used again and again, however much comes and goes', () => {
    const map = boundedMap<number>(10);
    map.set('used', 7);
    for (const name of names(1000)) {
      map.set(name, 0);
      expect(map.get('used')).toBe(7);
    }
  });

  it('does not bring an older value back', () => {
    const map = boundedMap<number>(4);
    map.set('entry', 1);
    map.set('fills the first generation', 0);
    map.set('entry', 2);
    expect(map.get('entry')).toBe(2);
    expect(map.delete('entry')).toBe(true);
    expect([map.get('entry'), map.has('entry'), map.delete('entry')]).toEqual([undefined, false, false]);
  });
});

describe('an expiring map', () => {
  it('has an entry until its time is over, to the millisecond, and then no more', () => {
    const clock = new HandClock();
    const map = expiringMap<string>(10, clock);
    map.set('name', 'value', 1000);
    clock.forward(0.999);
    expect([map.peek('name'), map.get('name')]).toEqual([{ value: 'value', leftMs: 1 }, 'value']);
    clock.forward(0.001);
    expect([map.get('name'), map.peek('name')]).toEqual([undefined, undefined]);
  });

  it('lengthens no life by a use, and begins a new one with a write', () => {
    const clock = new HandClock();
    const map = expiringMap<string>(10, clock);
    map.set('used', 'value', 1000);
    map.set('written', 'value', 1000);
    clock.forward(0.6);
    map.get('used');
    map.set('written', 'other', 1000);
    clock.forward(0.6);
    expect([map.get('used'), map.get('written')]).toEqual([undefined, 'other']);
    map.delete('written');
    expect(map.peek('written')).toBeUndefined();
  });

  it('goes by the monotonic clock: whoever sets the wall clock ends nothing and keeps nothing', () => {
    jest.useFakeTimers();
    try {
      const clock = new HandClock();
      const map = expiringMap<string>(10, clock);
      map.set('name', 'value', 1000);
      jest.setSystemTime(Date.now() + 86_400_000);
      expect(map.get('name')).toBe('value');
      jest.setSystemTime(Date.now() - 2 * 86_400_000);
      clock.forward(1);
      expect(map.get('name')).toBeUndefined();
    } finally {
      jest.useRealTimers();
    }
  });

  it('counts a read as a use, and a look as none', () => {
    const map = expiringMap<number>(10, new HandClock());
    map.set('read', 1, 1000);
    map.set('looked at', 1, 1000);
    for (const name of names(20)) {
      map.set(name, 0, 1000);
      map.get('read');
      map.peek('looked at');
    }
    expect([map.peek('read')?.value, map.peek('looked at')]).toEqual([1, undefined]);
  });
});
