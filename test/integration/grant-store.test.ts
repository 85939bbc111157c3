/** The grant's atomic steps, the same suite for both stores. */
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.js';
import { randomId } from '../../lib/seal.js';
import { attemptOn, commitOf, first, grantStores, hour, second } from '../support/grants.js';

describe.each(grantStores())('a grant in %s', (_name, open, created) => {
  it('is read as it was created, with its remaining time', async () => {
    const { store, grantId } = await created();
    const answer = await store.read(grantId, '');
    expect(answer).toMatchObject({ kind: 'alive', version: 1, tokens: first });
    expect(answer).toHaveProperty('leftMs', expect.any(Number));
    const { leftMs } = answer as { leftMs: number };
    expect(leftMs).toBeGreaterThan(50_000);
    expect(leftMs).toBeLessThanOrEqual(60_000);
  });

  it('has no remaining time when the server named none, or for another resource', async () => {
    const store = open();
    const grantId = randomId();
    await store.create(grantId, first, undefined, hour);
    expect(await store.read(grantId, '')).not.toHaveProperty('leftMs');
    expect(await store.read(grantId, 'https://api.example')).not.toHaveProperty('leftMs');
  });

  it('is gone when it was never created, was destroyed, or its time is over', async () => {
    const { store, grantId } = await created();
    expect(await store.read(randomId(), '')).toEqual({ kind: 'gone' });
    expect(await store.destroy(grantId)).toEqual(first);
    expect(await store.read(grantId, '')).toEqual({ kind: 'gone' });
    expect(await store.destroy(grantId)).toBeUndefined();
    await store.create(grantId, first, 60_000, 1);
    while ((await store.read(grantId, '')).kind !== 'gone') await systemClock.sleep(2);
  });

  it('E2: grants the lock for the version that is current, and tells of a newer one instead', async () => {
    const { store, grantId } = await created();
    const attempt = attemptOn(grantId);
    expect(await store.acquire(attempt, 10_000)).toMatchObject({ kind: 'acquired', version: 1, tokens: first, takeover: false, failures: 0 });
    await store.commit(attempt, commitOf(second, 2));
    expect(await store.acquire(attemptOn(grantId, 1), 10_000)).toMatchObject({ kind: 'newer', version: 2, tokens: second });
    expect(await store.acquire(attemptOn(grantId, 2), 10_000)).toMatchObject({ kind: 'acquired', version: 2 });
  });

  it('E1: has one lock, which its owner may ask for again', async () => {
    const { store, grantId } = await created();
    const mine = attemptOn(grantId);
    expect((await store.acquire(mine, 10_000)).kind).toBe('acquired');
    expect(await store.acquire(mine, 10_000)).toMatchObject({ kind: 'acquired', takeover: false });
    expect(await store.acquire(attemptOn(grantId), 10_000)).toMatchObject({ kind: 'busy' });
  });

  it('lets somebody else take over when the lease has run out', async () => {
    const { store, grantId } = await created();
    await store.acquire(attemptOn(grantId), 20);
    const other = attemptOn(grantId);
    let answer = await store.acquire(other, 10_000);
    while (answer.kind === 'busy') answer = await store.acquire(other, 10_000);
    expect(answer).toMatchObject({ kind: 'acquired', takeover: true });
  });

  it('E5: keeps the first commit of a version; the second learns the first one\'s tokens', async () => {
    const { store, grantId } = await created();
    const [winner, loser] = [attemptOn(grantId), attemptOn(grantId)];
    expect(await store.commit(winner, commitOf(second, 2))).toEqual({ kind: 'committed', version: 2 });
    expect(await store.commit(loser, commitOf(first, 2))).toMatchObject({ kind: 'stale', version: 2, tokens: second });
    expect(await store.read(grantId, '')).toMatchObject({ version: 2, tokens: second });
  });

  it('E6: takes a commit twice without writing twice', async () => {
    const { store, grantId } = await created();
    const attempt = attemptOn(grantId);
    await store.commit(attempt, commitOf(second, 2));
    expect(await store.commit(attempt, commitOf(second, 2))).toEqual({ kind: 'committed', version: 2 });
    expect(await store.read(grantId, '')).toMatchObject({ version: 2 });
  });

  it('C7, E19: commits nothing after a logout', async () => {
    const { store, grantId } = await created();
    const attempt = attemptOn(grantId);
    await store.acquire(attempt, 10_000);
    await store.destroy(grantId);
    expect(await store.commit(attempt, commitOf(second, 2))).toEqual({ kind: 'gone' });
    expect(await store.fail(attempt, 'failed', 1000)).toEqual({ kind: 'gone' });
    expect(await store.read(grantId, '')).toEqual({ kind: 'gone' });
  });

  it('keeps the access token\'s end when told to', async () => {
    const { store, grantId } = await created();
    await store.commit(attemptOn(grantId), commitOf({ ...first, refreshToken: 'rt-2' }, 2, { leftMs: 'keep', backOffMs: 5000 }));
    const answer = await store.read(grantId, '');
    expect(answer).toMatchObject({ version: 2, tokens: { refreshToken: 'rt-2' } });
    expect((answer as { leftMs: number }).leftMs).toBeGreaterThan(0);
    expect(await store.acquire(attemptOn(grantId, 2), 10_000)).toMatchObject({ kind: 'backing off' });
  });

  it('keeps the ends of other resources apart', async () => {
    const { store, grantId } = await created();
    const attempt = { ...attemptOn(grantId), resource: 'https://api.example' };
    await store.commit(attempt, commitOf(second, 2, { leftMs: 5000 }));
    expect((await store.read(grantId, '')) as { leftMs: number }).toHaveProperty('leftMs', expect.any(Number));
    expect(((await store.read(grantId, '')) as { leftMs: number }).leftMs).toBeGreaterThan(50_000);
    expect(((await store.read(grantId, 'https://api.example')) as { leftMs: number }).leftMs).toBeLessThanOrEqual(5000);
  });

  it('E10: ends at a refusal, keeps no token, and says so to everybody', async () => {
    const { store, grantId } = await created();
    const attempt = attemptOn(grantId);
    await store.acquire(attempt, 10_000);
    expect(await store.fail(attempt, 'refused', 1000)).toEqual({ kind: 'ended' });
    expect(await store.read(grantId, '')).toEqual({ kind: 'ended' });
    expect(await store.acquire(attemptOn(grantId), 10_000)).toEqual({ kind: 'ended' });
    expect(await store.commit(attempt, commitOf(second, 2))).toEqual({ kind: 'gone' });
    expect(await store.destroy(grantId)).toBeUndefined();
  });

  it('E9: ends nothing when the refused version is no longer the current one', async () => {
    const { store, grantId } = await created();
    const slow = attemptOn(grantId);
    await store.acquire(slow, 10_000);
    await store.commit(attemptOn(grantId), commitOf(second, 2));
    expect(await store.fail(slow, 'refused', 1000)).toMatchObject({ kind: 'newer', version: 2, tokens: second });
    expect(await store.read(grantId, '')).toMatchObject({ kind: 'alive' });
  });

  it('E8: ends at a doubtful refusal only when it comes again for the same version', async () => {
    const { store, grantId } = await created();
    const once = attemptOn(grantId);
    await store.acquire(once, 10_000);
    expect(await store.fail(once, 'doubtful', 1)).toEqual({ kind: 'recorded' });
    const again = attemptOn(grantId);
    while ((await store.acquire(again, 10_000)).kind === 'backing off');
    expect(await store.fail(again, 'doubtful', 1)).toEqual({ kind: 'ended' });
  });

  it.each(['commit', 'fail'] as const)('an overtaken holder lets go of its lock with its late %s: the next refresh does not wait for the lease', async (step) => {
    const { store, grantId } = await created();
    const slow = attemptOn(grantId);
    await store.acquire(slow, 10_000);
    await store.commit(attemptOn(grantId), commitOf(second, 2));
    if (step === 'commit') expect(await store.commit(slow, commitOf(first, 2))).toMatchObject({ kind: 'stale', version: 2 });
    else expect(await store.fail(slow, 'failed', 1000)).toMatchObject({ kind: 'newer', version: 2 });
    expect(await store.acquire(attemptOn(grantId, 2), 10_000)).toMatchObject({ kind: 'acquired', takeover: false });
  });

  it('lets only the holder of the lock report a failure', async () => {
    const { store, grantId } = await created();
    await store.acquire(attemptOn(grantId), 10_000);
    expect(await store.fail(attemptOn(grantId), 'refused', 1000)).toEqual({ kind: 'lost' });
    expect(await store.read(grantId, '')).toMatchObject({ kind: 'alive' });
  });
});
