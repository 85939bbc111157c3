import { describe, expect, it } from '@jest/globals';
import { createHeldTokens } from '../../../lib/grants/held-tokens.js';
import { HandClock } from '../../support/hand-clock.js';

describe('what a process remembers', () => {
  const known = (version: number, token: string) => ({ version, tokens: { accessTokens: { '': { token } } }, leftMs: 60_000 });

  it('is the newest version', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(3, 'newer'));
    held.remember('grant', '', known(2, 'older'));
    expect(held.get('grant', '')).toMatchObject({ version: 3, accessToken: { token: 'newer' } });
  });

  it('FAULTS 19: is what came last, where a store that went back gave a number twice', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(2, 'lost'));
    expect(held.remember('grant', '', known(2, 'redeemed since'))).toMatchObject({ accessToken: { token: 'redeemed since' } });
    expect(held.get('grant', '')).toMatchObject({ accessToken: { token: 'redeemed since' } });
  });
});
