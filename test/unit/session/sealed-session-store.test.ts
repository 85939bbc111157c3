import { beforeEach, describe, expect, it } from '@jest/globals';
import { createSealer, hashId, randomId, type Sealer } from '../../../lib/seal.js';
import { createSealedSessionStore, type SealedSessionStore, type SessionContent } from '../../../lib/session/sealed-session-store.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { ofFormat } from '../../support/sealed.js';
import { HandClock, loginRecord } from './support.js';

const secret = 'a secret for tests only: 4yVqD0sZ8nKcJm2T';
const idleSeconds = 100;

let clock: HandClock;
let keys: SessionKeys;
/** What was asked of the keys, in order. */
let asked: unknown[][];
let store: SealedSessionStore;
const sealer = createSealer([secret]);
const keyOf = (id: string): string => `ecf:s:${hashId(id)}`;
const valueOf = (id: string): Promise<Buffer | undefined> => keys.getAndRenew(keyOf(id), 1000);

function watched(inner: SessionKeys): SessionKeys {
  return {
    ...inner,
    getAndRenew: (...args) => (asked.push(['get', ...args]), inner.getAndRenew(...args)),
    set: (key, value, ...rest) => (asked.push(['set', key, ...rest]), inner.set(key, value, ...rest)),
    take: (key) => (asked.push(['delete', key]), inner.take(key)),
  };
}

const create = (using: Sealer = sealer): SealedSessionStore => createSealedSessionStore(watched(keys), using, clock, idleSeconds);
const content = (changes: Partial<SessionContent> = {}): SessionContent => ({ login: loginRecord(), data: { cookie: {}, counter: 1 }, expiresAt: clock.seconds + 1000, ...changes });

beforeEach(() => {
  clock = new HandClock();
  keys = memorySessionKeys();
  asked = [];
  store = create();
});

describe('a session at rest', () => {
  it('comes back as it was stored, with and without a login', async () => {
    const { login: _, ...anonymous } = content();
    for (const stored of [content(), anonymous]) {
      const id = randomId();
      await store.create(id, stored);
      expect(await store.read(id)).toEqual(stored);
    }
  });

  it('C20: shows neither its id nor anything of itself', async () => {
    const id = 'sentinel-session-id';
    await store.create(id, content({ login: loginRecord({ subject: 'sentinel-subject', grantId: 'sentinel-grant' }), data: { sentinel: 'sentinel-data' } }));
    const value = (await valueOf(id))!;
    expect(JSON.stringify(asked) + value.toString('latin1')).not.toContain('sentinel');
  });

  it('C20: opens under its own id and with its own secret alone', async () => {
    const [alice, bob] = [randomId(), randomId()];
    await store.create(alice, content());
    await store.create(bob, content({ login: loginRecord({ subject: 'bob' }) }));
    await keys.set(keyOf(alice), (await valueOf(bob))!, 100, 'XX'); // swapped by whoever can write to Redis
    expect(await store.read(alice)).toBeUndefined();
    expect((await store.read(bob))?.login?.subject).toBe('bob');
  });

  it('costs one step to read, which renews its idle time, and one to write', async () => {
    const id = randomId();
    await store.create(id, content());
    await store.read(id);
    await store.update(id, content());
    await store.destroy(id);
    const key = keyOf(id);
    expect(asked).toEqual([['set', key, idleSeconds, 'NX'], ['get', key, idleSeconds], ['set', key, idleSeconds, 'XX'], ['delete', key]]);
  });
});

describe('C7: a destroyed session stays destroyed', () => {
  it('however late it is saved', async () => {
    const id = randomId();
    await store.create(id, content());
    await store.destroy(id);
    await store.update(id, content({ data: { late: true } }));
    expect([await store.read(id), await valueOf(id)]).toEqual([undefined, undefined]);
  });

  it('also for whoever knows only the hash of its id', async () => {
    const id = randomId();
    await store.create(id, content());
    await store.destroyHashed([hashId(id)]);
    expect(await store.read(id)).toBeUndefined();
  });

  it('and a new one takes no other\'s place', async () => {
    const id = randomId();
    await store.create(id, content({ data: { first: true } }));
    await store.create(id, content({ data: { second: true } }));
    expect((await store.read(id))?.data).toEqual({ first: true });
  });
});

