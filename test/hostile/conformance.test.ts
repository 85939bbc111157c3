/**
 * The relying-party plans of the OpenID Foundation's conformance suite (basic, configuration, form post, refresh token), told by our own
 * server: each scenario under its module's name, against an app with the whole middleware, as a browser sees it.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import type { ProviderOptions } from '../../lib/types.js';
import { startApp, type Route, type TestApp } from '../support/apps.js';
import { asPage, asScript, createBrowser, type Browser, type Page } from '../support/browser.js';
import { sendJson } from '../support/http.js';
import { answers, startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';


let server: LyingServer;
let app: TestApp;
let browser: Browser;
let other: { jwk: JWK; privateKey: CryptoKey };
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  other = { jwk: { ...(await exportJWK(publicKey)), kid: 'other', alg: 'RS256', use: 'sig' }, privateKey };
});
beforeEach(async () => {
  server = await startLyingServer();
  browser = createBrowser({ secureOnLoopback: true });
});
afterEach(async () => {
  await app.close();
  await server.close();
});

type ResponseMode = 'query' | 'form_post';

async function start(changes: Partial<ProviderOptions> = {}): Promise<void> {
  const userinfo = `${server.issuer}/userinfo`;
  const me: Route = { method: 'GET', path: '/me', handlers: [async (req, res) => sendJson(res, 200, await (await req.oauthFetch(userinfo)).json())] };
  const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret, userInfo: true, ...changes };
  app = await startApp('express5', { routes: [me], options: { provider, apis: [userinfo] } as object });
}

/** The whole login, up to our answer to the callback; `justBefore` the code is redeemed. */
async function login(responseMode: ResponseMode = 'query', justBefore: () => void = () => undefined): Promise<Page> {
  const begun = await browser.get(`${app.baseUrl}/login?returnTo=/private`, asPage);
  if (begun.headers.location === undefined) return begun;
  const { headers } = await browser.get(begun.headers.location, asPage);
  const callback = new URL(headers.location!);
  justBefore();
  if (responseMode === 'query') return browser.get(callback, { ...asPage, from: server.issuer });
  const fields = Object.fromEntries(callback.searchParams);
  callback.search = '';
  return browser.post(callback, fields, { ...asPage, from: server.issuer });
}

const isLoggedIn = async (): Promise<boolean> => (await browser.get(`${app.baseUrl}/private`, asScript)).status === 200;

async function expectLogin(responseMode: ResponseMode): Promise<void> {
  const answer = await login(responseMode);
  expect([answer.status, answer.headers.location]).toEqual([303, `${app.baseUrl}/private`]);
  expect((await browser.get(`${app.baseUrl}/private`, asScript)).json()).toMatchObject({ sub: 'alice', email: 'alice@example.com' });
  expect([server.count('token'), server.count('userinfo')]).toEqual([1, 1]);
}

/** The app's user sees a page with this code, and nobody is logged in; UserInfo is asked only where its answer is the lie. */
async function expectRefusal(responseMode: ResponseMode, code: string, userInfoCalls = 0): Promise<void> {
  const answer = await login(responseMode);
  expect([answer.status, answer.text.includes(code)]).toEqual([400, true]);
  expect(answer.setCookies.filter((line) => line.startsWith('session='))).toEqual([]);
  expect([await isLoggedIn(), server.count('userinfo')]).toEqual([false, userInfoCalls]);
}

const invalid = 'ERR_CODE_FLOW_ID_TOKEN_INVALID';
const claim = (change: (claims: Json) => Json) => () => void (server.makeIdToken = (claims) => server.sign(change(claims)));
const withSignature = (jwt: string): string => jwt.replace(/[^.]+$/, (signature) => `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`);

/** A module: what the server does, and how it ends; without a code, with a login. */
interface Module {
  readonly name: string;
  readonly prepare?: () => void;
  readonly code?: string;
  readonly userInfoCalls?: number;
  readonly also?: () => void;
}

