/** To the millisecond, what test/integration/grant-store.test.ts shows of both stores. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Attempt, Commit, GrantStore } from '../../../lib/grants/grant-store.js';
import { createMemoryGrantStore } from '../../../lib/grants/memory-grant-store.js';
import type { TokenSet } from '../../../lib/grants/token-set.js';
import { hashId } from '../../../lib/seal.js';
import { HandClock } from '../../support/hand-clock.js';

const first: TokenSet = { accessTokens: { '': { token: 'at-1' } }, refreshToken: 'rt-1' };
const second: TokenSet = { accessTokens: { '': { token: 'at-2' } }, refreshToken: 'rt-2' };
const hour = 3_600_000;
const grantId = 'a grant';
const api = 'https://api.example';

let clock: HandClock;
let store: GrantStore;

const attempt = (owner: string, version = 1, resource = ''): Attempt => ({ grantId, resource, owner, version });
const commit = (more: Partial<Commit> = {}): Commit => ({ tokens: second, newVersion: 2, leftMs: 60_000, backOffMs: 0, keepMs: hour, ...more });
const lock = async (one: Attempt, leaseMs = 10_000) => store.acquire(one, leaseMs);

beforeEach(async () => {
  clock = new HandClock();
  store = createMemoryGrantStore(clock);
  await store.create(grantId, first, 60_000, hour);
});

describe('the access token\'s end', () => {
  it('comes nearer', async () => {
    clock.forward(61);
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'alive', version: 1, tokens: first, leftMs: -1000 });
    expect(await store.read(grantId, api)).toStrictEqual({ kind: 'alive', version: 1, tokens: first });
  });

  it('moves with a commit, stays where that keeps it, and is unknown where the server named none', async () => {
    await store.commit(attempt('a'), commit({ leftMs: 5000 }));
    expect(await store.read(grantId, '')).toMatchObject({ leftMs: 5000 });
    await store.commit(attempt('b', 2), commit({ newVersion: 3, leftMs: 'keep' }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 3, leftMs: 5000 });
    await store.commit(attempt('c', 3, api), commit({ newVersion: 4, leftMs: 7000 }));
    expect([await store.read(grantId, ''), await store.read(grantId, api)]).toMatchObject([{ leftMs: 5000 }, { leftMs: 7000 }]);
    await store.commit(attempt('d', 4), commit({ newVersion: 5, leftMs: undefined }));
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'alive', version: 5, tokens: second });
  });
});

describe('E1: the lock', () => {
  it('is one owner\'s until the lease ends, to the millisecond, and then whoever\'s asks', async () => {
    expect(await lock(attempt('a'))).toStrictEqual({ kind: 'acquired', version: 1, tokens: first, leftMs: 60_000, takeover: false, failures: 0, resourceFailures: 0 });
    clock.forward(9.999);
    expect(await lock(attempt('b'))).toStrictEqual({ kind: 'busy', leftMs: 1 });
    clock.forward(0.001);
    expect(await lock(attempt('b'))).toMatchObject({ kind: 'acquired', takeover: true });
    expect(await lock(attempt('a'))).toStrictEqual({ kind: 'busy', leftMs: 10_000 });
  });

  it('is renewed for who has it, who takes nothing over', async () => {
    await lock(attempt('a'));
    clock.forward(8);
    expect(await lock(attempt('a'))).toMatchObject({ kind: 'acquired', takeover: false });
    expect(await lock(attempt('b'))).toStrictEqual({ kind: 'busy', leftMs: 10_000 });
  });

  it('is free after its owner\'s commit, and stays whose it is after somebody else\'s', async () => {
    await lock(attempt('a'));
    await store.commit(attempt('b'), commit());
    expect(await lock(attempt('c', 2))).toMatchObject({ kind: 'busy' });
    await store.commit(attempt('a'), commit());
    expect(await lock(attempt('c', 2))).toMatchObject({ kind: 'acquired', takeover: false });
  });

  it('E2: is not given for a version that is no longer the current one', async () => {
    await store.commit(attempt('a'), commit());
    expect(await lock(attempt('b'))).toStrictEqual({ kind: 'newer', version: 2, tokens: second, leftMs: 60_000 });
  });

  it('is nobody\'s on a grant that is gone', async () => {
    expect(await store.acquire({ ...attempt('a'), grantId: 'another' }, 1000)).toStrictEqual({ kind: 'gone' });
    await store.destroy(grantId);
    expect(await lock(attempt('a'))).toStrictEqual({ kind: 'gone' });
  });
});

describe('a failure', () => {
  it('E11: is followed by a pause, to the millisecond, and counted until a success', async () => {
    for (const failures of [0, 1, 2]) {
      expect(await lock(attempt('a'))).toMatchObject({ kind: 'acquired', failures });
      expect(await store.fail(attempt('a'), 'failed', 2000)).toStrictEqual({ kind: 'recorded' });
      clock.forward(1.999);
      expect(await lock(attempt('b'))).toStrictEqual({ kind: 'backing off', leftMs: 1 });
      clock.forward(0.001);
    }
    await store.commit(attempt('a'), commit());
    expect(await lock(attempt('b', 2))).toMatchObject({ kind: 'acquired', failures: 0 });
  });

  it('E17: is what an answer that could not be checked counts as, too', async () => {
    await store.commit(attempt('a'), commit({ backOffMs: 3000 }));
    clock.forward(2.999);
    expect(await lock(attempt('b', 2))).toStrictEqual({ kind: 'backing off', leftMs: 1 });
    clock.forward(0.001);
    expect(await lock(attempt('b', 2))).toMatchObject({ kind: 'acquired', failures: 1 });
  });

  it('a success ends the pause', async () => {
    await lock(attempt('a'));
    await store.fail(attempt('a'), 'failed', 60_000);
    await store.commit(attempt('late'), commit());
    expect(await lock(attempt('b', 2))).toMatchObject({ kind: 'acquired', failures: 0 });
  });

  it('is told only by who holds the lock, and gives it back', async () => {
    expect(await store.fail(attempt('a'), 'refused', 0)).toStrictEqual({ kind: 'lost' });
    await lock(attempt('a'));
    expect(await store.fail(attempt('b'), 'failed', 0)).toStrictEqual({ kind: 'lost' });
    await store.fail(attempt('a'), 'failed', 0);
    expect(await lock(attempt('b'))).toMatchObject({ kind: 'acquired', takeover: false, failures: 1 });
  });

  it('E9: of a version that is not the current one any more changes nothing', async () => {
    await lock(attempt('a'));
    await store.commit(attempt('b'), commit());
    expect(await store.fail(attempt('a'), 'refused', 9000)).toStrictEqual({ kind: 'newer', version: 2, tokens: second, leftMs: 60_000 });
    expect(await lock(attempt('c', 2))).toMatchObject({ kind: 'acquired', failures: 0 });
  });
});

describe('E8: a doubtful refusal', () => {
  const doubt = async (version: number) => {
    await lock(attempt('a', version));
    return store.fail(attempt('a', version), 'doubtful', 0);
  };

  it('ends the grant when it comes again for the same version', async () => {
    expect([await doubt(1), await doubt(1)]).toEqual([{ kind: 'recorded' }, { kind: 'ended' }]);
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'ended' });
  });

  it('is the first one after any other failure', async () => {
    await lock(attempt('a'));
    await store.fail(attempt('a'), 'failed', 0);
    expect((await doubt(1)).kind).toBe('recorded');
  });

  it('is not made certain by another failure, nor by a success in between', async () => {
    expect((await doubt(1)).kind).toBe('recorded');
    await lock(attempt('a'));
    expect((await store.fail(attempt('a'), 'failed', 0)).kind).toBe('recorded');
    await store.commit(attempt('b'), commit());
    expect((await doubt(2)).kind).toBe('recorded');
  });

  it('is forgotten with a success: a store that went back to the version asks twice again', async () => {
    await doubt(1);
    await store.commit(attempt('b'), commit({ newVersion: 1 }));
    expect((await doubt(1)).kind).toBe('recorded');
  });

  it('goes on to count where an answer was kept that could not be checked', async () => {
    await doubt(1);
    await store.commit(attempt('b'), commit({ newVersion: 1, backOffMs: 1 }));
    clock.forward(1);
    expect((await doubt(1)).kind).toBe('ended');
  });
});

describe('E10: an ended grant', () => {
  beforeEach(async () => {
    await lock(attempt('a'));
    await store.fail(attempt('a'), 'refused', 0);
  });

  it('says so to everybody, and takes nothing', async () => {
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'ended' });
    expect(await lock(attempt('b'))).toStrictEqual({ kind: 'ended' });
    expect(await store.fail(attempt('b'), 'failed', 0)).toStrictEqual({ kind: 'ended' });
    expect(await store.commit(attempt('a'), commit())).toStrictEqual({ kind: 'gone' });
  });

  it('holds nothing any more', async () => {
    expect(await store.destroy(grantId)).toBeUndefined();
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'gone' });
  });
});

describe('E5, E6: the first commit of a version', () => {
  it('wins, however often and in whichever order they come', async () => {
    expect(await store.commit(attempt('a'), commit())).toStrictEqual({ kind: 'committed', version: 2 });
    expect(await store.commit(attempt('b'), commit({ tokens: first }))).toStrictEqual({ kind: 'stale', version: 2, tokens: second, leftMs: 60_000 });
    expect(await store.commit(attempt('a'), commit({ tokens: first }))).toStrictEqual({ kind: 'committed', version: 2 });
    expect(await store.read(grantId, '')).toMatchObject({ tokens: second });
  });

  it('C7: of a grant that is gone is refused', async () => {
    await store.destroy(grantId);
    expect(await store.commit(attempt('a'), commit())).toStrictEqual({ kind: 'gone' });
    expect(await store.fail(attempt('a'), 'failed', 0)).toStrictEqual({ kind: 'gone' });
  });
});

describe('the record', () => {
  beforeEach(async () => {
    store = createMemoryGrantStore(clock);
    await store.create(grantId, first, undefined, 5000);
  });
  const kind = async () => (await store.read(grantId, '')).kind;

  it('lives as long as it was told at last: at its creation, a renewal or a commit', async () => {
    clock.forward(4.999);
    expect(await kind()).toBe('alive');
    await store.renew(grantId, 3000);
    clock.forward(2.999);
    expect(await kind()).toBe('alive');
    await store.commit(attempt('a'), commit({ keepMs: 2000 }));
    clock.forward(1.999);
    expect(await kind()).toBe('alive');
    clock.forward(0.002);
    expect(await kind()).toBe('gone');
    await store.renew(grantId, 3000);
    expect(await kind()).toBe('gone');
  });

  it('is gone when its time is over, which a renewal can bring nearer', async () => {
    clock.forward(5.001);
    expect(await kind()).toBe('gone');
    await store.create(grantId, first, undefined, 5000);
    await store.renew(grantId, 1000);
    clock.forward(1.001);
    expect(await kind()).toBe('gone');
  });

  it('is deleted by its hash for whoever must not know its id', async () => {
    await store.destroyHashed([hashId('another'), hashId(grantId)]);
    expect(await kind()).toBe('gone');
  });

  it('is handed over once when it is destroyed', async () => {
    expect([await store.destroy(grantId), await store.destroy(grantId)]).toStrictEqual([first, undefined]);
  });
});
