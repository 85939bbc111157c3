import { describe, expect, it } from '@jest/globals';
import type { RequestContext } from '../../../lib/context.js';
import { contextOf, setContext } from '../../../lib/context.js';
import type { LoginParameters, StepUpParameters } from '../../../lib/context.js';
import { loginRoute, startLogin } from '../../../lib/routes/login.js';
import type { RegisteredProvider } from '../../../lib/provider-registry.js';
import type { LoginState } from '../../../lib/session/login-state.js';
import { app, fromElsewhere, loggedIn, nobody, page, stage, visit } from './support.js';

const there = { authorizationUrl: () => new URL('https://id.example.com/auth?x=y') };
const several = { provider: undefined, providers: { default: { issuer: 'https://id.example.com', clientId: 'web' }, other: { issuer: 'https://id2.example.com', clientId: 'web' } } } as never;

interface Begun {
  provider: string; registration: string; redirectUri: string; returnTo: string; startedAt: number; state: string; nonce: string; codeVerifier: string;
}

async function come(url: string, more: Parameters<typeof visit>[1] = {}, change = {}, answers = {}, state: LoginState = nobody) {
  const all = stage(change, { ...there, ...answers });
  const { req, res, answer } = visit(url, { headers: page, ...more });
  await loginRoute(all.settings, req, res, all.session(state));
  return { ...all, ...answer(), begun: all.named('begin')[0]?.[0] as Begun, asked: all.named('authorizationUrl')[0]?.[0] as { parameters: object; redirectUri: string } };
}
async function start(parameters: LoginParameters | StepUpParameters, change = {}, about: Partial<RegisteredProvider> = {}, state: LoginState = nobody, answers = {}) {
  const all = stage(change, { ...there, ...answers }, about);
  const { req, res, answer } = visit('/page');
  setContext(req, {} as RequestContext); // where the provider is noted for the error page
  const session = all.session(state);
  const outcome = await startLogin(all.settings, req, res, session, parameters).then(() => undefined, (error: unknown) => error);
  return { ...all, outcome, ...answer(), noted: contextOf(req)?.loginProvider, begun: all.named('begin')[0]?.[0] as Begun, asked: all.named('authorizationUrl')[0]?.[0] as { parameters: object; redirectUri: string } };
}

