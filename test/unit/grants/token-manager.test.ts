/** The policy of tokens, with a clock that the test moves and a token endpoint that it plays. */
import { describe, expect, it } from '@jest/globals';
import { ProviderError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import type { CodeFlowEvents } from '../../../lib/events.js';
import type { GrantStore, ReadAnswer } from '../../../lib/grants/grant-store.js';
import { createMemoryGrantStore } from '../../../lib/grants/memory-grant-store.js';
import { createTokenManager } from '../../../lib/grants/token-manager.js';
import type { Grant, UsableToken } from '../../../lib/grants/grant.js';
import type { TokenManager } from '../../../lib/grants/token-manager.js';
import type { Provider, RefreshOutcome } from '../../../lib/provider/provider.js';
import { randomId } from '../../../lib/seal.js';
import type { TokenResponse } from '../../../lib/types.js';
import { gate } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';

const unavailable = (retryAfterSeconds?: number): RefreshOutcome => ({
  kind: 'failed',
  error: new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'down', { retryAfterSeconds: retryAfterSeconds ?? 5 }),
  retryAfterSeconds,
});
const tokens = (more: Partial<TokenResponse> = {}): RefreshOutcome => ({ kind: 'tokens', tokens: { accessToken: 'new', expiresInSeconds: 100, ...more } });

interface Stage {
  clock: HandClock;
  manager: TokenManager;
  grant: Grant;
  /** What the token endpoint was asked with. */
  asked: { refreshToken: string; resource: string | undefined; scope: string | undefined }[];
  events: (keyof CodeFlowEvents)[];
  token: (wish?: Parameters<TokenManager['accessToken']>[1]) => Promise<UsableToken>;
  /** Lets everything that runs in the background come to rest. */
  settle: () => Promise<void>;
}

type Wrap = (store: GrantStore) => GrantStore;

async function stage(first: Partial<TokenResponse>, outcomes: readonly RefreshOutcome[], wrap: Wrap = (store) => store): Promise<Stage> {
  const clock = new HandClock();
  const asked: Stage['asked'] = [];
  const events = createEvents();
  const told: Stage['events'] = [];
  const names = ['committed', 'failed', 'refused', 'subject_mismatch', 'started', 'gone'] as const;
  for (const name of names) events.on(`refresh.${name}`, () => told.push(`refresh.${name}`));
  const provider = {
    name: 'default',
    refresh(refreshToken: string, { resource, scope }: { resource?: string; scope?: string }) {
      asked.push({ refreshToken, resource, scope });
      return Promise.resolve(outcomes[asked.length - 1] ?? unavailable());
    },
    revoke: () => Promise.resolve(true),
  } as unknown as Provider; // the manager asks for nothing else
  const manager = createTokenManager({
    store: wrap(createMemoryGrantStore(clock)),
    clock,
    events,
    httpTimeoutSeconds: 5,
    redisTimeoutSeconds: 0.5,
    idleTimeoutSeconds: 3600,
  });
  const loginAt = clock.now() / 1000;
  const grant: Grant = { grantId: randomId(), provider, subject: 'alice', loginAt, expiresAt: loginAt + 86_400, confirmedAt: clock.monotonic() };
  await manager.create(grant, { accessToken: 'first', refreshToken: 'rt-1', expiresInSeconds: 100, ...first });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { clock, manager, grant, asked, events: told, token: (wish = {}) => manager.accessToken(grant, wish), settle };
}

describe('a fresh token', () => {
  it('is used as it is', async () => {
    const { token, asked, clock } = await stage({}, []);
    clock.forward(70);
    expect(await token()).toMatchObject({ token: 'first', version: 1 });
    expect(asked).toEqual([]);
  });
});

describe('a token in the last fifth of its life', () => {
  it('is still used, and renewed once in the background', async () => {
    const { token, asked, clock, settle } = await stage({}, [tokens()]);
    clock.forward(85);
    expect((await Promise.all([token(), token(), token()])).map((one) => one.token)).toEqual(['first', 'first', 'first']);
    await settle();
    expect(asked).toHaveLength(1);
    expect(await token()).toMatchObject({ token: 'new', version: 2 });
  });

  it('E12: is used until its end while the server fails, which is asked only once per back-off', async () => {
    const { token, asked, clock, settle, events } = await stage({}, [unavailable(10), tokens()]);
    clock.forward(83); // the last fifth begins up to a tenth of it later
    expect((await token()).token).toBe('first');
    await settle();
    expect(events).toEqual(['refresh.started', 'refresh.failed']);
    clock.forward(5);
    expect((await token()).token).toBe('first');
    await settle();
    expect(asked).toHaveLength(1);
    clock.forward(6);
    expect((await token()).token).toBe('first');
    await settle();
    expect(asked).toHaveLength(2);
    expect((await token()).token).toBe('new');
  });

  it('is not renewed without a refresh token', async () => {
    const { manager, clock } = await stage({}, []);
    const login = { ...(await stage({}, [])).grant, grantId: randomId() };
    await manager.create(login, { accessToken: 'only', expiresInSeconds: 100 });
    clock.forward(90);
    expect((await manager.accessToken({ ...login, confirmedAt: 0 }, {})).token).toBe('only');
  });
});

