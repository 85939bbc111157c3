import { describe, expect, it } from '@jest/globals';
import type { LoginState } from '../../../lib/session/login-state.js';
import { AuthenticationRequiredError, ProviderError } from '../../../lib/errors.js';
import { endReplaced, endSessions, finishLogout, listSessions, logout, logoutRoute, revokeTokens } from '../../../lib/routes/logout.js';
import { hashId } from '../../../lib/seal.js';
import { alice, app, down, fromElsewhere, loggedIn, nobody, page, stage, unknown, visit } from './support.js';

const held = { accessTokens: { '': { token: 'at' } }, refreshToken: 'rt', idToken: 'id' };
const server = { end: held, endSessionUrl: () => new URL('https://id.example.com/logout') };
const grant = hashId('the grant');
const incomplete = { name: 'StoreError', code: 'ERR_CODE_FLOW_LOGOUT_INCOMPLETE', status: 503, message: expect.stringContaining('try again') };

async function out(returnTo: string | undefined, state: LoginState = loggedIn, answers: object = server, change = {}) {
  const all = stage(change, { ...answers });
  const { res, answer } = visit('/logout');
  const outcome = await logout(all.settings, res, all.session(state), returnTo).then(() => undefined, (error: unknown) => error);
  return { ...all, res, outcome, names: all.calls.map(([name]) => name), ...answer() };
}

describe('a logout', () => {
  it('ends the grant, then the session, tells the server, and leads to its logout and from there back', async () => {
    const { names, named, told, status, location } = await out(undefined);
    expect(names).toEqual(['end', 'endSession', 'logout', 'forgetFinished', 'endSessionUrl']);
    expect(named('end')).toEqual([['the grant']]);
    expect(named('logout')).toEqual([[{ accessToken: 'at', refreshToken: 'rt', idToken: 'id' }]]);
    expect(named('endSessionUrl')).toEqual([[{ idTokenHint: 'id', postLogoutRedirectUri: `${app}/bye` }]]);
    expect(told).toEqual([['logout.completed', { provider: 'default', grant }]]);
    expect([status, location]).toEqual([303, 'https://id.example.com/logout']);
  });

  it('keeps for the way back where the app wants to go, and nothing where that is the way back itself', async () => {
    expect((await out('/orders')).location).toBe('https://id.example.com/logout?state=a+state');
    expect((await out('/bye')).location).toBe('https://id.example.com/logout');
    expect((await out('https://evil.example')).location).toBe('https://id.example.com/logout');
  });

  it.each<[string, object]>([
    ['has no logout', { end: held }],
    ['cannot be reached', { end: held, endSessionUrl: new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'down') }],
  ])('leads back at once where the server %s', async (_name, answers) => {
    expect(await out('/orders', loggedIn, answers)).toMatchObject({ outcome: undefined, location: `${app}/orders` });
  });

  it('has the browser drop what the app named, once everything has ended', async () => {
    const change = { clearSiteData: ['storage', 'cache'] };
    expect((await out(undefined, loggedIn, server, change)).res.getHeader('Clear-Site-Data')).toBe('"storage", "cache"');
    expect((await out(undefined, nobody, {}, change)).res.getHeader('Clear-Site-Data')).toBe('"storage", "cache"');
    expect((await out(undefined, loggedIn, { end: down }, change)).res.getHeader('Clear-Site-Data')).toBeUndefined();
  });

  it('of nobody ends what the browser holds all the same', async () => {
    const { names, told, location } = await out('/orders', nobody);
    expect([names, told, location]).toEqual([['endSession', 'forgetFinished'], [], `${app}/orders`]);
  });

  it('of a grant that was gone already tells the server nothing', async () => {
    const { names, named } = await out(undefined, loggedIn, { endSessionUrl: server.endSessionUrl });
    expect(names).not.toContain('logout');
    expect(named('endSessionUrl')).toEqual([[{ idTokenHint: undefined, postLogoutRedirectUri: `${app}/bye` }]]);
  });

  it('C7: ends with its session the grant of the login that took its place', async () => {
    for (const state of [loggedIn, nobody]) {
      expect((await out(undefined, state, { ...server, endSession: { session: 'new', grant: 'of the new' } })).named('endHashed')).toEqual([[['of the new']]]);
    }
  });

  it.each<[string, LoginState, object, string[]]>([
    ['tell who is there', unknown, server, []],
    ['end the grant', loggedIn, { end: down }, ['end']],
    ['end the session', loggedIn, { ...server, endSession: down }, ['end', 'endSession', 'logout']],
    ['end nobody\'s session', nobody, { endSession: down }, ['endSession']],
    ['end the successor', loggedIn, { ...server, endSession: { session: 's', grant: 'g' }, endHashed: down }, ['end', 'endSession', 'logout', 'endHashed']],
  ])('H2: says that it is not complete while the store cannot %s', async (_name, state, answers, expected) => {
    const { outcome, names, told, location } = await out('/orders', state, answers);
    expect(outcome).toMatchObject(incomplete);
    expect([names, told, location]).toEqual([expected, [], undefined]);
  });

  it('fails as itself where it is a mistake of ours', async () => {
    for (const name of ['end', 'endSession']) expect((await out(undefined, loggedIn, { ...server, [name]: new TypeError('a mistake') })).outcome).toBeInstanceOf(TypeError);
  });

  it.each([
    ['ERR_CODE_FLOW_PROVIDER_TIMEOUT', new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'slow')],
    ['ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', new Error('anything')],
  ])('goes on, and says so, where the server takes nothing back: %s', async (code, error) => {
    const { told, location } = await out(undefined, loggedIn, { ...server, logout: error });
    expect(told).toEqual([['logout.revocation_failed', { provider: 'default', grant, code }], ['logout.completed', { provider: 'default', grant }]]);
    expect(location).toBe('https://id.example.com/logout');
  });
});

