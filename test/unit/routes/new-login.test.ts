import { describe, expect, it } from '@jest/globals';
import type { LoginState } from '../../../lib/session/login-state.js';
import { LoginError } from '../../../lib/errors.js';
import { storeLogin } from '../../../lib/routes/new-login.js';
import { hashId } from '../../../lib/seal.js';
import type { LoginRecord } from '../../../lib/session/login-record.js';
import type { TokenResponse } from '../../../lib/types.js';
import { alice, down, loggedIn, nobody, stage } from './support.js';

const response: TokenResponse = { accessToken: 'at', refreshToken: 'rt', claims: { sub: 'alice', name: 'Alice' } };
const week = 604_800;

async function store(change: Partial<TokenResponse> = {}, answers: object = {}, state: LoginState = nobody, about = {}) {
  const all = stage({}, { ...answers }, about);
  const outcome = await storeLogin(all.settings, all.session(state), all.provider, { ...response, ...change }).then(() => undefined, (error: unknown) => error);
  return { ...all, outcome, names: all.calls.map(([name]) => name), login: all.named('startLogin')[0]?.[0] as LoginRecord, now: all.settings.clock.seconds };
}

describe('a new login', () => {
  it('is a grant first, then a session, and told then', async () => {
    const { login, names, named, told, now, provider, settings } = await store();
    expect(login).toStrictEqual({
      provider: 'default', registration: 'of web', subject: 'alice', claims: { sub: 'alice', name: 'Alice' }, grantId: expect.stringMatching(/^[\w-]{43}$/), loginAt: now, expiresAt: now + week, scope: 'openid',
    });
    expect(names).toEqual(['create', 'startLogin']);
    expect(named('create')).toEqual([[{ ...login, provider, confirmedAt: settings.clock.monotonic() }, response]]);
    expect(told).toEqual([['login.succeeded', { provider: 'default', grant: hashId(login.grantId) }]]);
  });

  it.each<[string, string | undefined, string, string | undefined]>([
    ['what the server granted', 'a', 'openid', 'a'],
    ['what was asked for, where it did not say (RFC 6749 §5.1)', undefined, 'openid b', 'openid b'],
    ['nothing, where it said so', '', 'openid', ''],
    ['unknown, where nothing was asked for', undefined, '', undefined],
  ])('has as its scope %s', async (_name, granted, asked, scope) => {
    const { login } = await store(granted === undefined ? {} : { scope: granted }, {}, nobody, { scope: asked });
    expect(login.scope).toBe(scope);
    expect('scope' in login).toBe(scope !== undefined);
  });

  it('keeps the claims, without those that are checks of this login alone', async () => {
    const checks = { nonce: 'n', at_hash: 'a', c_hash: 'c', s_hash: 's' };
    expect((await store({ claims: { sub: 'alice', groups: ['a'], ...checks } })).login.claims).toStrictEqual({ sub: 'alice', groups: ['a'] });
  });

  it('H4: keeps the session\'s name at the server, if that is text', async () => {
    expect((await store({ claims: { sub: 'alice', sid: 'a sid' } })).login.idpSessionId).toBe('a sid');
    expect((await store({ claims: { sub: 'alice', sid: 7 } })).login).not.toHaveProperty('idpSessionId');
  });

  it('is one where nobody knows who logged in, too', async () => {
    const { claims: _, ...anonymous } = response;
    const all = stage();
    await storeLogin(all.settings, all.session(nobody), all.provider, anonymous);
    const login = all.named('startLogin')[0]?.[0];
    expect(login).toMatchObject({ claims: {} });
    expect(login).not.toHaveProperty('subject');
  });

  it.each([[100, 100], [100.9, 100], [week, week], [week + 1, week], [Infinity, week], [NaN, week], ['100', week]])('C18: lasts as long as the server lets it: %p s from now', async (left, expected) => {
    const { clock } = stage().settings;
    const { login, now } = await store({ claims: { sub: 'alice', session_expiry: typeof left === 'number' ? clock.seconds + left : left } });
    expect(login.expiresAt).toBe(now + expected);
  });

  it('ends the one that was there', async () => {
    const { names, named } = await store({}, {}, loggedIn);
    expect(names).toEqual(['create', 'startLogin', 'end']);
    expect(named('end')).toEqual([[alice.grantId]]);
    expect((await store({}, {}, nobody)).names).not.toContain('end');
  });
});

describe('C5: a login that cannot be stored', () => {
  const takenBack = ['end', 'revoke', 'revoke'];

  it.each<[string, object, string[]]>([
    ['as a grant', { create: down }, ['create']],
    ['as a session', { startLogin: down }, ['create', 'startLogin']],
    ['and not be taken back either', { startLogin: down, end: down, revoke: down }, ['create', 'startLogin']],
  ])('%s is none: its tokens are taken back', async (_name, answers, before) => {
    const { outcome, names, told } = await store({}, answers, loggedIn);
    expect(outcome).toBe(down);
    expect(names.slice(0, before.length + 2)).toEqual([...before, 'end', 'revoke']);
    expect(told).toEqual([]);
  });

  it.each([0, -1])('C18: because the server says that it was over %d s ago', async (left) => {
    const { clock } = stage().settings;
    const { outcome, names } = await store({ claims: { sub: 'alice', session_expiry: clock.seconds + left } });
    expect(outcome).toBeInstanceOf(LoginError);
    expect(outcome).toMatchObject({ code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID', message: expect.stringContaining('session_expiry') });
    expect(names).toEqual(takenBack);
  });

  it('J5: because it is longer than 64 KB', async () => {
    const { login } = await store();
    const length = (filler: string) => JSON.stringify([{ ...login, claims: { sub: 'alice', filler } }, { ...response, claims: { sub: 'alice', filler } }]).length;
    const room = (65_536 - length('')) / 2;
    const fitting = 'x'.repeat(Math.floor(room));
    expect((await store({ claims: { sub: 'alice', filler: fitting } })).outcome).toBeUndefined();
    const { outcome, names } = await store({ claims: { sub: 'alice', filler: `${fitting}x` } });
    expect(outcome).toMatchObject({ name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502, message: expect.stringContaining('64 KB') });
    expect(names).toEqual(takenBack);
  });
});