/** oidcc-client-basic-certification-test-plan; the form post plan has the same modules. */
const basic: readonly Module[] = [
  { name: 'oidcc-client-test' },
  { name: 'oidcc-client-test-invalid-iss', prepare: claim((claims) => ({ ...claims, iss: `${String(claims['iss'])}1` })), code: invalid },
  { name: 'oidcc-client-test-missing-sub', prepare: claim(({ sub: _, ...claims }) => claims), code: invalid },
  { name: 'oidcc-client-test-invalid-aud', prepare: claim((claims) => ({ ...claims, aud: `${String(claims['aud'])}1` })), code: invalid },
  { name: 'oidcc-client-test-missing-iat', prepare: claim(({ iat: _, ...claims }) => claims), code: invalid },
  { name: 'oidcc-client-test-kid-absent-single-jwks', prepare: withoutKid },
  {
    name: 'oidcc-client-test-kid-absent-multiple-jwks',
    prepare: () => {
      withoutKid();
      const { kid: _, ...second } = other.jwk;
      server.keys = [...server.keys, second];
    },
    code: invalid, // the suite lets a client try each key, or refuse
  },
  { name: 'oidcc-client-test-idtoken-sig-rs256', prepare: () => void (server.makeIdToken = (claims) => server.sign(claims, { alg: 'RS256' })) },
  { name: 'oidcc-client-test-idtoken-sig-none', prepare: () => void (server.makeIdToken = (claims) => server.signByHand(claims, 'none')), code: invalid },
  { name: 'oidcc-client-test-invalid-sig-rs256', prepare: () => void (server.makeIdToken = async (claims) => withSignature(await server.sign(claims))), code: invalid },
  {
    name: 'oidcc-client-test-userinfo-invalid-sub',
    prepare: () => void (server.answers.userinfo = answers.json({ sub: 'bob', email: 'alice@example.com' })),
    code: 'ERR_CODE_FLOW_SUBJECT_MISMATCH',
    userInfoCalls: 1,
  },
  { name: 'oidcc-client-test-nonce-invalid', prepare: claim((claims) => ({ ...claims, nonce: `${String(claims['nonce'])}1` })), code: invalid },
  {
    name: 'oidcc-client-test-scope-userinfo-claims',
    also: () => {
      expect(server.last('authorize')!.url.searchParams.get('scope')).toBe('openid profile email');
      expect(server.last('userinfo')!.headers.authorization).toBe(`Bearer ${lastSecret('access-token')}`);
    },
  },
  {
    name: 'oidcc-client-test-client-secret-basic',
    also: () => {
      expect(server.last('token')!.headers.authorization).toBe(`Basic ${Buffer.from(`web:${server.clientSecret}`).toString('base64')}`);
      expect(server.last('token')!.body.has('client_secret')).toBe(false);
    },
  },
];

/** Beyond the certification: what else the suite's comprehensive plan tells an ID Token to say. */
const more: readonly Module[] = [
  { name: 'oidcc-client-test-missing-aud', prepare: claim(({ aud: _, ...claims }) => claims), code: invalid },
  { name: 'oidcc-client-test-invalid-sig-hs256', prepare: () => void (server.makeIdToken = (claims) => server.signByHand(claims, 'HS256', server.clientSecret)), code: invalid },
  { name: 'oidcc-client-test-invalid-sig-es256', prepare: () => void (server.makeIdToken = (claims) => server.signByHand(claims, 'ES256', 'no key of ours')), code: invalid },
  { name: 'oidcc-client-test-userinfo-bearer-header', also: () => expect(server.last('userinfo')!.headers.authorization).toMatch(/^Bearer /) },
];

function withoutKid(): void {
  server.keys = server.keys.map(({ kid: _, ...key }) => key);
  server.makeIdToken = (claims) => server.sign(claims, { kid: undefined });
}

const lastSecret = (kind: string): string => [...server.secrets].findLast((secret) => secret.startsWith(`sentinel-${kind}`))!;