describe('an expired token', () => {
  it('E13: is replaced; the old refresh token is kept when there is no new one, and replaced when there is', async () => {
    const { token, asked, clock } = await stage({}, [tokens(), tokens({ refreshToken: 'rt-2' }), tokens()]);
    for (let round = 0; round < 3; round += 1) {
      clock.forward(101);
      expect((await token()).token).toBe('new');
    }
    expect(asked.map(({ refreshToken }) => refreshToken)).toEqual(['rt-1', 'rt-1', 'rt-2']);
  });

  it('E10: ends the login when the refresh token is refused', async () => {
    const { token, clock, events } = await stage({}, [{ kind: 'refused', certain: true }]);
    clock.forward(101);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED', status: 401 });
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(events).toContain('refresh.refused');
  });

  it('E8: ends the login at a doubtful refusal only when it comes again after the back-off', async () => {
    const { token, clock, asked } = await stage({}, [
      { kind: 'refused', certain: false },
      { kind: 'refused', certain: false },
    ]);
    clock.forward(101);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', status: 503, retryAfterSeconds: expect.any(Number) });
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    expect(asked).toHaveLength(1);
    clock.forward(2);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(asked).toHaveLength(2);
  });

  it('E11: is asked for once per back-off, which grows and honours Retry-After', async () => {
    const { token, clock, asked } = await stage({}, [unavailable(), unavailable(), unavailable(30), tokens()]);
    clock.forward(101);
    const waits: number[] = [];
    for (let call = 1; call <= 3; call += 1) {
      const before = clock.now();
      while (asked.length < call) {
        await token().catch(() => undefined);
        clock.forward(0.1);
      }
      waits.push((clock.now() - before) / 1000);
    }
    while (asked.length < 4) {
      await token().catch(() => undefined);
      clock.forward(0.1);
    }
    expect(waits[1]).toBeGreaterThanOrEqual(0.7);
    expect(waits[1]).toBeLessThanOrEqual(1.4); // what the error advises to users is no wish of the server
    expect(waits[2]).toBeGreaterThanOrEqual(1.5);
    expect(waits[2]).toBeLessThanOrEqual(2.6);
    expect((await token()).token).toBe('new');
  });

  it('D4: ends the login loudly when the answer names another subject', async () => {
    const { token, clock, events } = await stage({}, [tokens({ claims: { sub: 'bob' } })]);
    clock.forward(101);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(events).toEqual(['refresh.started', 'refresh.subject_mismatch', 'refresh.refused']);
  });

  it('E17: keeps a rotated refresh token although the rest of the answer could not be checked', async () => {
    const error = new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'no keys');
    const { token, clock, asked } = await stage({}, [{ kind: 'unverified', tokens: { accessToken: 'unchecked', refreshToken: 'rt-2' }, error }, tokens()]);
    clock.forward(101);
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    clock.forward(2);
    expect((await token()).token).toBe('new');
    expect(asked.map(({ refreshToken }) => refreshToken)).toEqual(['rt-1', 'rt-2']);
  });

  it('asks for a login when there is no refresh token', async () => {
    const { manager, clock, grant } = await stage({}, []);
    const login = { ...grant, grantId: randomId() };
    await manager.create(login, { accessToken: 'only', expiresInSeconds: 100 });
    clock.forward(101);
    await expect(manager.accessToken(login, {})).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
  });
});

describe('a refused token', () => {
  it('F7: is not served again by the refresh that brought it, whose end its process has not heard of yet', async () => {
    const stored = gate();
    const slowlyStored: Wrap = (store) => {
      const commit = store.commit.bind(store);
      return Object.assign(store, {
        async commit(...given: Parameters<typeof commit>) {
          const answer = await commit(...given);
          await stored.opened;
          return answer;
        },
      });
    };
    const { manager, grant, token, asked, clock, settle } = await stage({}, [tokens({ accessToken: 'second' }), tokens({ accessToken: 'third' })], slowlyStored);
    const first = token({ refusedVersion: 1 });
    await settle();
    clock.forward(2); // the store is asked again
    expect(await manager.accessToken(grant, {})).toMatchObject({ token: 'second', version: 2 });
    const refusing = manager.accessToken(grant, { refusedVersion: 2 });
    stored.open();
    expect(await refusing).toMatchObject({ token: 'third', version: 3 });
    expect(await first).toMatchObject({ token: 'second', version: 2 });
    expect(asked).toHaveLength(2);
  });
});

