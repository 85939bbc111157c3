import { describe, expect, it } from '@jest/globals';
import { contextOf, setContext } from '../../../lib/context.js';
import type { RequestContext } from '../../../lib/context.js';
import { LoginError, ProviderError } from '../../../lib/errors.js';
import type { RegisteredProvider } from '../../../lib/provider-registry.js';
import { callbackRoute } from '../../../lib/routes/callback.js';
import type { LoginTransaction } from '../../../lib/session/login-transaction.js';
import type { LoginState } from '../../../lib/session/login-state.js';
import type { TokenResponse } from '../../../lib/types.js';
import { alice, app, down, fromElsewhere, loggedIn, nobody, page, stage, transaction, unknown, visit } from './support.js';

const tokens: TokenResponse = { accessToken: 'at', refreshToken: 'rt', claims: { sub: 'alice' } };
const found = (change: Partial<LoginTransaction> = {}) => ({ kind: 'found', transaction: transaction(change) });
const working = { find: found(), claim: true, exchangeCode: tokens };
const strict = { session: { sameSite: 'strict' as const } };
const address = '/callback?code=the%20code&state=the+state&iss=x';

interface Way {
  answers?: object; state?: LoginState; change?: object; about?: Partial<RegisteredProvider>; url?: string; more?: Parameters<typeof visit>[1]; withContext?: boolean;
}
async function come({ answers = {}, state = nobody, change = {}, about = {}, url = address, more = { headers: page }, withContext = true }: Way) {
  const all = stage(change, { ...working, ...answers }, about);
  const { req, res, answer } = visit(url, more);
  if (withContext) setContext(req, {} as RequestContext); // where the provider is noted for the error page
  const outcome = await callbackRoute(all.settings, req, res, all.session(state)).then(() => undefined, (error: unknown) => error);
  return { ...all, outcome, code: (outcome as { code?: string } | undefined)?.code, message: (outcome as Error | undefined)?.message, names: all.calls.map(([name]) => name), noted: contextOf(req)?.loginProvider, ...answer() };
}
const byPost = (body = 'code=a&state=b', headers: object = {}): Way => ({ url: '/callback', more: { method: 'POST', body, headers: { ...headers } }, about: { responseMode: 'form_post' } });

