import { beforeEach, describe, expect, it } from '@jest/globals';
import { createSealer, hashId } from '../../../lib/seal.js';
import { createLoginIndex, type IndexedLogin, type LoginHashes, type LoginIndex } from '../../../lib/session/login-index.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { HandClock, loginRecord } from './support.js';

const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
const alice = { provider: 'default', subject: 'alice' };
const aliceThere = { provider: 'default', idpSessionId: 'a sid' };

let clock: HandClock;
let keys: SessionKeys;
let index: LoginIndex;
let ended: LoginHashes[][];

beforeEach(() => {
  clock = new HandClock();
  keys = memorySessionKeys(clock);
  index = createLoginIndex(keys, sealer, clock);
  ended = [];
});

const entry = (name: string): IndexedLogin => ({ session: `session of ${name}`, grant: `grant of ${name}`, provider: 'default', loginAt: 1, expiresAt: 2, label: 'a browser' });
const add = (name: string, login = loginRecord({ idpSessionId: 'a sid' }), sinceMs = 0) => index.add(login, entry(name), clock.seconds + 1000, clock.monotonic() - sinceMs);
const names = async (whose: Parameters<LoginIndex['list']>[0]) => (await index.list(whose)).map(({ login }) => login.session.replace('session of ', ''));
const end = (logins: readonly LoginHashes[]): Promise<void> => (ended.push([...logins]), Promise.resolve());

describe('what belongs to whom', () => {
  it('is found by the user and by the session at the authorization server, whole', async () => {
    expect(await add('a')).toBe(true);
    for (const whose of [alice, aliceThere]) expect((await index.list(whose)).map(({ login }) => login)).toEqual([entry('a')]);
  });

  it('is nobody else\'s: not of the same name elsewhere, nor where one\'s name is the other\'s id', async () => {
    await add('a');
    for (const whose of [{ ...alice, provider: 'other' }, { ...alice, subject: 'bob' }, { ...aliceThere, provider: 'other' }, { ...aliceThere, idpSessionId: 'b' }, { provider: 'default', subject: 'a sid' }]) {
      expect(await index.list(whose)).toEqual([]);
    }
  });

  it('is not found by what the login does not know', async () => {
    const { subject: _, ...nobody } = loginRecord({ idpSessionId: 'a sid' });
    const written: string[] = [];
    index = createLoginIndex({ ...keys, addMember: (key, ...rest) => (written.push(key), keys.addMember(key, ...rest)) }, sealer, clock);
    await add('nameless', nobody);
    await add('without sid', loginRecord());
    expect(written).toHaveLength(2);
    expect([await names(alice), await names(aliceThere)]).toEqual([['without sid'], ['nameless']]);
  });

  it('is found until it ends', async () => {
    await add('a');
    clock.forward(1000);
    expect(await index.list(alice)).toEqual([]);
  });

  it('C20: is stored sealed, under a name that shows nobody', async () => {
    const stored: Parameters<SessionKeys['addMember']>[] = [];
    const watched = createLoginIndex({ ...keys, addMember: (...given) => (stored.push(given), keys.addMember(...given)) }, sealer, clock);
    await watched.add(loginRecord({ idpSessionId: 'a sid' }), entry('a'), 5, clock.monotonic());
    expect(stored).toEqual([
      [`ecf:i:${hashId('["default","alice"]')}`, expect.any(Buffer), 5],
      [`ecf:i:${hashId('["default","sid","a sid"]')}`, expect.any(Buffer), 5],
    ]);
    for (const [, member] of stored) expect(member.toString('latin1')).not.toMatch(/default|session of|browser/);
  });

  it('passes over what it cannot open: another secret\'s, or another user\'s', async () => {
    await add('a');
    const [{ member } = { member: Buffer.alloc(0) }] = await index.list(alice);
    const [{ member: another } = { member: Buffer.alloc(0) }] = await index.list(aliceThere);
    expect(await createLoginIndex(keys, createSealer(['another secret for tests only: 9pWzR3xL6vHbTq1F']), clock).list(alice)).toEqual([]);
    await keys.addMember(`ecf:i:${hashId('["default","alice"]')}`, another, clock.seconds + 10);
    expect(await index.list(alice)).toEqual([{ login: entry('a'), member }]);
  });
});