describe('C17: a session ends', () => {
  it('at its absolute time, though it is used all the while', async () => {
    const id = randomId();
    await store.create(id, content({ expiresAt: clock.seconds + 600 }));
    for (let minute = 0; minute < 9; minute += 1) {
      clock.forward(60);
      expect(await store.read(id)).toBeDefined();
    }
    clock.forward(59);
    expect(await store.read(id)).toBeDefined();
    clock.forward(1);
    expect(await store.read(id)).toBeUndefined();
    expect(await valueOf(id)).toBeUndefined();
  });

  it('and is not kept longer than that when it is written', async () => {
    const id = randomId();
    await store.create(id, content({ expiresAt: clock.seconds + 30 }));
    clock.forward(20);
    await store.update(id, content({ expiresAt: clock.seconds + 10 }));
    clock.forward(9.5);
    await store.update(id, content({ expiresAt: clock.seconds + 0.5 }));
    expect(asked.map(([, , seconds]) => seconds)).toEqual([30, 10, 1]);
  });

  describe('in memory', () => {
    it('when nobody has used it for the idle time', async () => {
      const inMemory = createSealedSessionStore(memorySessionKeys(clock), sealer, clock, idleSeconds);
      const id = randomId();
      await inMemory.create(id, content());
      for (let use = 0; use < 5; use += 1) {
        clock.forward(idleSeconds - 1);
        expect(await inMemory.read(id)).toBeDefined();
      }
      clock.forward(idleSeconds + 1);
      expect(await inMemory.read(id)).toBeUndefined();
      await inMemory.update(id, content());
      expect(await inMemory.read(id)).toBeUndefined();
    });
  });
});

describe('C16: a record that cannot be read is no session', () => {
  const foreign = (text: string, using = sealer) => (id: string) => keys.set(keyOf(id), using.seal('session', id, text), 100, 'NX');
  const raw = (value: string | Buffer) => (id: string) => keys.set(keyOf(id), Buffer.from(value as string), 100, 'NX');
  const valid = JSON.stringify({ login: loginRecord(), data: {}, expiresAt: 4_000_000_000 });

  it.each([
    ['garbage', raw('garbage')],
    ['what express-session stores by itself', raw('{"cookie":{},"login":{"subject":"admin"}}')],
    ['a damaged seal', async (id: string) => raw(sealer.seal('session', id, valid).subarray(0, -5))(id)],
    ['a value of another purpose', async (id: string) => raw(sealer.seal('grant', id, valid))(id)],
    ['a login of the wrong shape', foreign(valid.replace('"alice"', '7'))],
    ['a login that is only true', foreign('{"login":true,"data":{},"expiresAt":4000000000}')],
    ['no data', foreign('{"expiresAt":4000000000}')],
    ['no end', foreign('{"data":{}}')],
    ['an end that is text', foreign('{"data":{},"expiresAt":"4000000000"}')],
    ['a number', foreign('7')],
    ['an array', foreign('[]')],
    ['null', foreign('null')],
    ['null as data', foreign('{"data":null,"expiresAt":4000000000}')],
  ])('and is removed: %s', async (_name, plant) => {
    const id = randomId();
    await plant(id);
    expect(await store.read(id)).toBeUndefined();
    expect(await valueOf(id)).toBeUndefined();
    expect(asked.filter(([action]) => action === 'delete')).toHaveLength(1);
  });

  it.each([
    ['a later release\'s', (sealed: Buffer) => ofFormat(sealed)],
    ['of a secret that this process does not have yet', (_sealed: Buffer, id: string) => createSealer(['another secret for tests only: 9pWzR3xL6vHbTq1F']).seal('session', id, valid)],
  ])('and is left alone: %s', async (_name, change) => {
    const id = randomId();
    const value = change(sealer.seal('session', id, valid), id);
    await raw(value)(id);
    expect(await store.read(id)).toBeUndefined();
    expect(await valueOf(id)).toEqual(value);
    expect(asked.filter(([action]) => action === 'delete')).toEqual([]);
  });

  it('FAULTS 54: a rotated secret opens what the old one sealed, and seals anew what is written', async () => {
    const id = randomId();
    await store.create(id, content());
    const next = 'another secret for tests only: 9pWzR3xL6vHbTq1F';
    const [rotated, after] = [create(createSealer([next, secret])), create(createSealer([next]))];
    expect(await rotated.read(id)).toEqual(content());
    expect(await after.read(id)).toBeUndefined();
    await rotated.update(id, content({ data: { counter: 2 } }));
    expect((await after.read(id))?.data).toEqual({ counter: 2 });
  });
});