describe('/login', () => {
  it('sends the browser to the server, and keeps what the answer needs', async () => {
    const { status, location, begun, asked, settings } = await come('/login?returnTo=/orders%3Flogin%3Drequired');
    expect([status, location]).toEqual([302, 'https://id.example.com/auth?x=y']);
    const id = expect.stringMatching(/^[\w-]{43}$/);
    const secrets = { state: id, nonce: id, codeVerifier: id };
    expect(begun).toStrictEqual({ ...secrets, provider: 'default', registration: 'of web', redirectUri: `${app}/callback`, returnTo: `${app}/orders`, startedAt: settings.clock.seconds });
    expect(asked).toStrictEqual({ state: begun.state, nonce: begun.nonce, codeVerifier: begun.codeVerifier, redirectUri: `${app}/callback`, parameters: {} });
    expect(new Set([begun.state, begun.nonce, begun.codeVerifier]).size).toBe(3);
  });

  it('passes on what the app lets through, where it stands there once', async () => {
    const { asked } = await come('/login?login_hint=bob&prompt=&max_age=5&acr_values=a&acr_values=b&other=x');
    expect(asked.parameters).toEqual({ login_hint: 'bob', max_age: '5' });
  });

  it('leads to `afterLogin` where it names no way back', async () => {
    expect((await come('/login')).begun.returnTo).toBe(`${app}/home`);
  });

  it('goes to the provider that is named, and to one alone', async () => {
    expect((await come('/login?provider=other', {}, several)).begun.provider).toBe('other');
    await expect(come('/login?provider=default&provider=other', {}, several)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_UNKNOWN', message: expect.stringContaining('more than one') });
  });

  it.each<[string, Parameters<typeof visit>[1]]>([
    ['a POST', { method: 'POST' }],
    ['a HEAD', { method: 'HEAD' }],
    ['fetch()', { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } }],
    ['a script that says nothing of where to', { headers: { 'sec-fetch-mode': 'cors' } }],
    ['a frame', { headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' } }],
    ['a frame that says nothing of how', { headers: { 'sec-fetch-dest': 'iframe' } }],
  ])('J1: is not begun by %s', async (_name, more) => {
    await expect(come('/login', more)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_NOT_A_NAVIGATION', message: expect.stringContaining('visiting') });
  });

  it('is begun by a browser that does not tell', async () => {
    expect((await come('/login', { headers: {} })).status).toBe(302);
  });

  it('A11: is not begun by a browser that looks ahead', async () => {
    const { status, calls } = await come('/login', { headers: { ...page, 'sec-purpose': 'prefetch' } });
    expect([status, calls]).toEqual([503, []]);
  });

  it('A17: is not begun by another site where somebody is logged in', async () => {
    const { status, calls } = await come('/login', { headers: fromElsewhere }, {}, {}, loggedIn);
    expect([status, calls]).toEqual([200, []]);
  });
});

describe('C10: a browser that goes round in circles', () => {
  it.each<[string, LoginState, number, boolean]>([
    ['three times without a session', nobody, 3, true],
    ['twice without a session', nobody, 2, false],
    ['four times with one', loggedIn, 4, true],
    ['three times with one', loggedIn, 3, false],
  ])('%s', async (_name, state, times, isRefused) => {
    const { outcome, told, noted } = await start({}, {}, {}, state, { endedLately: Array.from({ length: times }, () => 1) });
    expect(noted).toBe('default');
    if (!isRefused) {
      expect([outcome, told]).toEqual([undefined, []]);
      return;
    }
    expect(outcome).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_LOOP', message: expect.stringContaining(`${times} logins within a minute`) });
    expect(told).toEqual([['login.failed', { code: 'ERR_CODE_FLOW_LOGIN_LOOP', provider: 'default' }]]);
  });

  it('is told without a provider where nobody noted it', async () => {
    const all = stage({}, { ...there, endedLately: [1, 2, 3] });
    const { req, res } = visit('/login', { headers: page });
    await expect(loginRoute(all.settings, req, res, all.session(nobody))).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_LOOP' });
    expect(all.told).toStrictEqual([['login.failed', { code: 'ERR_CODE_FLOW_LOGIN_LOOP' }]]);
  });
});

describe('a login that the app starts', () => {
  it('has its parameters, and no protocol parameter', async () => {
    expect((await start({ authorizationParams: { ui_locales: 'de' } })).asked.parameters).toStrictEqual({ ui_locales: 'de' });
    expect((await start({ authorizationParams: { redirect_uri: 'https://evil.example' } })).outcome).toMatchObject({ message: expect.stringContaining('authorizationParams') });
  });

  it('comes back where no other is asked for to `afterLogin`', async () => {
    expect((await start({})).begun.returnTo).toBe(`${app}/home`);
    expect((await start({ returnTo: 'https://evil.example' })).begun.returnTo).toBe(`${app}/home`);
  });

  it('again asks for the same user, as strong and as fresh as needed, and checks that alone', async () => {
    const { asked, begun } = await start({ subject: 'alice', acrValues: ['gold', 'silver'], maxAgeSeconds: 0, authorizationParams: { max_age: '9', ui_locales: 'de' } });
    expect(asked.parameters).toStrictEqual({ acr_values: 'gold silver', max_age: '0', ui_locales: 'de' });
    expect(begun).toMatchObject({ subject: 'alice', acrValues: ['gold', 'silver'], maxAgeSeconds: 0 });
    const { asked: less, begun: least } = await start({ subject: undefined });
    expect(less.parameters).toStrictEqual({});
    for (const name of ['subject', 'acrValues', 'maxAgeSeconds', 'silent', 'byPost', 'sessionId']) expect(least).not.toHaveProperty(name);
  });

  it.each<[string, object]>([
    ['5', { maxAgeSeconds: 5 }], ['123456789', { maxAgeSeconds: 123_456_789 }],
    ['1234567890', {}], ['-1', {}], ['1.5', {}], ['x1', {}], ['1x', {}], ['', {}],
  ])('checks a max_age of %p', async (text, expected) => {
    const { begun } = await start({ authorizationParams: { max_age: text } });
    expect('maxAgeSeconds' in begun ? { maxAgeSeconds: begun.maxAgeSeconds } : {}).toEqual(expected);
  });

  it.each([['none', true], ['login none', true], ['nonesuch', undefined], ['login', undefined]])('is silent with prompt=%s: %p', async (prompt, silent) => {
    expect((await start({ authorizationParams: { prompt } })).begun).toEqual(expect.objectContaining(silent === undefined ? { nonce: expect.anything() } : { silent }));
    expect('silent' in (await start({ authorizationParams: { prompt } })).begun).toBe(silent === true);
  });
});

describe('C11, C12: the session that the browser will not send along', () => {
  const strict = { session: { sameSite: 'strict' as const } };
  it.each<[string, object, Partial<RegisteredProvider>, LoginState, object]>([
    ['a redirect, Lax', {}, {}, loggedIn, {}],
    ['a redirect, Strict', strict, {}, loggedIn, { sessionId: 'the session' }],
    ['a redirect, Strict, without a session', strict, {}, nobody, {}],
    ['a POST, Lax', {}, { responseMode: 'form_post' }, loggedIn, { byPost: true, sessionId: 'the session' }],
    ['a POST, without a session', {}, { responseMode: 'form_post' }, nobody, { byPost: true }],
  ])('%s', async (_name, change, about, state, expected) => {
    const { begun } = await start({}, change, about, state);
    const { byPost, sessionId } = begun as Begun & { byPost?: boolean; sessionId?: string };
    expect({ ...(byPost === undefined ? {} : { byPost }), ...(sessionId === undefined ? {} : { sessionId }) }).toEqual(expected);
  });
});

describe('A6, RFC 9700 §4.4: where the answer arrives', () => {
  it.each<[string, object, Partial<RegisteredProvider>, boolean, string]>([
    ['one provider', {}, {}, false, '/callback'],
    ['one provider with a path of its own', {}, { callbackPath: '/own' }, false, '/own'],
    ['several, which name themselves', several, {}, true, '/callback'],
    ['several, which do not', several, {}, false, '/callback/default'],
    ['several, with a path of its own', several, { callbackPath: '/own' }, false, '/own'],
    ['several, with the common path, which name themselves', several, { callbackPath: '/callback' }, true, '/callback'],
  ])('%s', async (_name, change, about, promisesIssuer, path) => {
    const { asked, begun } = await start({}, change, about, nobody, { promisesIssuer });
    expect([asked.redirectUri, begun.redirectUri]).toEqual([app + path, app + path]);
  });

  it('is refused where nothing would tell whose it is', async () => {
    const { outcome, calls } = await start({}, several, { callbackPath: '/callback' }, nobody, { promisesIssuer: false });
    expect(outcome).toMatchObject({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_OPTION_CONFLICT', message: expect.stringMatching(/"default".*"\/callback".*RFC 9207.*"\/callback\/default"/) });
    expect(calls.map(([name]) => name)).toEqual(['promisesIssuer']);
  });
});