describe('lifetimes', () => {
  it('E14: without one the token is used until an API refuses it', async () => {
    const { manager, grant, clock, asked } = await stage({}, [{ kind: 'tokens', tokens: { accessToken: 'new' } }]);
    const login = { ...grant, grantId: randomId() };
    await manager.create(login, { accessToken: 'endless', refreshToken: 'rt' });
    clock.forward(3000);
    expect(await manager.accessToken(login, {})).toMatchObject({ token: 'endless', version: 1 });
    expect(await manager.accessToken(login, { refusedVersion: 1 })).toMatchObject({ token: 'new', version: 2 });
    expect(asked).toHaveLength(1);
  });

  it('D7: of zero, the new token is used once and the server is asked once', async () => {
    const { token, clock, asked } = await stage({}, [tokens({ expiresInSeconds: 0 }), tokens()]);
    clock.forward(101);
    expect(await token()).toMatchObject({ token: 'new', version: 2 });
    expect(asked).toHaveLength(1);
    expect(await token()).toMatchObject({ version: 3 });
  });
});

describe('the scope', () => {
  it('D10: stays as it was when a refresh does not name it, and is what the refresh says otherwise', async () => {
    const { manager, grant, clock, token } = await stage({ scope: 'a b' }, [tokens(), tokens({ scope: 'a' }), tokens({ scope: '' })]);
    const scope = async () => (await manager.current(grant)).accessTokens['']?.scope;
    const seen = [await scope()];
    for (let round = 0; round < 3; round += 1) {
      clock.forward(101);
      await token();
      seen.push(await scope());
    }
    expect(seen).toEqual(['a b', 'a b', 'a', '']);
  });
});

describe('several resources', () => {
  it('E18: each has its own token, from the one refresh token', async () => {
    const { token, asked } = await stage({}, [tokens({ accessToken: 'for a', refreshToken: 'rt-2' }), tokens({ accessToken: 'for b' })]);
    expect((await token({ resource: 'https://a.example', scope: 'read' })).token).toBe('for a');
    expect((await token({ resource: 'https://b.example' })).token).toBe('for b');
    expect((await token({ resource: 'https://a.example' })).token).toBe('for a');
    expect((await token()).token).toBe('first');
    expect(asked).toEqual([
      { refreshToken: 'rt-1', resource: 'https://a.example', scope: 'read' },
      { refreshToken: 'rt-2', resource: 'https://b.example', scope: undefined },
    ]);
  });
});

