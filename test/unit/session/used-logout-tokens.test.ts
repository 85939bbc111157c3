import { describe, expect, it } from '@jest/globals';
import { hashId } from '../../../lib/seal.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { createUsedLogoutTokens } from '../../../lib/session/used-logout-tokens.js';

describe('H7: a logout token', () => {
  it('counts until it was carried out, for its provider alone', async () => {
    const used = createUsedLogoutTokens(memorySessionKeys());
    expect(await used.has('a', 'id', 60)).toBe(false);
    expect(await used.has('a', 'id', 60)).toBe(false);
    await used.add('a', 'id', 60);
    expect([await used.has('a', 'id', 60), await used.has('b', 'id', 60), await used.has('a', 'other', 60)]).toEqual([true, false, false]);
  });

  it('is remembered as long as it can be used, under a name that does not show it', async () => {
    const asked: unknown[][] = [];
    const keys = memorySessionKeys();
    const used = createUsedLogoutTokens({
      ...keys,
      set: (...given) => (asked.push(given), keys.set(...given)),
      getAndRenew: (...given) => (asked.push(given), keys.getAndRenew(...given)),
    });
    await used.add('a', 'id', 60);
    await used.has('a', 'id', 50);
    const key = `ecf:j:${hashId('["a","id"]')}`;
    expect(asked).toEqual([[key, Buffer.from('1'), 60, 'NX'], [key, 50]]);
  });
});