describe('a session that is looked at', () => {
  it('is told with what is left of its idle time, which is not renewed', async () => {
    const id = randomId();
    await store.create(id, content());
    expect(await store.peek(id)).toEqual({ content: content(), idleLeftSeconds: idleSeconds });
    expect(asked).toHaveLength(1); // its creation
    expect(await store.peek(randomId())).toBeUndefined();
  });

  it('and is over, or cannot be read, is none', async () => {
    const [over, garbled] = [randomId(), randomId()];
    await store.create(over, content({ expiresAt: clock.seconds + 5 }));
    await keys.set(keyOf(garbled), Buffer.from('garbage'), 100, 'NX');
    clock.forward(5);
    expect([await store.peek(over), await store.peek(garbled)]).toEqual([undefined, undefined]);
  });

  it('by the hash of its id is there or not, for so long', async () => {
    const id = randomId();
    await store.create(id, content());
    expect(await store.exist([hashId('another'), hashId(id)])).toEqual([false, true]);
    const [gone, left] = await store.timesLeft([hashId('another'), hashId(id)]);
    expect([gone, Math.ceil(left! / 1000)]).toEqual([undefined, idleSeconds]);
  });
});

describe('C7: a session that a login replaces', () => {
  const successor = { session: 'hash of the new session', grant: 'hash of its grant' };

  it('is gone, and leads whoever still holds its id to the successor, once, for a minute', async () => {
    const id = randomId();
    const swapped: unknown[][] = [];
    store = createSealedSessionStore({ ...keys, swap: (...given) => (swapped.push(given), keys.swap(...given)) }, sealer, clock, idleSeconds);
    await store.create(id, content());
    expect(await store.replace(id, successor)).toBe(true);
    expect(await store.read(id)).toBeUndefined();
    expect(swapped).toEqual([[`ecf:n:${hashId(id)}`, expect.any(Buffer), 60]]);
    expect([await store.takeSuccessor(id), await store.takeSuccessor(id)]).toEqual([successor, undefined]);
  });

  it('and was gone before is told apart from one that another login replaced', async () => {
    const id = randomId();
    expect(await store.replace(id, successor)).toBe(false);
    expect(await store.replace(id, { ...successor, session: 'newer' })).toBe(true);
    expect(await store.takeSuccessor(id)).toEqual({ ...successor, session: 'newer' });
  });

  it('E6: and was gone before is so too where the note about it was sent twice', async () => {
    const twice = { ...keys, swap: async (...given: Parameters<typeof keys.swap>) => (await keys.swap(...given), keys.swap(...given)) };
    expect(await createSealedSessionStore(twice, sealer, clock, idleSeconds).replace(randomId(), successor)).toBe(false);
  });

  it('leads nobody else there, and no session opens as a successor', async () => {
    const [id, other] = [randomId(), randomId()];
    await store.replace(id, successor);
    const value = (await keys.getAndRenew(`ecf:n:${hashId(id)}`, 60))!;
    await keys.set(keyOf(id), value, 60, 'NX');
    await keys.set(`ecf:n:${hashId(other)}`, value, 60, 'NX');
    expect([await store.read(id), await store.takeSuccessor(other), await store.takeSuccessor(randomId())]).toEqual([undefined, undefined, undefined]);
    await store.create(other, content());
    await keys.set(`ecf:n:${hashId(other)}`, (await valueOf(other))!, 60, 'NX');
    expect(await store.takeSuccessor(other)).toBeUndefined();
  });
});

describe('a failing store', () => {
  it('is told to the caller, at every step', async () => {
    const broken = createSealedSessionStore(
      { ...keys, getAndRenew: () => Promise.reject(new Error('down')), set: () => Promise.reject(new Error('down')), take: () => Promise.reject(new Error('down')) },
      sealer,
      clock,
      idleSeconds,
    );
    await expect(broken.read('id')).rejects.toThrow('down');
    await expect(broken.create('id', content())).rejects.toThrow('down');
    await expect(broken.update('id', content())).rejects.toThrow('down');
    await expect(broken.destroy('id')).rejects.toThrow('down');
  });
});
