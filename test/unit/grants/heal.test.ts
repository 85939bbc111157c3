/** FAULTS 19: the store goes back in time, and processes that know different pasts meet there. */
import { describe, expect, it } from '@jest/globals';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import type { Commit } from '../../../lib/grants/grant-store.js';
import type { Grant, TokenWish, UsableToken } from '../../../lib/grants/grant.js';
import { wentBack } from '../../../lib/grants/heal.js';
import { createMemoryGrantStore } from '../../../lib/grants/memory-grant-store.js';
import { createTokenManager } from '../../../lib/grants/token-manager.js';
import type { GrantProvider } from '../../../lib/provider-registry.js';
import { randomId } from '../../../lib/seal.js';
import { HandClock } from '../../support/hand-clock.js';

const settings = { httpTimeoutSeconds: 5, redisTimeoutSeconds: 0.5, idleTimeoutSeconds: 3600 };

/** A store, a server that answers with tokens that live for 100 s, and processes that share them. */
function stage() {
  const clock = new HandClock();
  const store = createMemoryGrantStore(clock);
  const grantId = randomId();
  const asked: string[] = [];
  const revoked: string[] = [];
  /** What happens while the server works on its next answers. */
  const meanwhile: (() => Promise<void>)[] = [];
  /** With a refresh token here the server never gives another. */
  const keeping: { refreshToken?: string } = {};
  const provider: GrantProvider = {
    name: 'default',
    async refresh(refreshToken) {
      const answer = asked.push(refreshToken) + 1;
      await meanwhile.shift()?.();
      return { kind: 'tokens', tokens: { accessToken: `at-${answer}`, refreshToken: keeping.refreshToken ?? `rt-${answer}`, expiresInSeconds: 100 } };
    },
    revoke: (token) => Promise.resolve(revoked.push(token) > 0),
  };
  const startProcess = (): ((wish?: TokenWish) => Promise<UsableToken>) => {
    const manager = createTokenManager({ ...settings, store, clock, events: createEvents() });
    const grant: Grant = { grantId, provider, subject: 'alice', loginAt: clock.now() / 1000, expiresAt: clock.now() / 1000 + 86_400, confirmedAt: -Infinity };
    return (wish = {}) => manager.accessToken(grant, wish);
  };
  const goBack = async (leftMs: number): Promise<void> => {
    await store.destroy(grantId);
    await store.create(grantId, { accessTokens: { '': { token: 'at-1', lifetimeSeconds: 100 } }, refreshToken: 'rt-1' }, leftMs, 86_400_000);
  };
  const shown = async () => store.read(grantId, '');
  return { clock, store, grantId, asked, revoked, meanwhile, keeping, startProcess, goBack, shown };
}

describe('FAULTS 19: the store lost versions, and another process has refreshed from the older one since', () => {
  it.each([1, 2])('its tokens are the later ones: they are kept, above the %d lost, and nobody redeems again', async (lost) => {
    const { clock, asked, startProcess, goBack, shown } = stage();
    const [knowing, unknowing] = [startProcess(), startProcess()];
    await goBack(0);
    for (let version = 2; version <= 1 + lost; version += 1) {
      expect(await knowing()).toEqual(expect.objectContaining({ version, token: `at-${version}` }));
      clock.forward(101);
    }
    await goBack(0);
    const later = { token: `at-${lost + 2}` };
    expect(await unknowing()).toEqual(expect.objectContaining({ ...later, version: 2 }));
    clock.forward(2);
    expect(await knowing()).toEqual(expect.objectContaining({ ...later, version: lost + 2 }));
    expect(await shown()).toEqual(expect.objectContaining({ version: lost + 2, tokens: expect.objectContaining({ refreshToken: `rt-${lost + 2}` }) }));
    clock.forward(2);
    expect([await unknowing(), await knowing()]).toEqual([expect.objectContaining(later), expect.objectContaining(later)]);
    expect(asked).toHaveLength(lost + 1);
  });
});

