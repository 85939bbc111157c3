/** Watching for the end of a login: how often the store is asked, and what counts as an end. */
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../../lib/clock.js';
import { AuthenticationRequiredError, StoreError } from '../../../lib/errors.js';
import { hashId } from '../../../lib/seal.js';
import { createLoginWatch, releaseOnClose, reportingEnds, type LoginWatch } from '../../../lib/session/login-watch.js';
import type { SealedSessionStore } from '../../../lib/session/sealed-session-store.js';

/** The hashes that the store was asked for, question by question. */
let asked: (readonly string[])[];
let gone: Set<string>;
let isDown: boolean;
let watch: LoginWatch;

const later = (): number => Date.now() / 1000 + 1_000_000;
const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  jest.useFakeTimers();
  asked = [];
  gone = new Set();
  isDown = false;
  const exist = (hashes: readonly string[]): Promise<boolean[]> => {
    asked.push(hashes);
    return isDown ? Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'down')) : Promise.resolve(hashes.map((hash) => !gone.has(hash)));
  };
  watch = createLoginWatch({ exist }, systemClock);
});

afterEach(() => {
  watch.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('what it costs', () => {
  it('one question a second for each login, however many connections it has', async () => {
    for (const hash of ['alice', 'alice', 'alice', 'bob']) watch.watch(hash, later());
    await pass(0);
    expect(asked).toEqual([['alice', 'bob']]);
    await pass(10);
    expect(asked).toHaveLength(11);
  });

  it('nothing while nothing is watched', async () => {
    await pass(5);
    const [first, second] = [watch.watch('alice', later()), watch.watch('alice', later())];
    await pass(1.5);
    const before = asked.length;
    first.release();
    first.release();
    await pass(1);
    expect(asked).toHaveLength(before + 1);
    second.release();
    await pass(5);
    expect(asked).toHaveLength(before + 1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('many logins are asked for in parts, and no second begins before the last one is over', async () => {
    for (let i = 0; i < 1201; i++) watch.watch(`login ${i}`, later());
    await pass(0);
    expect(asked.map((hashes) => hashes.length)).toEqual([500, 500, 201]);
    isDown = true;
    await pass(1);
    expect(asked).toHaveLength(4);
  });

  it('nothing new while an answer is outstanding, and nothing after it once the watch is closed', async () => {
    const answers: (() => void)[] = [];
    const exist = (hashes: readonly string[]): Promise<boolean[]> => {
      asked.push(hashes);
      return new Promise((resolve) => answers.push(() => resolve(hashes.map(() => true))));
    };
    watch = createLoginWatch({ exist }, systemClock);
    for (let i = 0; i < 501; i++) watch.watch(`login ${i}`, later());
    await pass(0);
    watch.watch('bob', later());
    await pass(5);
    expect(asked).toHaveLength(1);
    answers[0]!();
    await pass(0);
    expect(asked.map((hashes) => hashes.length)).toEqual([500, 1]);
    answers[1]!();
    await pass(0);
    expect(asked.map((hashes) => hashes.length)).toEqual([500, 1, 500]);
    watch.close();
    answers[2]!();
    await pass(5);
    expect(asked).toHaveLength(3);
  });

  it.each(['closed', 'destroyed'] as const)('nothing for a connection that is %s', (how) => {
    const connection = Object.defineProperties(new PassThrough(), { closed: { value: how === 'closed' }, destroyed: { value: how === 'destroyed' } });
    let released = 0;
    releaseOnClose({ signal: AbortSignal.abort(), release: () => (released += 1) }, connection);
    expect([released, connection.listenerCount('close')]).toEqual([1, 0]);
  });

  it('nothing once it is released, and then nothing is left behind on its connection: a socket may carry thousands of requests', async () => {
    const connection = new PassThrough();
    const watched = Array.from({ length: 20 }, () => releaseOnClose(watch.watch('alice', later()), connection));
    expect(connection.listenerCount('close')).toBe(20);
    for (const login of watched) login.release();
    expect(connection.listenerCount('close')).toBe(0);
    await pass(3);
    expect(asked).toEqual([]);
  });

  it('nothing once its connection is closed, be it before or after', async () => {
    const [open, closed] = [new PassThrough(), new PassThrough()];
    closed.destroy();
    releaseOnClose(watch.watch('alice', later()), open);
    releaseOnClose(watch.watch('bob', later()), closed);
    await pass(0);
    expect(asked).toEqual([['alice']]);
    open.emit('close');
    await pass(3);
    expect(asked).toEqual([['alice']]);
  });
});

describe('the signal', () => {
  it('aborts within a second after the session is gone, for each of its connections and no other', async () => {
    const [one, two, bob] = [watch.watch('alice', later()), watch.watch('alice', later()), watch.watch('bob', later())];
    await pass(3);
    expect([one, two, bob].map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
    gone.add('alice');
    await pass(1);
    expect([one, two, bob].map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
  });

  it('aborts at once for what this process ended', () => {
    const { signal } = watch.watch('alice', later());
    watch.ended('alice');
    expect(signal.reason).toBeInstanceOf(AuthenticationRequiredError);
    expect(signal.reason).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED', status: 401, message: 'the login has ended: log in again' });
  });

  it('may be released after that; the end of what nobody watches is nothing', () => {
    const watched = watch.watch('alice', later());
    watch.ended('alice');
    expect(() => (watched.release(), watch.ended('alice'), watch.ended('bob'))).not.toThrow();
  });

  it('aborts at the end of the login, to the second, even while the store is down', async () => {
    isDown = true;
    const { signal } = watch.watch('alice', Math.floor(Date.now() / 1000) + 30);
    await pass(29);
    expect(signal.aborted).toBe(false);
    await pass(1);
    expect(signal.aborted).toBe(true);
  });

  it('aborts at the end of the first login to end, between two questions, and asks none for it', async () => {
    jest.setSystemTime(1_750_000_000_400);
    const [long, short] = [watch.watch('alice', 1_750_000_010), watch.watch('bob', 1_750_000_002)];
    await pass(1.599);
    expect(short.signal.aborted).toBe(false);
    await pass(0.001);
    expect([short, long].map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(asked).toEqual([['alice', 'bob'], ['alice', 'bob']]);
    await pass(0.4);
    expect(asked.slice(2)).toEqual([['alice']]);
  });

  it('stays silent while nobody can tell, and speaks when somebody can', async () => {
    const { signal } = watch.watch('alice', later());
    await pass(2);
    isDown = true;
    gone.add('alice');
    await pass(60);
    expect(signal.aborted).toBe(false);
    isDown = false;
    await pass(1);
    expect(signal.aborted).toBe(true);
  });

  it('stays silent after release and after close', async () => {
    const [released, closed] = [watch.watch('alice', later()), watch.watch('bob', later())];
    released.release();
    watch.close();
    gone.add('alice').add('bob').add('carol');
    const late = watch.watch('carol', later());
    expect(jest.getTimerCount()).toBe(0);
    await pass(5);
    expect([released, closed, late].map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
  });

  it('waits for an end that is months away', async () => {
    const { signal } = watch.watch('alice', Date.now() / 1000 + 400 * 86_400);
    await pass(5);
    expect(signal.aborted).toBe(false);
  });
});

describe('a store that tells the watch', () => {
  it('of each session that ends through it, once it has, and not where it could not be ended', async () => {
    const told: unknown[] = [];
    const done = (name: string, value?: unknown) => (...given: unknown[]) => Promise.resolve((told.push([name, ...given]), value));
    const parts = { destroy: done('destroy'), replace: done('replace', false), destroyHashed: done('destroyHashed') };
    const ended = (hash: string): void => void told.push(hash);
    const successor = { session: 'new', grant: 'of the new' };
    const store = reportingEnds(parts as unknown as SealedSessionStore, { ended }); // all that ends one
    await store.destroy('a');
    expect(await store.replace('b', successor)).toBe(false);
    await store.destroyHashed(['c', 'd']);
    expect(told).toEqual([['destroy', 'a'], hashId('a'), ['replace', 'b', successor], hashId('b'), ['destroyHashed', ['c', 'd']], 'c', 'd']);
    told.length = 0;
    const down = (): Promise<never> => Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'down'));
    const failing = reportingEnds({ ...parts, destroy: down, replace: down, destroyHashed: down } as unknown as SealedSessionStore, { ended });
    await expect(failing.destroy('a')).rejects.toThrow('down');
    await expect(failing.replace('b', successor)).rejects.toThrow('down');
    await expect(failing.destroyHashed(['c'])).rejects.toThrow('down');
    expect(told).toEqual([]);
  });
});
