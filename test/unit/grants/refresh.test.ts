/** One refresh of one grant: each answer of the server and of the store, and what is told, kept and revoked. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ProviderError, StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import type { CodeFlowEvents } from '../../../lib/events.js';
import type { GrantStore } from '../../../lib/grants/grant-store.js';
import type { KnownPast } from '../../../lib/grants/heal.js';
import { createHeldTokens } from '../../../lib/grants/held-tokens.js';
import type { Known } from '../../../lib/grants/held-tokens.js';
import { createMemoryGrantStore } from '../../../lib/grants/memory-grant-store.js';
import { createRefresher } from '../../../lib/grants/refresh.js';
import type { RefreshRequest } from '../../../lib/grants/refresh-request.js';
import type { RefreshOutcome } from '../../../lib/provider/provider.js';
import { hashId } from '../../../lib/seal.js';
import type { TokenResponse } from '../../../lib/types.js';
import { HandClock } from '../../support/hand-clock.js';

const grantId = 'a grant';
const down = new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store is down');
const unavailable = new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'down');
const tokens = (more: Partial<TokenResponse> = {}): RefreshOutcome => ({ kind: 'tokens', tokens: { accessToken: 'at-2', refreshToken: 'rt-2', expiresInSeconds: 60, ...more } });
const events = ['started', 'committed', 'stale', 'gone', 'refused', 'failed', 'takeover', 'healed', 'subject_mismatch'] as const;

type Meanwhile = (stage: Stage) => unknown;
type Stage = Awaited<ReturnType<typeof createStage>>;

async function createStage(outcome: RefreshOutcome = tokens(), meanwhile: Meanwhile = () => undefined) {
  const clock = new HandClock();
  const store = createMemoryGrantStore(clock);
  const told: [string, string | undefined, number][] = [];
  const hub = createEvents();
  for (const name of events) {
    hub.on(`refresh.${name}`, ({ provider, grant, version, code }: CodeFlowEvents['refresh.started']) => {
      expect([provider, grant]).toEqual(['default', hashId(grantId)]);
      told.push([name, code, version]);
    });
  }
  const asked: unknown[][] = [];
  const revoked: unknown[][] = [];
  const provider: RefreshRequest['provider'] = {
    name: 'default',
    async refresh(...given) {
      asked.push(given);
      await meanwhile(stage);
      return outcome;
    },
    revoke(...given) {
      revoked.push(given);
      return Promise.reject(new Error('the server does not answer'));
    },
  };
  const request: RefreshRequest = { grantId, provider, subject: 'alice', resource: '', scope: undefined, version: 1, keepMs: 1000_000, wait: true };
  const refresher = createRefresher({ store, clock, events: hub, httpTimeoutSeconds: 5, redisTimeoutSeconds: 0.5 });
  const stage = { clock, store, told, asked, revoked, request, refresher };
  await store.create(grantId, { accessTokens: { '': { token: 'at-1', scope: 'a' } }, refreshToken: 'rt-1', idToken: 'id-1' }, 1000, 1000_000);
  return stage;
}

/** What a process knows that was told this. */
function past(clock: HandClock, known: Known): KnownPast {
  const newest = createHeldTokens(clock).remember(grantId, '', known);
  return { newest, resource: '', own: newest };
}

/** The next so many commits do not reach the store, or their answers do not come back. */
function losing({ store }: Pick<Stage, 'store'>, times: number, isLost: 'the commit' | 'its answer' = 'the commit'): { tries: Parameters<GrantStore['commit']>[] } {
  const commit = store.commit.bind(store);
  const tries: Parameters<GrantStore['commit']>[] = [];
  store.commit = async (...given) => {
    const isLate = tries.push(given) > times;
    if (!isLate && isLost === 'the commit') throw down;
    const answer = await commit(...given);
    if (!isLate) throw down;
    return answer;
  };
  return { tries };
}

