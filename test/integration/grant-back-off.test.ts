/** E11: how long nobody refreshes after a failure, the same suite for both stores. */
import { describe, expect, it } from '@jest/globals';
import type { Attempt } from '../../lib/grants/grant-store.js';
import { attemptOn, commitOf, grantStores, second } from '../support/grants.js';

describe.each(grantStores())('a grant in %s', (_name, _open, created) => {
  it('E11: after the pause goes on, counts failures, and forgets them after a success', async () => {
    const { store, grantId } = await created();
    const attempt = attemptOn(grantId);
    await store.acquire(attempt, 10_000);
    expect(await store.fail(attempt, 'failed', 20)).toEqual({ kind: 'recorded' });
    const retry = attemptOn(grantId);
    let answer = await store.acquire(retry, 10_000);
    while (answer.kind === 'backing off') answer = await store.acquire(retry, 10_000);
    expect(answer).toMatchObject({ kind: 'acquired', failures: 1 });
    await store.commit(retry, commitOf(second, 2));
    expect(await store.acquire(attemptOn(grantId, 2), 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0 });
  });

  it('E11: after a refusal of one resource that one alone backs off', async () => {
    const { store, grantId } = await created();
    const of = (resource: string): Attempt => ({ ...attemptOn(grantId), resource });
    const refused = of('https://unknown.example');
    await store.acquire(refused, 10_000);
    expect(await store.fail(refused, 'resource', 60_000)).toEqual({ kind: 'recorded' });
    expect(await store.acquire(of('https://unknown.example'), 10_000)).toMatchObject({ kind: 'backing off', leftMs: expect.any(Number) });
    const own = of('');
    expect(await store.acquire(own, 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0, takeover: false });
    await store.commit(own, commitOf(second, 2));
    expect(await store.acquire({ ...of('https://unknown.example'), version: 2 }, 10_000)).toMatchObject({ kind: 'backing off' });
    expect(await store.acquire({ ...of('https://api.example'), version: 2 }, 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0 });
  });

  it('E11: a resource\'s failures are counted apart, until it is renewed with all that belongs to it', async () => {
    const { store, grantId } = await created();
    const of = (resource: string, version = 1): Attempt => ({ ...attemptOn(grantId, version), resource });
    for (const failure of ['resource', 'resource', 'failed'] as const) {
      const attempt = of('https://api.example');
      await store.acquire(attempt, 10_000);
      await store.fail(attempt, failure, 0);
    }
    const renewed = of('https://api.example');
    expect(await store.acquire(renewed, 10_000)).toMatchObject({ kind: 'acquired', failures: 1, resourceFailures: 2 });
    // An answer that is not complete leaves all pauses as they are.
    await store.commit(renewed, commitOf(second, 2, { backOffMs: 1, leftMs: 'keep' }));
    const again = of('https://api.example', 2);
    let answer = await store.acquire(again, 10_000);
    while (answer.kind === 'backing off') answer = await store.acquire(again, 10_000);
    expect(answer).toMatchObject({ kind: 'acquired', failures: 2, resourceFailures: 2 });
    await store.commit(again, commitOf(second, 3));
    expect(await store.acquire(of('https://api.example', 3), 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0 });
  });

  it('E11: a refused resource holds up nobody who asks no server, as healing does not', async () => {
    const { store, grantId } = await created();
    const refused = { ...attemptOn(grantId), resource: 'https://unknown.example' };
    await store.acquire(refused, 10_000);
    await store.fail(refused, 'resource', 60_000);
    expect(await store.acquire({ ...attemptOn(grantId), resource: refused.resource, pausing: '' }, 10_000)).toMatchObject({ kind: 'acquired', resourceFailures: 0 });
  });

  it('E11: whoever makes up resources makes the whole login back off: 20 are known apart', async () => {
    const { store, grantId } = await created();
    const of = (number: number): Attempt => ({ ...attemptOn(grantId), resource: `https://made-up.example/${number}` });
    for (let number = 0; number < 20; number += 1) {
      const attempt = of(number);
      expect(await store.acquire(attempt, 10_000)).toMatchObject({ kind: 'acquired' });
      await store.fail(attempt, 'resource', number === 0 ? 0 : 60_000);
    }
    // One of them again is none more, and one that is renewed is none any longer.
    for (const again of [of(0), of(0)]) {
      await store.acquire(again, 10_000);
      await store.fail(again, 'resource', 0);
    }
    const renewed = of(0);
    await store.acquire(renewed, 10_000);
    await store.commit(renewed, commitOf(second, 2));
    const inItsPlace = { ...of(20), version: 2 };
    await store.acquire(inItsPlace, 10_000);
    await store.fail(inItsPlace, 'resource', 60_000);
    const own = attemptOn(grantId, 2);
    expect(await store.acquire(own, 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0 });
    await store.commit(own, commitOf(second, 3));
    const oneMore = { ...of(21), version: 3 };
    expect(await store.acquire(oneMore, 10_000)).toMatchObject({ kind: 'acquired', failures: 0, resourceFailures: 0 });
    await store.fail(oneMore, 'resource', 60_000);
    expect(await store.acquire(attemptOn(grantId, 3), 10_000)).toMatchObject({ kind: 'backing off' });
  });

  it('E11: after any other failure all resources back off', async () => {
    const { store, grantId } = await created();
    const of = (resource: string): Attempt => ({ ...attemptOn(grantId), resource });
    const failing = of('https://api.example');
    await store.acquire(failing, 10_000);
    await store.fail(failing, 'failed', 60_000);
    for (const resource of ['', 'https://api.example', 'https://other.example']) expect(await store.acquire(of(resource), 10_000)).toMatchObject({ kind: 'backing off' });
  });
});