async function run({ prepare, code, userInfoCalls, also }: Module, responseMode: ResponseMode): Promise<void> {
  prepare?.();
  await start({ responseMode });
  if (code === undefined) await expectLogin(responseMode);
  else await expectRefusal(responseMode, code, userInfoCalls);
  expect(server.last('authorize')!.url.searchParams.get('response_mode')).toBe(responseMode === 'form_post' ? 'form_post' : null);
  also?.();
}

describe('D1, D2, D5, A14: oidcc-client-basic-certification-test-plan', () => {
  it.each([...basic, ...more].map((module) => [module.name, module] as const))('%s', (_name, module) => run(module, 'query'));
});

describe('oidcc-client-formpost-basic-certification-test-plan', () => {
  it.each(basic.map((module) => [module.name, module] as const))('%s', (_name, module) => run(module, 'form_post'));
});

describe('D3, D6: oidcc-client-config-certification-test-plan', () => {
  it('oidcc-client-test-discovery-openid-config', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, authorization_endpoint: `${server.issuer}/authorize?tenant=7` });
    await start();
    await expectLogin('query');
    expect([server.count('discovery'), server.last('authorize')!.url.searchParams.get('tenant')]).toEqual([1, '7']);
  });

  it('oidcc-client-test-discovery-jwks-uri-keys', async () => {
    await start();
    await expectLogin('query');
    expect(server.count('keys')).toBe(1);
  });

  it('oidcc-client-test-discovery-issuer-mismatch', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, issuer: `${server.issuer}/other` });
    await start();
    const answer = await login();
    expect([answer.status, answer.headers.location, answer.text.includes('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID')]).toEqual([502, undefined, true]);
    expect(server.count('authorize')).toBe(0);
  });

  it('oidcc-client-test-idtoken-sig-none', () => run(basic.find(({ name }) => name.endsWith('sig-none'))!, 'query'));

  it('oidcc-client-test-signing-key-rotation-just-before-signing', async () => {
    await start();
    await expectLogin('query'); // so that the old key is known
    const { status } = await login('query', rotate);
    expect([status, await isLoggedIn(), server.count('keys')]).toEqual([303, true, 2]);
  });

  it('oidcc-client-test-signing-key-rotation', async () => {
    await start();
    await expectLogin('query');
    rotate();
    expect((await login()).status).toBe(303);
    expect([await isLoggedIn(), server.count('keys')]).toEqual([true, 2]);
  });

  function rotate(): void {
    server.keys = [other.jwk];
    server.makeIdToken = (claims) => server.sign(claims, { kid: 'other' }, other.privateKey);
  }
});

describe('D4: oidcc-client-refreshtoken-test-plan', () => {
  /** Logged in with a token that is over at once. */
  async function expired(): Promise<void> {
    server.changeTokenAnswer = (answer) => ({ ...answer, expires_in: 0 });
    await start();
    await expectLogin('query');
    server.changeTokenAnswer = (answer) => answer;
  }

  it('oidcc-client-test-refresh-token', async () => {
    await expired();
    expect((await browser.get(`${app.baseUrl}/me`, asScript)).json()).toMatchObject({ sub: 'alice' });
    expect(server.last('token')!.body.get('grant_type')).toBe('refresh_token');
    expect([server.count('token'), server.count('userinfo')]).toEqual([2, 2]);
    expect(server.last('userinfo')!.headers.authorization).toBe(`Bearer ${lastSecret('access-token')}`);
  });

  it.each<[string, (claims: Json) => Json]>([
    ['issuer', (claims) => ({ ...claims, iss: `${String(claims['iss'])}1` })],
    ['sub', (claims) => ({ ...claims, sub: `${String(claims['sub'])}1` })],
  ])('oidcc-client-test-refresh-token-invalid-%s', async (_name, change) => {
    await expired();
    claim(change)();
    const answer = await browser.get(`${app.baseUrl}/me`, asScript);
    expect([answer.status, answer.json().code]).toEqual([401, 'ERR_CODE_FLOW_LOGIN_ENDED']);
    expect([server.count('token'), server.count('userinfo')]).toEqual([2, 1]);
    expect((await browser.get(`${app.baseUrl}/me`, asScript)).status).toBe(401);
    expect(server.count('token')).toBe(2);
  });
});