beforeEach(() => {
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => void jest.restoreAllMocks());

describe('a refresh that works', () => {
  it('asks with what is held, and stores what came, minus the time of the call', async () => {
    const { refresher, request, asked, told, store } = await createStage(tokens(), ({ clock }) => clock.forward(2));
    const owner = expect.any(String);
    const held = { accessTokens: { '': { token: 'at-2', lifetimeSeconds: 60, scope: 'a' } }, refreshToken: 'rt-2', idToken: 'id-1' };
    expect(await refresher.refresh(request)).toStrictEqual({ version: 2, tokens: held, leftMs: 58_000, redeemed: true, owner, spent: 'rt-1' });
    expect(asked).toStrictEqual([['rt-1', { idToken: 'id-1', resource: undefined, scope: undefined, deadline: expect.any(AbortSignal) }]]);
    expect(told).toEqual([['started', undefined, 1], ['committed', undefined, 2]]);
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'alive', version: 2, tokens: held, leftMs: 58_000 });
  });

  it('E18: asks for one resource with its scope', async () => {
    const { refresher, request, asked } = await createStage();
    await refresher.refresh({ ...request, resource: 'https://api.example', scope: 'read' });
    expect(asked).toStrictEqual([['rt-1', { idToken: 'id-1', resource: 'https://api.example', scope: 'read', deadline: expect.any(AbortSignal) }]]);
  });

  it.each([[undefined, undefined], [1, 0]])('E14: whose answer names %p s of life', async (expiresInSeconds, leftMs) => {
    const { refresher, request } = await createStage({ kind: 'tokens', tokens: { accessToken: 'at-2', ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }) } }, ({ clock }) =>
      clock.forward(3),
    );
    expect((await refresher.refresh(request)).leftMs).toBe(leftMs);
  });

  it('takes the place of a process that vanished, and says so', async () => {
    const { refresher, request, told, store, clock } = await createStage();
    await store.acquire({ grantId, resource: '', owner: 'the vanished', version: 1 }, 1000);
    clock.forward(1);
    expect(await refresher.refresh(request)).toMatchObject({ version: 2 });
    expect(told.map(([name]) => name)).toEqual(['takeover', 'started', 'committed']);
  });
});

describe('a refresh that is needless', () => {
  it('because a newer version is there asks no server', async () => {
    const { refresher, request, store, asked, told } = await createStage();
    await store.commit({ grantId, resource: '', owner: 'other', version: 1 }, { tokens: { accessTokens: {} }, newVersion: 2, leftMs: undefined, backOffMs: 0, keepMs: 1000 });
    expect(await refresher.refresh(request)).toMatchObject({ version: 2, redeemed: false });
    expect([asked, told]).toEqual([[], []]);
  });

  it('because there is no refresh token, or no grant, ends in a login', async () => {
    const { refresher, request, store, asked } = await createStage();
    await store.create(grantId, { accessTokens: {} }, undefined, 1000);
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    await store.destroy(grantId);
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(asked).toEqual([]);
  });

  it('because it has ended says so', async () => {
    const { refresher, request, asked } = await createStage({ kind: 'refused', certain: true });
    for (let round = 0; round < 2; round += 1) await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(asked).toHaveLength(1);
  });
});

