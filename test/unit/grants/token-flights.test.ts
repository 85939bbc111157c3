/** Who waits for which refresh, and for how long; the rest of the policy of tokens is in test/unit/grants/token-manager.test.ts. */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import type { Grant, TokenWish, UsableToken } from '../../../lib/grants/grant.js';
import { createMemoryGrantStore } from '../../../lib/grants/memory-grant-store.js';
import { createTokenManager } from '../../../lib/grants/token-manager.js';
import { randomId } from '../../../lib/seal.js';
import { gate } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';

const settings = { httpTimeoutSeconds: 5, redisTimeoutSeconds: 0.5, idleTimeoutSeconds: 3600 };
const hour = 3_600_000;
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const storeDown = () => Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'down'));
const unavailable = { code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', status: 503 };

/** A login whose token lives for 100 s, and a server whose answers, `at-2` and so on, come when `answers` says. */
async function stage(clock = new HandClock()) {
  const store = createMemoryGrantStore(clock);
  const asked: string[] = [];
  let answers = Promise.resolve();
  const provider: Grant['provider'] = {
    name: 'default',
    async refresh(refreshToken) {
      const number = asked.push(refreshToken) + 1;
      await answers;
      return { kind: 'tokens', tokens: { accessToken: `at-${number}`, refreshToken: `rt-${number}`, expiresInSeconds: 100 } };
    },
    revoke: () => Promise.resolve(true),
  };
  const manager = createTokenManager({ ...settings, store, clock, events: createEvents() });
  const login = async (name: string): Promise<Grant> => {
    const loginAt = clock.now() / 1000;
    const grant: Grant = { grantId: randomId(), provider, subject: undefined, loginAt, expiresAt: loginAt + 86_400, confirmedAt: -Infinity };
    await manager.create(grant, { accessToken: `at-${name}`, refreshToken: `rt-${name}`, expiresInSeconds: 100 });
    return grant;
  };
  const grant = await login('1');
  const token = (wish: TokenWish = {}, whose = grant): Promise<UsableToken> => manager.accessToken({ ...whose, confirmedAt: clock.monotonic() }, wish);
  /** Keeps the answers back until it is opened. */
  const hold = () => {
    const held = gate();
    answers = held.opened;
    return held;
  };
  return { clock, store, asked, manager, login, grant, token, hold };
}

describe('an expired token', () => {
  it('is over from its margin on, to the millisecond', async () => {
    const { token, clock, asked } = await stage();
    clock.forward(98.999);
    expect((await token()).token).toBe('at-1');
    await settle(); // renewed in the background
    clock.forward(99);
    expect((await token()).token).toBe('at-3');
    expect(asked).toEqual(['rt-1', 'rt-2']);
  });

  it('is not replaced by what another process got, if that is over, too', async () => {
    const { token, clock, store, grant, asked } = await stage();
    clock.forward(101);
    const theirs = { accessTokens: { '': { token: 'theirs' } }, refreshToken: 'rt-theirs' };
    await store.commit({ ...grant, resource: '', owner: 'another process', version: 1 }, { tokens: theirs, newVersion: 2, leftMs: 0, backOffMs: 0, keepMs: hour });
    expect(await token()).toMatchObject({ token: 'at-2', version: 3 });
    expect(asked).toEqual(['rt-theirs']);
  });

  it('without a refresh token asks for a login, and for no lock; nor does it before its end', async () => {
    const { clock, store, manager, grant } = await stage();
    const only = { ...grant, grantId: randomId() };
    await manager.create(only, { accessToken: 'only', expiresInSeconds: 100 });
    const acquire = jest.spyOn(store, 'acquire');
    clock.forward(90);
    expect((await manager.accessToken(only, {})).token).toBe('only');
    clock.forward(11);
    await expect(manager.accessToken(only, {})).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(acquire).not.toHaveBeenCalled();
  });

  it('of two logins at once is renewed with the refresh token of each', async () => {
    const { token, clock, login, hold, asked } = await stage();
    const other = await login('of bob');
    clock.forward(101);
    const answer = hold();
    const both = Promise.all([token(), token({}, other)]);
    await settle();
    answer.open();
    expect((await both).map((one) => one.token)).toEqual(['at-2', 'at-3']);
    expect(asked).toEqual(['rt-1', 'rt-of bob']);
  });
});

describe('a caller', () => {
  afterEach(() => void jest.useRealTimers());

  it('waits for a refresh as long as the server may take, and no longer; what comes later serves the next', async () => {
    const { token, clock, hold, asked } = await stage();
    clock.forward(101);
    const answer = hold();
    jest.useFakeTimers({ doNotFake: ['performance', 'nextTick', 'setImmediate'] });
    const seen: unknown[] = [];
    token().catch((error: unknown) => seen.push(error));
    await jest.advanceTimersByTimeAsync(4999);
    expect(seen).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(seen).toEqual([expect.objectContaining(unavailable)]);
    answer.open();
    await settle();
    expect([(await token()).token, asked]).toEqual(['at-2', ['rt-1']]);
  });

  it('who gives up while waiting gets its own reason, and the others their token', async () => {
    const { token, clock, hold, asked } = await stage();
    clock.forward(101);
    const answer = hold();
    const giveUp = new AbortController();
    const waiting = [token({ signal: giveUp.signal }), token()];
    await settle();
    giveUp.abort('enough');
    await expect(waiting[0]).rejects.toBe('enough');
    answer.open();
    expect([(await waiting[1])?.token, asked]).toEqual(['at-2', ['rt-1']]);
  });
});

describe('a refresh in the background', () => {
  it('waits for no other process', async () => {
    const { token, clock, store, grant, asked } = await stage();
    clock.forward(90);
    await store.acquire({ grantId: grant.grantId, resource: '', owner: 'another process', version: 1 }, 10_000);
    const before = clock.now();
    expect((await token()).token).toBe('at-1');
    await settle();
    expect([clock.now() - before, asked]).toEqual([0, []]);
  });

  it.each([
    ['as long as it is advised to', 2, storeDown],
    ['a second where nobody says how long', 1, () => Promise.resolve({ kind: 'ended' } as const)],
  ])('that failed is tried again after %s', async (_name, pause, acquire) => {
    const { token, clock, store } = await stage();
    let tries = 0;
    store.acquire = () => ((tries += 1), acquire());
    clock.forward(85);
    const seen: number[] = [];
    for (const seconds of [0, 0, pause - 0.001, 0.001]) {
      clock.forward(seconds);
      await token();
      await settle();
      seen.push(tries);
    }
    expect(seen).toEqual([1, 1, 1, 2]);
  });
});

describe('a login that has ended', () => {
  it.each([
    ['gone', 'ERR_CODE_FLOW_LOGIN_REQUIRED'],
    ['ended', 'ERR_CODE_FLOW_LOGIN_ENDED'],
  ] as const)('elsewhere, which the store says is %s, serves no good token for more than a second', async (kind, code) => {
    const { clock, store, manager, grant } = await stage();
    store.read = () => Promise.resolve({ kind });
    clock.forward(1);
    expect((await manager.accessToken(grant, {})).token).toBe('at-1');
    clock.forward(0.001);
    await expect(manager.accessToken(grant, {})).rejects.toMatchObject({ code });
  });

  it('F9, FAULTS 19: here, stays so although the store lost its end, and is not put back there', async () => {
    const { token, clock, store, manager, grant } = await stage();
    clock.forward(101);
    await token();
    clock.forward(101);
    const acquire = store.acquire.bind(store);
    store.acquire = async (...given) => {
      await manager.end(grant.grantId);
      await store.create(grant.grantId, { accessTokens: {}, refreshToken: 'rt-1' }, undefined, hour);
      return acquire(...given);
    };
    await expect(token()).rejects.toMatchObject(unavailable);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(await store.read(grant.grantId, '')).toMatchObject({ version: 1 });
  });
});

describe('close', () => {
  /** A sleep that can be ended lasts until then. */
  class PatientClock extends HandClock {
    readonly ended: string[] = [];
    override sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        if (signal === undefined) setImmediate(resolve);
        else signal.addEventListener('abort', () => resolve(void this.ended.push(`${milliseconds} ms`)));
      });
  }

  it('waits for the refresh that runs, which still serves, and ends its own waiting', async () => {
    const clock = new PatientClock();
    const { token, manager, hold } = await stage(clock);
    clock.forward(101);
    const answer = hold();
    const before = token();
    await settle();
    let closed = false;
    const closing = manager.close(60_000).then(() => (closed = true));
    const after = token();
    await settle();
    expect(closed).toBe(false);
    answer.open();
    await closing;
    expect([(await before).token, (await after).token, clock.ended]).toEqual(['at-2', 'at-2', ['60000 ms']]);
  });

  it('waits for the tokens that the store could not take at once', async () => {
    const clock = new PatientClock();
    const { token, manager, store, grant } = await stage(clock);
    clock.forward(101);
    const commit = store.commit.bind(store);
    let failures = 5;
    store.commit = (...given) => ((failures -= 1) >= 0 ? storeDown() : commit(...given));
    expect((await token()).token).toBe('at-2');
    await manager.close(60_000);
    expect(await store.read(grant.grantId, '')).toMatchObject({ version: 2 });
  });

  it('waits no longer than it may', async () => {
    const { token, manager, clock, hold } = await stage();
    clock.forward(101);
    const answer = hold();
    const waiting = token();
    await settle();
    const before = clock.now();
    await manager.close(1000);
    expect(clock.now() - before).toBe(1000);
    answer.open();
    await waiting;
  });

  it('lets nobody wait for another process', async () => {
    const { token, manager, clock, store, grant } = await stage(new PatientClock());
    clock.forward(101);
    await store.acquire({ grantId: grant.grantId, resource: '', owner: 'another process', version: 1 }, 10_000);
    const waiting = token();
    await settle();
    await manager.close(60_000);
    await expect(waiting).rejects.toMatchObject(unavailable);
  });
});
