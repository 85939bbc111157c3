import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createHeldTokens, type HeldTokens } from '../../../lib/grants/held-tokens.js';
import { HandClock } from '../../support/hand-clock.js';

const known = (version: number, token: string, leftMs: number | 'unknown' = 60_000, lifetimeSeconds?: number) => ({
  version,
  tokens: { accessTokens: { '': { token, ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }) } } },
  ...(leftMs === 'unknown' ? {} : { leftMs }),
});

describe('what a process remembers', () => {
  it('is the newest version', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(3, 'newer'));
    expect(held.remember('grant', '', known(2, 'older'))).toMatchObject({ version: 2 });
    expect(held.get('grant', '')).toMatchObject({ version: 3, accessToken: { token: 'newer' } });
  });

  it('FAULTS 19: is what came last, where a store that went back gave a number twice', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(2, 'lost'));
    expect(held.remember('grant', '', known(2, 'redeemed since'))).toMatchObject({ accessToken: { token: 'redeemed since' } });
    expect(held.get('grant', '')).toMatchObject({ accessToken: { token: 'redeemed since' } });
  });

  it('is what this process redeemed itself, also where a reading of the same version came first', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(2, 'at'));
    held.remember('grant', '', { ...known(2, 'at'), owner: 'this process', spent: 'rt-1' });
    held.remember('grant', '', known(2, 'at'));
    expect(held.newest('grant')).toEqual(['', expect.objectContaining({ version: 2, owner: 'this process', spent: 'rt-1' })]);
  });

  it('is vouched for anew each time the store shows the same, whose pause goes on', () => {
    const clock = new HandClock();
    const held = createHeldTokens(clock);
    const first = held.remember('grant', '', known(1, 'at'));
    first.quietUntil = 42;
    clock.forward(3);
    const endsAt = first.endsAt;
    expect(held.remember('grant', '', known(1, 'at'))).toBe(first);
    expect(first).toMatchObject({ confirmedAt: clock.monotonic(), quietUntil: 42, endsAt });
  });

  it('E18: is kept apart for each grant and resource', () => {
    const held = createHeldTokens(new HandClock());
    held.remember('grant', '', known(1, 'at'));
    expect([held.get('grant', 'https://api.example'), held.get('other', ''), held.newest('other')]).toEqual([undefined, undefined, undefined]);
    for (let round = 0; round < 2; round += 1) expect(held.remember('grant', 'https://api.example', known(1, 'at'))).toMatchObject({ accessToken: undefined });
    const later = { version: 1, tokens: { accessTokens: {} } };
    expect(held.remember('other', '', known(1, 'at'))).toMatchObject({ accessToken: { token: 'at' } });
    expect(held.remember('other', '', later)).toMatchObject({ accessToken: undefined });
    held.forget('other');
    expect(held.get('grant', '')).toMatchObject({ accessToken: { token: 'at' } });
  });

  it.each(['constructor', 'toString', '__proto__'])('has no token for a resource that is called %s', (resource) => {
    expect(createHeldTokens(new HandClock()).remember('grant', resource, known(1, 'at'))).toMatchObject({ accessToken: undefined });
  });

  it('FAULTS 19: tells the newest version of any resource, with its end and who stored it', () => {
    const clock = new HandClock();
    const held = createHeldTokens(clock);
    held.remember('grant', 'a', { ...known(1, 'at'), owner: 'me' });
    held.remember('grant', 'b', { ...known(3, 'at', 50_000), owner: 'me too' });
    held.remember('grant', 'c', known(2, 'at', 'unknown'));
    clock.forward(20);
    expect(held.newest('grant')).toMatchObject(['b', { version: 3, tokens: known(3, 'at').tokens, owner: 'me too', endsAt: clock.monotonic() + 30_000 }]);
    held.remember('grant', 'c', known(4, 'at', 'unknown'));
    expect(held.newest('grant')).toMatchObject(['c', { version: 4, tokens: known(4, 'at').tokens, owner: undefined, endsAt: Infinity }]);
  });
});

describe('the end of a token', () => {
  afterEach(() => void jest.restoreAllMocks());
  const assessed = (lifetimeSeconds: number | undefined, leftMs: number | 'unknown') => {
    const clock = new HandClock();
    const { usableUntil, endsAt, refreshFrom } = createHeldTokens(clock).remember('grant', '', known(1, 'at', leftMs, lifetimeSeconds));
    return [endsAt, usableUntil, refreshFrom].map((instant) => instant - clock.monotonic());
  };

  it.each<[number | undefined, number | 'unknown', number[]]>([
    // lifetime, left; end, usable until, refreshed from
    [1000, 500_000, [500_000, 499_000, 440_000]],
    [100, 90_000, [90_000, 89_000, 70_000]],
    [10, 10_000, [10_000, 9500, 8000]],
    [undefined, 10_000, [10_000, 10_000, 10_000]],
    [undefined, 'unknown', [Infinity, Infinity, Infinity]],
  ])('E12: with a life of %p s and %p ms left', (lifetimeSeconds, leftMs, expected) => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    expect(assessed(lifetimeSeconds, leftMs)).toEqual(expected);
  });

  it('is met up to a tenth of the last fifth later, so that processes do not come together', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    expect(assessed(100, 100_000)).toEqual([100_000, 99_000, 82_000]);
  });
});

describe('an ended grant', () => {
  it('F9: is forgotten, and never remembered again', () => {
    const held: HeldTokens = createHeldTokens(new HandClock());
    held.remember('grant', '', known(1, 'at'));
    held.remember('other', '', known(1, 'at'));
    expect(held.hasEnded('grant')).toBe(false);
    held.forget('grant');
    expect(held.remember('grant', '', known(2, 'late'))).toMatchObject({ version: 2 });
    expect([held.hasEnded('grant'), held.hasEnded('other')]).toEqual([true, false]);
    expect([held.get('grant', ''), held.newest('grant')]).toEqual([undefined, undefined]);
    expect(held.get('other', '')).toBeDefined();
  });
});

describe('the renewal of a record', () => {
  it('is due once in a period, for each grant', () => {
    const clock = new HandClock();
    const held = createHeldTokens(clock);
    const due = () => [held.renewalDue('a', 1000), held.renewalDue('b', 1000)];
    expect(due()).toEqual([true, true]);
    clock.forward(0.999);
    expect(due()).toEqual([false, false]);
    clock.forward(0.001);
    expect(held.renewalDue('a', 1000)).toBe(true);
    clock.forward(0.999);
    expect(due()).toEqual([false, true]);
  });
});