describe('E10, E11: a refresh that fails', () => {
  it.each<[string, RefreshOutcome, string, unknown[][]]>([
    ['refused for good', { kind: 'refused', certain: true }, 'ERR_CODE_FLOW_LOGIN_ENDED', [['refused', 'ERR_CODE_FLOW_LOGIN_ENDED', 1]]],
    ['refused, perhaps', { kind: 'refused', certain: false }, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', [['failed', 'ERR_CODE_FLOW_LOGIN_ENDED', 1]]],
    ['unanswered', { kind: 'failed', error: unavailable }, 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', [['failed', 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 1]]],
  ])('%s', async (_name, outcome, code, expected) => {
    const { refresher, request, told, revoked } = await createStage(outcome);
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code });
    expect(told).toEqual([['started', undefined, 1], ...expected]);
    expect(revoked).toEqual([]);
  });

  const resource = 'https://api.example';
  it.each<[string, RefreshOutcome, Record<string, string>]>([
    ['of what was asked with it', { kind: 'failed', error: unavailable, aboutResource: true }, { '': 'acquired', [resource]: 'backing off' }],
    ['in words of the server\'s own', { kind: 'refused', certain: false }, { '': 'acquired', [resource]: 'backing off' }],
    ['of nothing in particular', { kind: 'failed', error: unavailable }, { '': 'backing off', [resource]: 'backing off' }],
  ])('E11: with a resource, a refusal %s: who waits', async (_name, outcome, expected) => {
    const { refresher, request, store, clock } = await createStage(outcome);
    await expect(refresher.refresh({ ...request, resource })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    for (const [asked, kind] of Object.entries(expected)) {
      expect([asked, await store.acquire({ grantId, resource: asked, owner: 'other', version: 1 }, 1)]).toEqual([asked, expect.objectContaining({ kind })]);
      clock.forward(0.002); // the lock is over again
    }
  });

  it('E11: a resource\'s refusals make its own pause longer, and no other', async () => {
    const { refresher, request, store, clock } = await createStage({ kind: 'failed', error: unavailable, aboutResource: true });
    const pauseOf = async (of: string): Promise<unknown> => store.acquire({ grantId, resource: of, owner: 'looking', version: 1 }, 1);
    for (const leftMs of [1000, 2000, 4000]) {
      await expect(refresher.refresh({ ...request, resource })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
      expect(await pauseOf(resource)).toEqual({ kind: 'backing off', leftMs });
      clock.forward(leftMs / 1000);
    }
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    expect(await pauseOf('')).toEqual({ kind: 'backing off', leftMs: 1000 });
  });

  it('says how long the server asked to wait', async () => {
    const { refresher, request, store } = await createStage({ kind: 'failed', error: unavailable, retryAfterSeconds: 40 });
    await expect(refresher.refresh(request)).rejects.toMatchObject({ retryAfterSeconds: 40 });
    expect(await store.acquire({ grantId, resource: '', owner: 'other', version: 1 }, 1000)).toEqual({ kind: 'backing off', leftMs: 40_000 });
  });

  it('E9: while a sibling succeeds has its answer', async () => {
    const sibling = { tokens: { accessTokens: { '': { token: 'theirs' } } }, newVersion: 2, leftMs: 5000, backOffMs: 0, keepMs: 1000 };
    const { refresher, request, told } = await createStage({ kind: 'refused', certain: true }, ({ store }) => store.commit({ grantId, resource: '', owner: 'sibling', version: 1 }, sibling));
    expect(await refresher.refresh(request)).toMatchObject({ version: 2, redeemed: false, tokens: sibling.tokens });
    expect(told.map(([name]) => name)).toEqual(['started']);
  });

  it('after a logout asks for a login', async () => {
    const { refresher, request } = await createStage({ kind: 'failed', error: unavailable }, ({ store }) => store.destroy(grantId));
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
  });

  it('whose lock was lost meanwhile ends nothing', async () => {
    const { refresher, request, told } = await createStage({ kind: 'refused', certain: true }, async ({ store, clock }) => {
      clock.forward(100);
      await store.acquire({ grantId, resource: '', owner: 'other', version: 1 }, 1000);
    });
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE' });
    expect(told.map(([name]) => name)).toEqual(['started', 'failed']);
  });
});

describe('D4: somebody else\'s tokens', () => {
  it.each<[string, RefreshOutcome]>([
    ['by the word of the provider', { kind: 'foreign', refreshToken: 'rt-2' }],
    ['by their ID Token', tokens({ claims: { sub: 'bob' } })],
  ])('%s end the login, and are revoked', async (_name, outcome) => {
    const { refresher, request, told, revoked, store } = await createStage(outcome);
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(told.slice(1)).toEqual([['subject_mismatch', undefined, 1], ['refused', 'ERR_CODE_FLOW_SUBJECT_MISMATCH', 1]]);
    expect(revoked).toEqual([['rt-2', 'refresh_token']]);
    expect(await store.read(grantId, '')).toEqual({ kind: 'ended' });
    await refresher.settled();
  });

  it('without a refresh token leave nothing to revoke', async () => {
    const { refresher, request, revoked } = await createStage({ kind: 'foreign', refreshToken: undefined });
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(revoked).toEqual([]);
  });

  it.each([['the same user', 'alice', { sub: 'alice' }], ['nobody to compare with', undefined, { sub: 'bob' }], ['nobody named', 'alice', undefined]])('are not those of %s', async (_name, subject, claims) => {
    const { refresher, request } = await createStage(tokens(claims === undefined ? {} : { claims }));
    expect(await refresher.refresh({ ...request, subject })).toMatchObject({ version: 2 });
  });
});

describe('E17: an answer that could not be checked', () => {
  const unverified: RefreshOutcome = { kind: 'unverified', tokens: { accessToken: 'unchecked', refreshToken: 'rt-2' }, error: unavailable, retryAfterSeconds: 40 };

  it('leaves its refresh token, and the old access token with its end', async () => {
    const { refresher, request, told, store } = await createStage(unverified);
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 40 });
    expect(await store.read(grantId, '')).toStrictEqual({
      kind: 'alive', version: 2, tokens: { accessTokens: { '': { token: 'at-1', scope: 'a' } }, refreshToken: 'rt-2', idToken: 'id-1' }, leftMs: 1000,
    });
    expect(await store.acquire({ grantId, resource: '', owner: 'other', version: 2 }, 1000)).toEqual({ kind: 'backing off', leftMs: 40_000 });
    expect(told).toEqual([['started', undefined, 1], ['committed', undefined, 2], ['failed', 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 1]]);
  });

  it('does not count where a sibling was faster', async () => {
    const sibling = { tokens: { accessTokens: {}, refreshToken: 'theirs' }, newVersion: 2, leftMs: 5000, backOffMs: 0, keepMs: 1000 };
    const { refresher, request, told, revoked } = await createStage(unverified, ({ store }) => store.commit({ grantId, resource: '', owner: 'sibling', version: 1 }, sibling));
    expect(await refresher.refresh(request)).toMatchObject({ version: 2, redeemed: false, tokens: sibling.tokens });
    expect(told.map(([name]) => name)).toEqual(['started', 'stale']);
    expect(revoked).toEqual([]); // theirs may be the same grant at the server
  });
});