describe('the end of a login', () => {
  it('claims it, redeems the code, stores it, and leads to where it began', async () => {
    const { names, named, status, location, noted } = await come({});
    expect(names).toEqual(['find', 'claim', 'exchangeCode', 'create', 'startLogin', 'finish']);
    expect(named('find')).toEqual([['the state']]);
    const [callback, checks] = named('exchangeCode')[0]!;
    expect(callback).toBeInstanceOf(URL);
    expect(String(callback)).toBe(`${app}/callback?code=the+code&state=the+state&iss=x`);
    expect(checks).toStrictEqual({ state: 'the state', nonce: 'the nonce', codeVerifier: 'the verifier' });
    expect([named('claim'), named('finish')]).toEqual([[[transaction()]], [[transaction()]]]);
    expect([status, location, noted]).toEqual([303, `${app}/orders`, 'default']);
  });

  it('checks the age that was asked for', async () => {
    expect((await come({ answers: { find: found({ maxAgeSeconds: 0 }) } })).named('exchangeCode')[0]?.[1]).toMatchObject({ maxAgeSeconds: 0 });
  });

  it('goes without a context, as in plain Node', async () => {
    expect((await come({ withContext: false })).location).toBe(`${app}/orders`);
  });

  it('A12: visited again leads to where it led, with nothing used', async () => {
    expect(await come({ answers: { find: { kind: 'finished', returnTo: `${app}/again` } } })).toMatchObject({ names: ['find'], location: `${app}/again` });
  });

  it('A11: is not brought about by a browser that looks ahead', async () => {
    expect(await come({ more: { headers: { ...page, purpose: 'prefetch' } } })).toMatchObject({ names: [], status: 503 });
  });

  it('A3: is of a login that this browser began', async () => {
    const { code, message, told, names } = await come({ answers: { find: { kind: 'unknown' } } });
    expect([code, names]).toEqual(['ERR_CODE_FLOW_STATE_UNKNOWN', ['find']]);
    expect(message).toContain('this browser');
    expect(told).toStrictEqual([['login.failed', { code: 'ERR_CODE_FLOW_STATE_UNKNOWN' }]]);
  });

  it('tells of a failure with the provider, once that is known, and not of a mistake of ours', async () => {
    const error = new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'slow');
    expect((await come({ answers: { exchangeCode: error } })).told).toStrictEqual([['login.failed', { code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT', provider: 'default' }]]);
    expect((await come({ answers: { exchangeCode: error }, withContext: false })).told).toStrictEqual([['login.failed', { code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT' }]]);
    expect((await come({ answers: { exchangeCode: new TypeError('a mistake') } })).told).toEqual([]);
  });
});

describe('promise 3: while the store cannot tell who was there', () => {
  it('nothing is used up', async () => {
    expect(await come({ state: unknown })).toMatchObject({ outcome: down, names: ['find'] });
  });

  it('C12: the session that the browser could not send is opened by what the login keeps of it', async () => {
    const answers = { find: found({ sessionId: 'kept' }), openById: stage().session(unknown) };
    const { outcome, names, named } = await come({ answers });
    expect([outcome, names, named('openById')]).toEqual([down, ['find', 'openById'], [['kept']]]);
    expect((await come({ answers, state: loggedIn })).names).not.toContain('openById');
  });
});

describe('A2, A6: an answer', () => {
  it.each<[string, Partial<LoginTransaction>]>([['of another registration', { registration: 'of another' }], ['at another address', { redirectUri: `${app}/callback/other` }]])('%s is refused', async (_name, change) => {
    const { code, names, message } = await come({ answers: { find: found(change) } });
    expect([code, names]).toEqual(['ERR_CODE_FLOW_ISSUER_MISMATCH', ['find']]);
    expect(message).toContain('another provider or address');
  });

  it.each<[string, Way, boolean]>([
    ['a POST where one was asked for', byPost(), true],
    ['a POST where a redirect was asked for', { ...byPost(), about: { responseMode: 'query' } }, false],
    ['an error by POST where a redirect was asked for', { ...byPost('error=x&state=b'), about: { responseMode: 'query' } }, false],
    ['a code by redirect where a POST was asked for', { about: { responseMode: 'form_post' } }, false],
    ['an error by redirect where a POST was asked for', { about: { responseMode: 'form_post' }, url: '/callback?error=access_denied&state=b' }, true],
    ['both by redirect where a POST was asked for', { about: { responseMode: 'form_post' }, url: '/callback?error=x&code=c&state=b' }, false],
    ['neither by redirect where a POST was asked for', { about: { responseMode: 'form_post' }, url: '/callback?state=b' }, false],
  ])('comes by the way that was asked for: %s', async (_name, way, isTaken) => {
    const { code, names, message } = await come(way);
    expect([code, names.includes('exchangeCode')]).toEqual([isTaken ? undefined : 'ERR_CODE_FLOW_CALLBACK_INVALID', isTaken]);
    if (!isTaken) expect(message).toMatch(/way that was asked for, (query|form_post)$/);
  });

  it('without a code claims nothing: there is nothing to redeem', async () => {
    expect((await come({ url: '/callback?error=access_denied&state=b' })).names).not.toContain('claim');
  });

  it('A12: of a login that was claimed before leads on who is logged in, and nobody else', async () => {
    const { names, location } = await come({ answers: { claim: false }, state: loggedIn });
    expect([names, location]).toEqual([['find', 'claim'], `${app}/orders`]);
    expect(await come({ answers: { claim: false } })).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_USED', message: expect.stringContaining('before'), names: ['find', 'claim'] });
  });
});

describe('a login that fails', () => {
  const refused = new LoginError('ERR_CODE_FLOW_LOGIN_REFUSED', 'no', { providerError: 'login_required' });

  it('is dropped where it came to nothing, and left alone in an outage', async () => {
    expect((await come({ answers: { exchangeCode: refused } })).names.at(-1)).toBe('drop');
    expect((await come({ answers: { exchangeCode: new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'slow') } })).names).not.toContain('drop');
    expect((await come({ answers: { startLogin: down } })).outcome).toBe(down);
  });

  it('silently leads back with the flag where the user is needed, and to the error else', async () => {
    expect(await come({ answers: { find: found({ silent: true }), exchangeCode: refused } })).toMatchObject({ outcome: undefined, location: `${app}/orders?login=required` });
    expect((await come({ answers: { exchangeCode: refused } })).outcome).toBe(refused);
    const other = new LoginError('ERR_CODE_FLOW_LOGIN_REFUSED', 'no');
    expect((await come({ answers: { find: found({ silent: true }), exchangeCode: other } })).outcome).toBe(other);
  });
});

describe('an answer without `state`', () => {
  const url = '/callback?error=login_required';
  const silent = transaction({ silent: true });

  it.each([url, `${url}&state=`])('leads back where this browser has one silent login: %s', async (at) => {
    const { names, named, location } = await come({ url: at, answers: { findSilent: silent } });
    expect([names, named('drop'), location]).toEqual([['findSilent', 'drop'], [[silent]], `${app}/orders?login=required`]);
  });

  it.each<[string, Way]>([
    ['has none', { url }],
    ['has one that went elsewhere', { url, answers: { findSilent: transaction({ silent: true, redirectUri: `${app}/callback/other` }) } }],
    ['gets another error', { url: '/callback?error=access_denied', answers: { findSilent: silent } }],
    ['gets a code', { url: '/callback?code=a', answers: { findSilent: silent } }],
  ])('is none where it %s', async (_name, way) => {
    const { code, names, message } = await come(way);
    expect(code).toBe('ERR_CODE_FLOW_STATE_MISSING');
    expect(message).toContain('`state`');
    expect(names).not.toContain('drop');
  });
});

describe('a step-up', () => {
  const asked = (change: Partial<LoginTransaction>, claims: TokenResponse['claims'], state: LoginState = nobody, more = {}) => {
    const { claims: _, ...rest } = tokens;
    return come({ answers: { find: found(change), exchangeCode: claims === undefined ? rest : { ...tokens, claims }, ...more }, state });
  };

  it.each<[string, Partial<LoginTransaction>, TokenResponse['claims'], string | undefined]>([
    ['by the same user', { subject: 'alice' }, { sub: 'alice' }, undefined],
    ['by another', { subject: 'alice' }, { sub: 'bob' }, 'ERR_CODE_FLOW_SUBJECT_MISMATCH'],
    ['by nobody known', { subject: 'alice' }, undefined, 'ERR_CODE_FLOW_SUBJECT_MISMATCH'],
    ['as strong as asked for', { acrValues: ['gold', 'silver'] }, { sub: 'alice', acr: 'silver' }, undefined],
    ['weaker', { acrValues: ['gold'] }, { sub: 'alice', acr: 'silver' }, 'ERR_CODE_FLOW_ACR_NOT_MET'],
    ['of unknown strength', { acrValues: ['gold'] }, { sub: 'alice' }, 'ERR_CODE_FLOW_ACR_NOT_MET'],
    ['by nobody known, of unknown strength', { acrValues: ['gold'] }, undefined, 'ERR_CODE_FLOW_ACR_NOT_MET'],
  ])('D8: %s', async (_name, change, claims, expected) => {
    const { code, names, message } = await asked(change, claims);
    expect([code, names.includes('startLogin')]).toEqual([expected, expected === undefined]);
    if (expected !== undefined) expect(message).toMatch(/another user|of the strength/);
  });

  it('that does not count leaves no tokens at the server', async () => {
    const { calls, names } = await asked({ subject: 'alice' }, { sub: 'bob' }, loggedIn, { revoke: new Error('down') });
    expect(calls).toContainEqual(['revoke', 'rt', 'refresh_token']);
    expect(names.at(-1)).toBe('drop');
  });

  it('of the same user that does not count takes back none: the live login\'s would go with them', async () => {
    expect((await asked({ acrValues: ['gold'] }, { sub: 'alice' }, loggedIn)).names).not.toContain('revoke');
    for (const state of [nobody, { kind: 'authenticated', login: { ...alice, provider: 'other' } }, { kind: 'authenticated', login: { ...alice, subject: 'bob' } }] as LoginState[]) {
      expect((await asked({ acrValues: ['gold'] }, { sub: 'alice' }, state)).names).toContain('revoke');
    }
    expect(await asked({ acrValues: ['gold'] }, undefined, loggedIn)).toMatchObject({ code: 'ERR_CODE_FLOW_ACR_NOT_MET', names: expect.arrayContaining(['revoke']) });
  });
});

describe('C12: with SameSite=Strict', () => {
  it('an answer from elsewhere loads itself once more before anything is used', async () => {
    const { names, status, text } = await come({ change: strict, more: { headers: fromElsewhere } });
    expect([names, status]).toEqual([[], 200]);
    expect(text).toContain('content="0"');
  });

  it('an answer by POST is finished, and a page of ours leads on', async () => {
    const { names, text, location } = await come({ ...byPost(undefined, fromElsewhere), change: strict });
    expect([names.at(-1), location]).toEqual(['finish', undefined]);
    expect(text).toContain(`content="0;url=${app}/orders"`);
  });

  it('an answer that comes from here is led on at once; with Lax every answer is', async () => {
    expect((await come({ change: strict })).location).toBe(`${app}/orders`);
    expect((await come({ more: { headers: fromElsewhere } })).location).toBe(`${app}/orders`);
    expect((await come(byPost(undefined, fromElsewhere))).location).toBe(`${app}/orders`);
  });
});