describe('/logout', () => {
  async function come(more: Parameters<typeof visit>[1], url = '/logout?returnTo=/orders') {
    const all = stage({}, server);
    const { req, res, answer } = visit(url, more);
    const outcome = await logoutRoute(all.settings, req, res, all.session(loggedIn)).then(() => undefined, (error: unknown) => error);
    return { outcome, names: all.calls.map(([name]) => name), ...answer() };
  }
  const own = { ...page, 'sec-fetch-site': 'same-origin' };

  it.each<[string, Parameters<typeof visit>[1]]>([
    ['a POST of our own', { method: 'POST', headers: { origin: app } }],
    ['a link in the app', { headers: own }],
    ['the address bar', { headers: page }],
  ])('ends the login by %s', async (_name, more) => {
    expect(await come(more)).toMatchObject({ status: 303, location: 'https://id.example.com/logout?state=a+state' });
  });

  it('without a way back leads to `afterLogout`', async () => {
    expect((await come({ headers: page }, '/logout')).location).toBe('https://id.example.com/logout');
  });

  it.each<[string, Parameters<typeof visit>[1]]>([
    ['a link elsewhere', { headers: fromElsewhere }],
    ['a sibling domain', { headers: { ...page, 'sec-fetch-site': 'same-site' } }],
    ['an image', { headers: { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' } }],
    ['a frame', { headers: { ...own, 'sec-fetch-dest': 'iframe' } }],
    ['fetch()', { headers: { ...own, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'document' } }],
    ['a browser that does not tell', {}],
    ['a HEAD', { method: 'HEAD', headers: own }],
  ])('H3: asks first, by %s', async (_name, more) => {
    const { names, status, text } = await come(more);
    expect([names, status]).toEqual([[], 200]);
    expect(text).toContain(`action="${app}/logout?returnTo=%2Forders"`);
    expect(text).toContain(`href="${app}/bye"`);
  });

  it('asks for the button without a way back, too', async () => {
    expect((await come({}, '/logout')).text).toContain(`action="${app}/logout"`);
  });

  it('G6: refuses a POST from elsewhere', async () => {
    const { outcome, names } = await come({ method: 'POST', headers: { origin: 'https://evil.example' } });
    expect(outcome).toMatchObject({ code: 'ERR_CODE_FLOW_CROSS_ORIGIN' });
    expect(names).toEqual([]);
  });

  it('A11: ends nothing for a browser that looks ahead', async () => {
    expect(await come({ headers: { ...own, 'sec-purpose': 'prefetch;prerender' } })).toMatchObject({ names: [], status: 503 });
  });
});

describe('the way back from the server', () => {
  it.each([[`${app}/orders`, true], [undefined, false]])('leads on to %p', (take, isAnswered) => {
    const { settings } = stage({}, { take });
    const { req, res, answer } = visit('/bye?state=a');
    expect(finishLogout(settings, req, res)).toBe(isAnswered);
    expect(answer().location).toBe(take);
  });
});

describe('the sessions of a user', () => {
  it('end at the provider that is named, or the first, with their grants', async () => {
    const { settings, calls } = stage({}, { endAll: (_whose: unknown, endGrants: (hashes: string[]) => unknown) => endGrants(['a']) });
    await endSessions(settings, { subject: 'alice' });
    await endSessions(settings, { subject: 'alice', provider: 'other' });
    const end = expect.any(Function);
    expect(calls).toEqual([
      ['endAll', { provider: 'default', subject: 'alice' }, end], ['endHashed', ['a']],
      ['endAll', { provider: 'other', subject: 'alice' }, end], ['endHashed', ['a']],
    ]);
  });

  it.each([undefined, ''])('do not seem to end where the subject is %p', async (subject) => {
    const { settings, calls } = stage();
    await expect(endSessions(settings, { subject } as { subject: string })).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_OPTION_INVALID' });
    expect(calls).toEqual([]);
  });

  it('end one by one', async () => {
    const { settings, calls } = stage();
    await endSessions(settings, { sessionId: 'a name' });
    expect(calls).toEqual([['endOne', 'a name', expect.any(Function)]]);
  });

  it('are listed likewise', async () => {
    const { settings, calls } = stage({}, { list: ['a session'] });
    expect(await listSessions(settings, 'alice', undefined)).toEqual(['a session']);
    await listSessions(settings, 'alice', 'other');
    expect(calls).toEqual([['list', { provider: 'default', subject: 'alice' }], ['list', { provider: 'other', subject: 'alice' }]]);
  });
});

describe('the end of a login that another has replaced', () => {
  const replacing = async (change: Partial<typeof alice>, answers: object = { end: held }) => {
    const all = stage({}, { ...answers });
    const outcome = await endReplaced(all.settings, alice, { ...alice, grantId: 'new', ...change }).then(() => undefined, (error: unknown) => error);
    return { ...all, outcome };
  };

  it('takes its tokens back, of another user or at another provider', async () => {
    for (const change of [{ subject: 'bob' }, { provider: 'other' }]) {
      expect((await replacing(change)).calls).toEqual([['end', 'the grant'], ['revoke', 'rt', 'refresh_token'], ['revoke', 'at', 'access_token']]);
    }
  });

  it('takes back none of the same user: many servers would take the new ones with them', async () => {
    expect((await replacing({})).calls).toEqual([['end', 'the grant']]);
  });

  it('takes back what there is: nothing of a grant that was gone, and a refresh token without an access token', async () => {
    expect(await replacing({ subject: 'bob' }, {})).toMatchObject({ outcome: undefined, calls: [['end', 'the grant']] });
    expect((await replacing({ subject: 'bob' }, { end: { accessTokens: {}, refreshToken: 'rt' } })).calls).toEqual([['end', 'the grant'], ['revoke', 'rt', 'refresh_token']]);
  });

  it('is no failure while the store is down; a mistake of ours is', async () => {
    expect((await replacing({}, { end: down })).outcome).toBeUndefined();
    expect((await replacing({}, { end: new TypeError('a mistake') })).outcome).toBeInstanceOf(TypeError);
  });

  it('tells where the server takes nothing back', async () => {
    const { told } = await replacing({ subject: 'bob' }, { end: held, revoke: new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_ENDED', 'x') });
    expect(told).toEqual([['logout.revocation_failed', { provider: 'default', grant, code: 'ERR_CODE_FLOW_LOGIN_ENDED' }]]);
  });
});

it('revokes what there is, the refresh token first (RFC 7009)', async () => {
  const { provider, calls } = stage();
  await revokeTokens(provider, {});
  await revokeTokens(provider, { accessToken: 'at' });
  await revokeTokens(provider, { refreshToken: 'rt' });
  expect(calls).toEqual([['revoke', 'at', 'access_token'], ['revoke', 'rt', 'refresh_token']]);
});