describe('E19: a logout while the server works', () => {
  it('revokes the new refresh token, says so, and asks for a login', async () => {
    const { refresher, request, told, revoked } = await createStage(tokens(), ({ store }) => store.destroy(grantId));
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(told).toEqual([['started', undefined, 1], ['gone', undefined, 1]]);
    expect(revoked).toEqual([['rt-2', 'refresh_token']]);
    await refresher.settled();
  });
});

describe('FAULTS 7: a store that fails while the answer is to be stored', () => {
  it('serves the caller from memory, and is tried on as the same owner, with what is left by then', async () => {
    const stage = await createStage();
    const { tries } = losing(stage, 3);
    const refreshed = await stage.refresher.refresh(stage.request);
    expect(refreshed).toMatchObject({ version: 2, redeemed: true, leftMs: 60_000 });
    expect(stage.told.map(([name]) => name)).not.toContain('committed');
    await stage.refresher.settled();
    expect(tries.map(([{ owner }]) => owner)).toEqual(Array.from({ length: 4 }, () => refreshed.owner));
    expect(tries.map(([, { leftMs }]) => leftMs)).toEqual([60_000, 59_950, 59_900, 59_850]);
    expect(stage.told.filter(([name]) => name === 'committed')).toEqual([['committed', undefined, 2]]);
  });

  it('is tried on for as long as a request to the server may take, and no longer', async () => {
    const stage = await createStage();
    const { tries } = losing(stage, 1000);
    const before = stage.clock.monotonic();
    await stage.refresher.refresh(stage.request);
    await stage.refresher.settled();
    expect([tries.length, stage.clock.monotonic() - before]).toEqual([101, 5000]);
  });

  it('E6: has taken the commit whose answer was lost: once is enough', async () => {
    const stage = await createStage();
    losing(stage, 1, 'its answer');
    expect(await stage.refresher.refresh(stage.request)).toMatchObject({ version: 2, redeemed: true });
    await stage.refresher.settled();
    expect(stage.told.at(-1)).toEqual(['committed', undefined, 2]);
  });

  it('fails loudly where it is a mistake of ours', async () => {
    const stage = await createStage();
    stage.store.commit = () => Promise.reject(new TypeError('a mistake'));
    await expect(stage.refresher.refresh(stage.request)).rejects.toThrow(TypeError);
  });

  it('FAULTS 19: and went back in time meanwhile gets the new tokens all the same', async () => {
    const back = { accessTokens: {}, refreshToken: 'rt-0' };
    const stage = await createStage(tokens(), ({ store }) => store.create(grantId, back, undefined, 1000));
    const ahead = { tokens: { accessTokens: {}, refreshToken: 'rt-1' }, newVersion: 5, leftMs: undefined, backOffMs: 0, keepMs: 1000 };
    await stage.store.commit({ grantId, resource: '', owner: 'other', version: 1 }, ahead);
    expect(await stage.refresher.refresh({ ...stage.request, version: 5 })).toMatchObject({ version: 6, redeemed: true });
    expect(await stage.store.read(grantId, '')).toMatchObject({ version: 6, tokens: { refreshToken: 'rt-2' } });
  });
});

