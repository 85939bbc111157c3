import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreError } from '../../../lib/errors.js';
import { createSealer, hashId } from '../../../lib/seal.js';
import { createLoginIndex, type LoginIndex } from '../../../lib/session/login-index.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { createSealedSessionStore, type SealedSessionStore } from '../../../lib/session/sealed-session-store.js';
import { createSessionAdministration, type SessionAdministration } from '../../../lib/session/session-administration.js';
import { sessionHandle } from '../../../lib/session/session-handle.js';
import { HandClock, loginRecord } from './support.js';

const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
const alice = { provider: 'default', subject: 'alice' };
const hashesOf = (id: string) => ({ session: hashId(id), grant: hashId(`grant of ${id}`) });

let clock: HandClock;
let index: LoginIndex;
let store: SealedSessionStore;
/** What happened, in order. */
let done: unknown[][];
/** By the hash of the id: the milliseconds that a session has left. */
let left: Map<string, number>;
const endGrants = (hashes: readonly string[]): Promise<void> => (done.push(['grants', ...hashes]), Promise.resolve());

function administration(more: { keepsGrants?: boolean; index?: LoginIndex } = {}): SessionAdministration {
  return createSessionAdministration({ store, index, sealer, clock, idleTimeoutSeconds: 100, keepsGrants: false, ...more });
}

async function begin(id: string, loginAt = clock.seconds, label?: string): Promise<void> {
  left.set(hashId(id), 100_000);
  const entry = { ...hashesOf(id), provider: 'default', loginAt, expiresAt: loginAt + 1000, ...(label === undefined ? {} : { label }) };
  await index.add(loginRecord(), entry, clock.seconds + 1000, clock.monotonic());
}

beforeEach(() => {
  clock = new HandClock();
  const keys = memorySessionKeys(clock);
  index = createLoginIndex(keys, sealer, clock);
  done = [];
  left = new Map();
  store = {
    ...createSealedSessionStore(keys, sealer, clock, 100),
    timesLeft: (hashes) => Promise.resolve(hashes.map((hash) => left.get(hash))),
    destroyHashed: (hashes) => (done.push(['sessions', ...hashes]), Promise.resolve()),
  };
});

describe('the end of sessions', () => {
  it('of a user is the end of each session, and then of its grant', async () => {
    for (const id of ['a', 'b']) await begin(id);
    expect(await administration().endAll(alice, endGrants)).toBe(2);
    const [a, b] = [hashesOf('a'), hashesOf('b')];
    expect(done).toEqual([['sessions', a.session, b.session], ['grants', a.grant, b.grant]]);
  });

  it('of one of them by its name, ended before or not', async () => {
    const { session, grant } = hashesOf('a');
    const handle = sessionHandle(sealer, { session, grant });
    for (let round = 0; round < 2; round += 1) await administration().endOne(handle, endGrants);
    expect(done).toEqual([['sessions', session], ['grants', grant], ['sessions', session], ['grants', grant]]);
  });

  it('by a name that was not made here is refused, and ends nothing', async () => {
    await expect(administration().endOne('made up', endGrants)).rejects.toMatchObject({
      name: 'AccessDeniedError', code: 'ERR_CODE_FLOW_SESSION_UNKNOWN', status: 403, message: expect.stringContaining('listSessions()'),
    });
    expect(done).toEqual([]);
  });

  it('ends no grant while the session may live', async () => {
    store = { ...store, destroyHashed: () => Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'down')) };
    await begin('a');
    await expect(administration().endAll(alice, endGrants)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_STORE_TIMEOUT' });
    expect(done).toEqual([]);
  });
});

describe('the list of a user\'s sessions', () => {
  it('shows each, the newest first, with when it was last seen and a name that ends it', async () => {
    const started = clock.seconds;
    await begin('old', started, 'an old browser');
    clock.forward(50);
    await begin('new', started + 50);
    left.set(hashId('old'), 70_000);
    expect(await administration().list(alice)).toStrictEqual([
      { sessionId: sessionHandle(sealer, hashesOf('new')), provider: 'default', loginAt: started + 50, lastSeenAt: started + 50, expiresAt: started + 1050, label: undefined },
      { sessionId: sessionHandle(sealer, hashesOf('old')), provider: 'default', loginAt: started, lastSeenAt: started + 20, expiresAt: started + 1000, label: 'an old browser' },
    ]);
  });

  it.each([
    ['never before the login', 20, 10_000, 0],
    ['never in the future', 20, 150_000, 20],
    ['to the second', 20, 95_400, 15],
  ])('was last seen %s', async (_name, age, leftMs, expected) => {
    const started = clock.seconds;
    await begin('a');
    clock.forward(age);
    left.set(hashId('a'), leftMs);
    expect((await administration().list(alice))[0]?.lastSeenAt).toBe(started + expected);
  });

  it('leaves out, and forgets, what has ended', async () => {
    for (const id of ['a', 'b']) await begin(id);
    left.delete(hashId('a'));
    expect(await administration().list(alice)).toHaveLength(1);
    expect((await index.list(alice)).map(({ login }) => login.session)).toEqual([hashId('b')]);
  });

  it('forgets nothing where a grant outlives its session', async () => {
    await begin('a');
    left.clear();
    expect(await administration({ keepsGrants: true }).list(alice)).toEqual([]);
    expect(await index.list(alice)).toHaveLength(1);
  });

  it('is shown although the rest cannot be forgotten', async () => {
    await begin('a');
    const failing = { ...index, forget: () => Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'down')) };
    expect(await administration({ index: failing }).list(alice)).toHaveLength(1);
  });
});