describe('an ended login', () => {
  it('F9: gives no token any more, although this process still holds one', async () => {
    const { manager, token, grant } = await stage({}, []);
    expect(await manager.end(grant.grantId)).toMatchObject({ refreshToken: 'rt-1' });
    await expect(token()).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
  });

  it('F11: a caller that gives up rejects with its own reason', async () => {
    const { token } = await stage({}, []);
    const reason = new Error('enough');
    await expect(token({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

/** A manager over a store that only records; `grant` began so many seconds ago. */
function recording(more: { grantIdleTimeoutSeconds?: number } = {}, answer: ReadAnswer = { kind: 'gone' }) {
  const clock = new HandClock();
  const asked: unknown[][] = [];
  const record = (name: string, value: unknown) => (...given: unknown[]) => {
    asked.push([name, ...given]);
    return Promise.resolve(value);
  };
  const names = ['create', 'renew', 'destroy', 'destroyHashed'] as const;
  const store = { ...Object.fromEntries(names.map((name) => [name, record(name, undefined)])), read: record('read', answer) } as unknown as GrantStore; // all that is used of it
  const manager = createTokenManager({ store, clock, events: createEvents(), httpTimeoutSeconds: 5, redisTimeoutSeconds: 0.5, idleTimeoutSeconds: 3600, ...more });
  const provider = { name: 'default', refresh: () => Promise.reject(new Error('not asked')), revoke: () => Promise.resolve(true) };
  const grant = (ageSeconds = 0, leftSeconds = 86_400): Grant => {
    const now = clock.now() / 1000;
    return { grantId: 'grant', provider, subject: undefined, loginAt: now - ageSeconds, expiresAt: now + leftSeconds, confirmedAt: -Infinity };
  };
  return { clock, asked, manager, grant };
}

describe('the record of a grant', () => {
  it('is created with whose it is, its end and its time', async () => {
    const { manager, asked, grant } = recording();
    const { loginAt, expiresAt } = grant();
    await manager.create(grant(), { accessToken: 'at' });
    await manager.create({ ...grant(), subject: 'alice', registration: 'of the client web' }, { accessToken: 'at', expiresInSeconds: 0.0017 });
    const login = { provider: 'default', loginAt, expiresAt };
    expect(asked).toStrictEqual([
      ['create', 'grant', { accessTokens: { '': { token: 'at' } }, login }, undefined, 7_200_000],
      ['create', 'grant', { accessTokens: { '': { token: 'at', lifetimeSeconds: 0.0017 } }, login: { ...login, subject: 'alice', registration: 'of the client web' } }, 2, 7_200_000],
    ]);
  });

  it.each([
    ['twice the idle time', 0, 7200, undefined, 7_200_000],
    ['no longer than the login', 0, 7199, undefined, 7_199_000],
    ['a second at least', 0, -5, undefined, 1000],
    ['as long as grants are kept, whatever becomes of the session', 0, 10, 500_000, 500_000_000],
  ])('lives %s', async (_name, age, left, grantIdleTimeoutSeconds, keepMs) => {
    const { manager, asked, grant } = recording(grantIdleTimeoutSeconds === undefined ? {} : { grantIdleTimeoutSeconds });
    await manager.create(grant(age, left), { accessToken: 'at' });
    expect(asked[0]?.[4]).toBe(keepMs);
  });

  it('is renewed once in half an idle time, from an idle time after the login on', () => {
    const { manager, asked, grant, clock } = recording();
    manager.keepAlive(grant(3599));
    expect(asked).toEqual([]);
    manager.keepAlive(grant(3600));
    manager.keepAlive(grant(3600));
    expect(asked).toEqual([['renew', 'grant', 7_200_000]]);
    clock.forward(1799);
    manager.keepAlive(grant(3600));
    expect(asked).toHaveLength(1);
    clock.forward(1);
    manager.keepAlive(grant(3600));
    expect(asked).toHaveLength(2);
  });

  it('is not renewed after the end of its login, unless it is kept', () => {
    const { manager, asked, grant } = recording();
    manager.keepAlive(grant(90_000, 0));
    expect(asked).toEqual([]);
    manager.keepAlive(grant(90_000, 0.001));
    expect(asked).toHaveLength(1);
    const kept = recording({ grantIdleTimeoutSeconds: 500_000 });
    kept.manager.keepAlive(kept.grant(90_000, 0));
    expect(kept.asked).toEqual([['renew', 'grant', 500_000_000]]);
  });

  it('tells whose it is, unless it is gone', async () => {
    const login = { provider: 'default', loginAt: 1, expiresAt: 2 };
    const { manager, asked } = recording({}, { kind: 'alive', version: 1, tokens: { login, accessTokens: {} } });
    expect(await manager.loginOf('grant')).toBe(login);
    expect(asked).toEqual([['read', 'grant', '']]);
    expect(await recording({}, { kind: 'ended' }).manager.loginOf('grant')).toBeUndefined();
  });

  it('ends by its hash, too', async () => {
    const { manager, asked } = recording();
    await manager.endHashed(['one', 'other']);
    expect(asked).toEqual([['destroyHashed', ['one', 'other']]]);
  });
});

describe('how often the store is asked', () => {
  const counting = async (first: Partial<TokenResponse> = {}) => {
    let reads = 0;
    const all = await stage(first, [], (store) => {
      const read = store.read.bind(store);
      return Object.assign(store, { read: (...given: Parameters<typeof read>) => ((reads += 1), read(...given)) });
    });
    return { ...all, reads: () => reads };
  };

  it('F8: once a second, for a token that this process holds', async () => {
    const { token, clock, reads } = await counting();
    clock.forward(1);
    await token();
    expect(reads()).toBe(0);
    clock.forward(0.001);
    await token();
    expect(reads()).toBe(1);
    clock.forward(1);
    await token();
    expect(reads()).toBe(1);
  });

  it('not where the session store has vouched for the login just now', async () => {
    const { manager, grant, clock, reads } = await counting();
    clock.forward(50);
    expect(await manager.accessToken({ ...grant, confirmedAt: clock.monotonic() - 1000 }, {})).toMatchObject({ token: 'first' });
    expect(await manager.current({ ...grant, confirmedAt: clock.monotonic() })).toMatchObject({ refreshToken: 'rt-1' });
    expect(reads()).toBe(0);
    await manager.current({ ...grant, confirmedAt: clock.monotonic() - 1001 });
    expect(reads()).toBe(1);
  });
});

describe('close', () => {
  it('starts no refresh any more, and serves what is good', async () => {
    const { manager, token, clock, asked, settle } = await stage({}, []);
    await manager.close(1000);
    clock.forward(85);
    expect((await token()).token).toBe('first');
    await settle();
    clock.forward(20);
    await expect(token()).rejects.toMatchObject({ name: 'StoreError', code: 'ERR_CODE_FLOW_CLOSED', message: expect.stringContaining('shutting down') });
    expect(asked).toEqual([]);
  });
});
