import { describe, expect, it } from '@jest/globals';
import { aged } from '../../../lib/grants/refresh-request.js';

describe('a commit that is tried again later', () => {
  const commit = { tokens: { accessTokens: {} }, newVersion: 2, backOffMs: 0, keepMs: 1000 };

  it('tells the store how much time the access token has left by then: its end must not move', () => {
    expect(aged({ ...commit, leftMs: 60_000 }, 3800.4)).toEqual({ ...commit, leftMs: 56_200 });
    expect(aged({ ...commit, leftMs: 1000 }, 5000)).toEqual({ ...commit, leftMs: 0 });
  });

  it('leaves alone what is no time', () => {
    expect(aged({ ...commit, leftMs: 'keep' }, 5000)).toEqual({ ...commit, leftMs: 'keep' });
    expect(aged({ ...commit, leftMs: undefined }, 5000)).toEqual({ ...commit, leftMs: undefined });
  });
});