describe('FAULTS 19: the store lost a version that this process redeemed, and shows the one before, whose token lives longer', () => {
  it('nothing parted: the refresh token that was spent does not come back', async () => {
    const { clock, asked, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(1_000_000);
    expect(await knowing({ refusedVersion: 1 })).toEqual(expect.objectContaining({ token: 'at-2', version: 2 }));
    await goBack(1_000_000);
    clock.forward(2);
    expect(await knowing()).toEqual(expect.objectContaining({ token: 'at-2', version: 2 }));
    expect(await shown()).toEqual(expect.objectContaining({ version: 2, tokens: expect.objectContaining({ refreshToken: 'rt-2' }) }));
    clock.forward(101);
    expect(await startProcess()()).toEqual(expect.objectContaining({ token: 'at-3', version: 3 }));
    expect(asked).toEqual(['rt-1', 'rt-2']);
  });

  it('but at a server that replaces no refresh token, what another process redeemed later stays', async () => {
    const { clock, startProcess, goBack, shown, keeping } = stage();
    keeping.refreshToken = 'rt-1';
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    clock.forward(101);
    await knowing();
    await goBack(0);
    clock.forward(2);
    expect(await startProcess()()).toEqual(expect.objectContaining({ token: 'at-4', version: 2 }));
    clock.forward(2);
    await knowing();
    expect(await shown()).toEqual(expect.objectContaining({ version: 4, tokens: { accessTokens: { '': { token: 'at-4', lifetimeSeconds: 100 } }, refreshToken: 'rt-1' } }));
  });
});

describe('FAULTS 19: the store went back to when the server refused a resource', () => {
  it('its pause holds up no healing: nobody is asked for that', async () => {
    const { clock, asked, store, grantId, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(0);
    expect(await knowing()).toEqual(expect.objectContaining({ token: 'at-2', version: 2 }));
    await goBack(0);
    const attempt = { grantId, resource: 'https://refused.example/', owner: 'before', version: 1 };
    await store.acquire(attempt, 10_000);
    await store.fail(attempt, 'resource', 30_000);
    clock.forward(2);
    await expect(knowing({ resource: 'https://refused.example/' })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    expect(await shown()).toEqual(expect.objectContaining({ version: 2, tokens: expect.objectContaining({ refreshToken: 'rt-2' }) }));
    expect(await startProcess()()).toEqual(expect.objectContaining({ token: 'at-2' }));
    expect(asked).toEqual(['rt-1']);
  });
});

describe('FAULTS 19: the store lost the token of one resource and that of the login', () => {
  const resource = 'https://api.example.com/';

  it('and the login\'s was renewed since: the lost one is not said to live as long', async () => {
    const { clock, startProcess, goBack } = stage();
    const [knowing, unknowing] = [startProcess(), startProcess()];
    await goBack(0);
    await knowing();
    await knowing({ resource });
    clock.forward(101);
    await goBack(0);
    expect(await unknowing()).toEqual(expect.objectContaining({ token: 'at-4' }));
    expect(await knowing()).toEqual(expect.objectContaining({ token: 'at-4' }));
  });

  it.each([['the login, known from before', '', 50_000], ['a third resource, never asked for', 'https://third.example.com/', 50_000]])(
    'and is asked for the token of %s: the refresh token that was spent for the lost one is not redeemed again',
    async (_, asked, leftMs) => {
      const { clock, asked: redeemed, startProcess, goBack, shown } = stage();
      const knowing = startProcess();
      await goBack(leftMs);
      await knowing();
      await knowing({ resource });
      await goBack(leftMs);
      clock.forward(2);
      await knowing({ resource: asked });
      expect(await shown()).toEqual(expect.objectContaining({ tokens: expect.objectContaining({ refreshToken: `rt-${redeemed.length + 1}` }) }));
      clock.forward(60);
      expect(await knowing({ resource: asked })).toEqual(expect.objectContaining({ token: 'at-3' }));
      expect(redeemed).toEqual(['rt-1', 'rt-2']);
    },
  );

  it('and is healed for the one: the other is not put back with a wrong end', async () => {
    const { clock, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(50_000);
    await knowing({ refusedVersion: 1 });
    await knowing({ resource });
    await goBack(1_000_000);
    clock.forward(2);
    expect(await knowing({ resource })).toEqual(expect.objectContaining({ token: 'at-3' }));
    expect(await shown()).toEqual(expect.objectContaining({ version: 3 }));
    clock.forward(101);
    expect((await startProcess()()).token).toBe('at-1');
  });
});

describe('FAULTS 19: the store lost a version, and', () => {
  it('is healed only when another process has let go of the lock: the time until then counts', async () => {
    const { clock, store, grantId, startProcess, goBack, shown } = stage();
    const commits: Commit[] = [];
    const commit = store.commit.bind(store);
    store.commit = (attempt, given) => {
      commits.push(given);
      return commit(attempt, given);
    };
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    await goBack(0);
    commits.length = 0;
    await store.acquire({ grantId, resource: '', owner: 'another process', version: 1 }, 10_000);
    const began = clock.monotonic();
    await knowing({ refusedVersion: 2 });
    const waited = clock.monotonic() - began;
    const healed = commits.find(({ newVersion }) => newVersion === 2);
    expect([waited > 9000, healed]).toEqual([true, expect.objectContaining({ leftMs: expect.closeTo(100_000 - waited, -2) })]);
    expect(await shown()).toEqual(expect.objectContaining({ version: 3 }));
  });

  it('loses it during the next refresh: the new refresh token is stored all the same', async () => {
    const { clock, asked, meanwhile, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    clock.forward(101);
    meanwhile.push(() => goBack(0));
    expect(await knowing()).toEqual(expect.objectContaining({ version: 3, token: 'at-3' }));
    expect(await shown()).toEqual(expect.objectContaining({ version: 3, tokens: expect.objectContaining({ refreshToken: 'rt-3' }) }));
    expect(asked).toEqual(['rt-1', 'rt-2']);
  });

  it('nobody refreshed since: it is put back, and its token serves', async () => {
    const { clock, asked, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    await goBack(0);
    clock.forward(2);
    expect(await knowing()).toEqual(expect.objectContaining({ version: 2, token: 'at-2' }));
    expect(await shown()).toEqual(expect.objectContaining({ version: 2, tokens: expect.objectContaining({ refreshToken: 'rt-2' }) }));
    expect(asked).toEqual(['rt-1']);
  });

  it('is out of reach now: that is told, rather than what is known served on', async () => {
    const { clock, store, startProcess, goBack } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    await goBack(0);
    store.acquire = () => Promise.reject(new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'down'));
    expect(await knowing()).toEqual(expect.objectContaining({ version: 2 })); // vouched for just now
    clock.forward(2);
    await expect(knowing()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_STORE_UNAVAILABLE' });
  });

  it('loses it at each try of a refresh: it is left alone for a while', async () => {
    const { clock, store, asked, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    clock.forward(101);
    const acquire = store.acquire.bind(store);
    let lost = 0;
    store.acquire = async (attempt, leaseMs) => {
      if (attempt.version === 2) {
        lost += 1;
        await goBack(-101_000);
      }
      return acquire(attempt, leaseMs);
    };
    await expect(knowing()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 1 });
    expect([lost, asked]).toEqual([3, ['rt-1']]);
    expect(await shown()).toEqual(expect.objectContaining({ version: 2, tokens: expect.objectContaining({ refreshToken: 'rt-2' }) }));
  });

  it('of one resource: it is put right for that one, and not looked at again for a second', async () => {
    const resource = 'https://api.example.com/';
    const { clock, store, grantId, startProcess, goBack } = stage();
    const knowing = startProcess();
    await goBack(50_000);
    await knowing({ resource });
    await goBack(50_000);
    clock.forward(2);
    expect(await knowing({ resource })).toEqual(expect.objectContaining({ token: 'at-2', version: 2 }));
    expect(await store.read(grantId, resource)).toEqual(expect.objectContaining({ version: 2, leftMs: 98_000 }));
    clock.forward(1);
    store.read = () => Promise.reject(new Error('not asked'));
    expect(await knowing({ resource })).toEqual(expect.objectContaining({ token: 'at-2' }));
  });

  it('another process holds the lock: the good token serves meanwhile, and nothing is written over its work', async () => {
    const { clock, store, grantId, startProcess, goBack, shown } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    await goBack(0);
    await store.acquire({ grantId, resource: '', owner: 'another process', version: 1 }, 10_000);
    clock.forward(2);
    expect(await knowing()).toEqual(expect.objectContaining({ version: 2, token: 'at-2' }));
    expect(await shown()).toEqual(expect.objectContaining({ version: 1 }));
  });

  it('F9: the user has logged out since: the lost refresh token is revoked, and no token is served', async () => {
    const { clock, store, grantId, revoked, startProcess, goBack } = stage();
    const knowing = startProcess();
    await goBack(0);
    await knowing();
    await goBack(0);
    clock.forward(2);
    const read = store.read.bind(store);
    store.read = async (...given) => {
      const answer = await read(...given);
      await store.destroy(grantId);
      return answer;
    };
    await expect(knowing()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(revoked).toEqual(['rt-2']);
  });
});

describe('FAULTS 19: a store has gone back where it shows', () => {
  const known = { version: 2, tokens: { accessTokens: { '': { token: 'at' } }, refreshToken: 'rt' } };
  const shown = (version: number, token?: string, refreshToken = 'rt') => ({ version, tokens: { accessTokens: token === undefined ? {} : { '': { token } }, refreshToken } });

  it.each([
    ['an older version', shown(1, 'at'), true],
    ['a newer version', shown(3, 'another', 'another'), false],
    ['the same', shown(2, 'at'), false],
    ['the same number with another refresh token', shown(2, 'at', 'another'), true],
    ['the same number with another access token', shown(2, 'another'), true],
    ['the same number without the access token', shown(2), true],
  ])('%s: %p', (_name, answer, expected) => {
    expect(wentBack(answer, known, '')).toBe(expected);
  });

  it('neither of which has a token for that resource: no', () => {
    expect(wentBack(shown(2, 'at'), known, 'https://api.example')).toBe(false);
    expect(wentBack(shown(2, 'at'), { ...known, tokens: { ...known.tokens, accessTokens: {} } }, '')).toBe(true);
  });
});