describe('the lease', () => {
  it('E3: outlasts the call to the server and two commands to the store', async () => {
    const { refresher, request } = await createStage(tokens(), async ({ store }) => {
      expect(await store.acquire({ grantId, resource: '', owner: 'other', version: 1 }, 1000)).toEqual({ kind: 'busy', leftMs: 10_000 });
    });
    await refresher.refresh(request);
  });

  it('is not waited for once this process shuts down', async () => {
    const { refresher, request, store } = await createStage();
    await store.acquire({ grantId, resource: '', owner: 'other', version: 1 }, 5000);
    refresher.close();
    await expect(refresher.refresh(request)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_TOKEN_UNAVAILABLE', retryAfterSeconds: 5 });
  });
});

describe('FAULTS 19: healing', () => {
  const known = { version: 3, tokens: { accessTokens: { '': { token: 'at-3' } }, refreshToken: 'rt-3' }, leftMs: 5000.4 };

  it('puts the lost version back under its number, and says so', async () => {
    const { clock, refresher, request, store, told } = await createStage();
    await refresher.heal(request, past(clock, known));
    expect(await store.read(grantId, '')).toStrictEqual({ kind: 'alive', version: 3, tokens: known.tokens, leftMs: 5000 });
    expect(told).toEqual([['healed', undefined, 3]]);
  });

  it.each([[-5, 0], [undefined, undefined]])('with %p ms left of it', async (leftMs, expected) => {
    const { refresher, request, store, clock } = await createStage();
    clock.forward(2); // what the store shows ended a second ago
    const { leftMs: _, ...rest } = known;
    await refresher.heal(request, past(clock, leftMs === undefined ? rest : { ...rest, leftMs }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 3, tokens: known.tokens });
    expect(((await store.read(grantId, '')) as { leftMs?: number }).leftMs).toBe(expected);
  });

  it('leaves the tokens of a later line, above the number that was lost, with their end', async () => {
    const { clock, refresher, request, store } = await createStage();
    await refresher.heal(request, past(clock, { ...known, leftMs: 999 }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 4, tokens: { refreshToken: 'rt-1' }, leftMs: 1000 });
  });

  it('takes the tokens that end at the same instant for the ones that were there', async () => {
    const { clock, refresher, request, store } = await createStage();
    await refresher.heal(request, past(clock, { ...known, leftMs: 1000 }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 3, tokens: known.tokens });
  });

  it('of the same number keeps what the store shows: somebody was redeemed since', async () => {
    const { clock, refresher, request, store } = await createStage();
    await refresher.heal(request, past(clock, { ...known, version: 1, leftMs: 5000 }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 2, tokens: { refreshToken: 'rt-1' } });
  });

  it('is over where the store has caught up, and starts anew where it shows another old version', async () => {
    const { clock, refresher, request, store, told } = await createStage();
    const commit = (version: number, newVersion: number) =>
      store.commit({ grantId, resource: '', owner: 'other', version }, { tokens: { accessTokens: {}, refreshToken: 'theirs' }, newVersion, leftMs: 1, backOffMs: 0, keepMs: 1000 });
    await commit(1, 2);
    await refresher.heal(request, past(clock, known));
    expect(await store.read(grantId, '')).toMatchObject({ version: 3, tokens: known.tokens });
    await commit(3, 4);
    await refresher.heal({ ...request, version: 3 }, past(clock, known));
    expect(await store.read(grantId, '')).toMatchObject({ version: 4, tokens: { refreshToken: 'theirs' } });
    expect(told).toEqual([['healed', undefined, 3]]);
  });

  it('after a logout revokes what only this process knew, be it before the lock or after', async () => {
    const { clock, refresher, request, store, revoked, told } = await createStage();
    const acquire = store.acquire.bind(store);
    store.acquire = async (...given) => {
      const answer = await acquire(...given);
      await store.destroy(grantId);
      return answer;
    };
    for (let round = 0; round < 2; round += 1) await expect(refresher.heal(request, past(clock, known))).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' });
    expect(revoked).toEqual([['rt-3', 'refresh_token'], ['rt-3', 'refresh_token']]);
    expect(told).toEqual([]);
  });

  it('of an ended login says that it has ended', async () => {
    const { clock, refresher, request, told } = await createStage({ kind: 'refused', certain: true });
    await refresher.refresh(request).catch(() => undefined);
    await expect(refresher.heal(request, past(clock, known))).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    expect(told.map(([name]) => name)).not.toContain('healed');
  });

  it('goes on as the owner of the commit that was lost: if that is still under way, it is the same one', async () => {
    const { clock, refresher, request, store } = await createStage();
    await store.acquire({ grantId, resource: '', owner: 'mine', version: 1 }, 60_000);
    await refresher.heal({ ...request, wait: false }, past(clock, { ...known, owner: 'mine' }));
    expect(await store.read(grantId, '')).toMatchObject({ version: 3 });
  });
});