describe('the end of all of somebody\'s logins', () => {
  it('FAULTS 53, 54: forgets nothing that a newer release or secret has listed, and whatever nobody can open', async () => {
    const theirs = createSealer(['another secret for tests only: 9pWzR3xL6vHbTq1F']);
    const key = `ecf:i:${hashId('["default","alice"]')}`;
    await add('a');
    const newer = theirs.seal('login index', '["default","alice"]', JSON.stringify(entry('b')));
    for (const member of [newer, Buffer.from('garbage')]) await keys.addMember(key, member, clock.seconds + 1000);
    expect(await index.endEach(alice, end)).toBe(3);
    expect([ended.flat().map(({ session }) => session), await keys.members(key)]).toEqual([['session of a'], [newer]]);
  });

  it('comes to each once, a hundred at a time, and to no more than are known', async () => {
    for (let i = 0; i < 201; i += 1) await add(`${i}`);
    expect(await index.endEach(alice, end)).toBe(201);
    expect(ended.map((batch) => batch.length)).toEqual([100, 100, 1]);
    expect(ended.flat()).toHaveLength(new Set(ended.flat().map(({ session }) => session)).size);
    expect(ended[0]?.[0]).toMatchObject({ session: 'session of 0', grant: 'grant of 0' });
    expect(await index.endEach(alice, end)).toBe(0);
    expect(ended).toHaveLength(3);
  });

  it('FAULTS 50: that fails leaves those that are not ended to be found again', async () => {
    for (let i = 0; i < 101; i += 1) await add(`${i}`);
    const failing = (logins: readonly LoginHashes[]) => (logins.length === 1 ? Promise.reject(new Error('down')) : end(logins));
    await expect(index.endEach(alice, failing)).rejects.toThrow('down');
    expect(await names(alice)).toEqual(['100']);
  });

  it('forgets those that it is told to, and those alone', async () => {
    for (const name of ['a', 'b', 'c']) await add(name);
    const logins = await index.list(alice);
    await index.forget(alice, [logins[0]!, logins[2]!]);
    expect(await names(alice)).toEqual(['b']);
    expect(await names(aliceThere)).toEqual(['a', 'b', 'c']);
  });
});

describe('H6: a login that is under way', () => {
  it('is over when its user was signed out since it began, and not when that was before', async () => {
    await index.endEach(alice, end);
    clock.forward(5);
    expect(await add('began before', loginRecord(), 5001)).toBe(false);
    expect(await add('began with it', loginRecord(), 5000)).toBe(false);
    expect(await add('began a millisecond later', loginRecord(), 4999)).toBe(false); // for rounding
    expect(await add('began later', loginRecord(), 4998)).toBe(true);
    expect(await add('of another user', loginRecord({ subject: 'bob' }), 9000)).toBe(true);
  });

  it('is over, whenever it began, when its session at the authorization server was', async () => {
    await index.endEach(aliceThere, end);
    clock.forward(5);
    expect(await add('of that session')).toBe(false);
    expect(await add('of another', loginRecord({ idpSessionId: 'another' }))).toBe(true);
  });

  it('is told how the time on its way counts: from its begin to the answer of the store', async () => {
    await index.endEach(alice, end);
    const slow = createLoginIndex({ ...keys, addMember: async (...given) => (clock.forward(3), keys.addMember(...given)) }, sealer, clock);
    expect(await slow.add(loginRecord(), entry('a'), clock.seconds + 10, clock.monotonic())).toBe(false);
  });
});
