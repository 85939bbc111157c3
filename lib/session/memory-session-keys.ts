/** The keys of sessions in the memory of one process: the same steps as in Redis. */
import { boundedMap, expiringMap } from '../bounded-map.js';
import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { MARKS, MARK_SECONDS } from './session-keys.js';
import type { Marks, SessionKeys, Sets } from './session-keys.js';

/** How many sessions the memory of one process holds at most. */
const MEMORY_SESSIONS = 50_000;

interface MemorySet {
  /** By their bytes as Latin-1, with the end of each, epoch seconds. */
  readonly members: Map<string, number>;
  /** Monotonic milliseconds. */
  readonly marks: { out?: number; dead?: number };
}

export function memorySessionKeys(clock: Clock = systemClock): SessionKeys {
  return { ...memoryKeys(clock), ...memorySets(clock) };
}

/** A short Buffer is a piece of a block of 8 KB, all of which it would keep. */
function ownCopy(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}

function memoryKeys(clock: Clock): Omit<SessionKeys, keyof Sets> {
  const values = expiringMap<Buffer>(MEMORY_SESSIONS, clock);
  return {
    getAndRenew(key, ttlSeconds) {
      const value = values.get(key);
      if (value !== undefined) values.set(key, value, ttlSeconds * 1000);
      return Promise.resolve(value);
    },
    set(key, value, ttlSeconds, condition) {
      const met = (values.peek(key) !== undefined) === (condition === 'XX');
      if (met) values.set(key, ownCopy(value), ttlSeconds * 1000);
      return Promise.resolve(met);
    },
    swap(key, value, ttlSeconds) {
      const before = values.get(key);
      values.set(key, ownCopy(value), ttlSeconds * 1000);
      return Promise.resolve(before);
    },
    peek(key) {
      const found = values.peek(key);
      return Promise.resolve(found === undefined ? undefined : { value: found.value, leftSeconds: Math.ceil(found.leftMs / 1000) });
    },
    exist: (keys) => Promise.resolve(keys.map((key) => values.peek(key) !== undefined)),
    take(key) {
      const value = values.get(key);
      values.delete(key);
      return Promise.resolve(value);
    },
    deleteAll(keys) {
      for (const key of keys) values.delete(key);
      return Promise.resolve();
    },
    timesLeft: (keys) => Promise.resolve(keys.map((key) => values.peek(key)?.leftMs)),
  };
}

function memorySets(clock: Clock): Sets {
  const sets = boundedMap<MemorySet>(MEMORY_SESSIONS);

  function setOf(key: string): MemorySet {
    const { members = new Map<string, number>(), marks = {} } = sets.get(key) ?? {};
    const now = clock.now() / 1000;
    return { members: new Map([...members].filter(([, endsAt]) => endsAt > now)), marks };
  }

  function marksOf({ marks }: MemorySet): Marks {
    const ages = MARKS.map((mark) => [mark, clock.monotonic() - (marks[mark] ?? -Infinity)] as const);
    return Object.fromEntries(ages.filter(([, age]) => age <= MARK_SECONDS * 1000));
  }

  return {
    addMember(key, member, endsAt) {
      const set = setOf(key);
      sets.set(key, { ...set, members: set.members.set(member.toString('latin1'), endsAt) });
      return Promise.resolve(marksOf(set));
    },
    markAndList(key, mark) {
      const { members, marks } = setOf(key);
      sets.set(key, { members, marks: { ...marks, [mark]: clock.monotonic() } });
      return Promise.resolve(membersOf(members));
    },
    members: (key) => Promise.resolve(membersOf(setOf(key).members)),
    removeMembers(key, members) {
      for (const member of members) sets.get(key)?.members.delete(member.toString('latin1'));
      return Promise.resolve();
    },
  };
}

const membersOf = (members: MemorySet['members']): Buffer[] => [...members.keys()].map((member) => Buffer.from(member, 'latin1'));
