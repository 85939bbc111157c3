/**
 * Many requests of one login ask at once: one read answers them all. Only reads that have not been sent yet are joined, so nobody gets
 * an answer that is older than the question, and what was logged out before is seen as logged out (promise 4).
 */
import type { GrantStore, ReadAnswer } from './grant-store.js';

export function joinReads(store: GrantStore): GrantStore['read'] {
  const unsent = new Map<string, Promise<ReadAnswer>>();
  return (grantId, resource) => {
    const key = `${grantId}\n${resource}`;
    const joined = unsent.get(key);
    if (joined !== undefined) return joined;
    const reading = new Promise<ReadAnswer>((resolve) => {
      // Behind everybody who has just learnt who is logged in: their session reads are answered in one go.
      process.nextTick(() => {
        unsent.delete(key);
        resolve(store.read(grantId, resource));
      });
    });
    unsent.set(key, reading);
    return reading;
  };
}
