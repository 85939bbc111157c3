/** The emulators hold the suites of the systems up: each answers what its document says, and refuses what departs from it. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AidboxAuth } from '../support/servers/aidbox-auth.js';
import { AidboxOAuth2 } from '../support/servers/aidbox-oauth2.js';
import { AritmaId } from '../support/servers/aritma-id.js';
import { AtHoc } from '../support/servers/athoc.js';
import { IdentityHub } from '../support/servers/identity-hub.js';
import type { StrictServer } from '../support/servers/strict-server.js';

type Parameters = Record<string, string | undefined>;

interface TokenRequest {
  path: string;
  format: 'form' | 'json';
  headers?: Record<string, string>;
  body: Parameters;
}

interface System {
  make: () => StrictServer;
  authorizePath: string;
  authorize: Parameters;
  /** With `code` and `refresh_token` put in. */
  token: TokenRequest;
  refresh?: TokenRequest;
  /** The fields of the token response, in the document's order. */
  answer: readonly string[];
  refreshAnswer?: readonly string[];
  authorizeDepartures: Record<string, Parameters>;
  tokenDepartures: Record<string, Omit<Partial<TokenRequest>, 'body'> & { body?: Parameters }>;
}

const redirectUri = 'http://127.0.0.1:9/callback';
const verifier = 'a'.repeat(43);
const pkce = { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' };
const basics = { response_type: 'code', client_id: 'web', redirect_uri: redirectUri, state: 'a state' };
const basic = (id: string, secret: string) => ({ Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });
const codeRequest = { grant_type: 'authorization_code', client_id: 'web', redirect_uri: redirectUri, code: '' };

const systems: Record<string, System> = {
  'Aritma ID': {
    make: () => new AritmaId(),
    authorizePath: '/acme/connect/authorize',
    authorize: { ...basics, ...pkce, scope: 'openid offline_access banking.ais.read' },
    token: { path: '/acme/connect/token', format: 'form', body: { ...codeRequest, code_verifier: verifier, client_secret: new AritmaId().clientSecret } },
    refresh: { path: '/acme/connect/token', format: 'form', body: { grant_type: 'refresh_token', client_id: 'web', client_secret: new AritmaId().clientSecret } },
    answer: ['access_token', 'refresh_token', 'id_token', 'token_type', 'expires_in'],
    refreshAnswer: ['access_token', 'token_type', 'expires_in', 'scope'],
    authorizeDepartures: {
      'no scope': { scope: undefined },
      'acr_values=mfa without prompt=login': { acr_values: 'mfa' },
      'another prompt': { prompt: 'consent' },
      'another response type': { response_type: 'code id_token' },
      'a parameter that is not in the document': { max_age: '1' },
    },
    tokenDepartures: {
      JSON: { format: 'json' },
      'a trailing slash': { path: '/acme/connect/token/' },
      'another tenant': { path: '/other/connect/token' },
      'no redirect_uri': { body: { redirect_uri: undefined } },
      'another redirect_uri': { body: { redirect_uri: `${redirectUri}/` } },
      'the secret twice': { headers: basic('web', new AritmaId().clientSecret) },
      'no secret': { body: { client_secret: undefined } },
      'another verifier': { body: { code_verifier: 'b'.repeat(43) } },
    },
  },
  'Aidbox /oauth2': {
    make: () => new AidboxOAuth2(),
    authorizePath: '/oauth2/authorize',
    authorize: { ...basics, scope: 'openid', response_type: 'code id_token' },
    token: { path: '/oauth2/token', format: 'json', body: { ...codeRequest, client_secret: new AidboxOAuth2().clientSecret } },
    answer: ['access_token', 'token_type', 'id_token'],
    authorizeDepartures: {
      'an id_token without openid': { scope: 'profile' },
      'no response type': { response_type: undefined },
      'a parameter that is not in the document': { prompt: 'login' },
    },
    tokenDepartures: {
      'a form-encoded body without HTTP Basic': { format: 'form' },
      'HTTP Basic with JSON': { headers: basic('web', new AidboxOAuth2().clientSecret) },
      'the secret in a form': { format: 'form', headers: basic('web', new AidboxOAuth2().clientSecret) },
      'no redirect_uri': { body: { redirect_uri: undefined } },
      'no secret': { body: { client_secret: undefined } },
    },
  },
  'The Identity Hub': {
    make: () => new IdentityHub(),
    authorizePath: '/acme/oauth2/v1/auth/',
    authorize: { ...basics, ...pkce, scope: 'openid' },
    token: { path: '/acme/oauth2/v1/token/', format: 'form', body: { ...codeRequest, code_verifier: verifier, client_secret: new IdentityHub().clientSecret } },
    refresh: { path: '/acme/oauth2/v1/token/', format: 'form', body: { grant_type: 'refresh_token', client_id: 'web', client_secret: new IdentityHub().clientSecret } },
    answer: ['access_token', 'token_type', 'expires_in', 'scope', 'refresh_token', 'id_token'],
    refreshAnswer: ['access_token', 'token_type', 'expires_in', 'scope', 'refresh_token'],
    authorizeDepartures: { 'no scope': { scope: undefined }, 'a nonce without openid': { scope: 'profile', nonce: 'n' }, 'plain PKCE': { code_challenge_method: 'plain' } },
    tokenDepartures: {
      JSON: { format: 'json' },
      'no trailing slash': { path: '/acme/oauth2/v1/token' },
      'HTTP Basic': { headers: basic('web', new IdentityHub().clientSecret), body: { client_secret: undefined } },
      'no redirect_uri': { body: { redirect_uri: undefined } },
      'no verifier': { body: { code_verifier: undefined } },
    },
  },
  'BlackBerry AtHoc': {
    make: () => new AtHoc(),
    authorizePath: '/AuthServices/Auth/connect/authorize',
    authorize: { ...basics, ...pkce, scope: 'openid profile athoc.iws.web.api offline_access', acr_values: 'tenant:red' },
    token: { path: '/AuthServices/Auth/connect/token', format: 'json', body: { ...codeRequest, code_verifier: verifier } },
    refresh: { path: '/AuthServices/Auth/connect/token', format: 'json', body: { grant_type: 'refresh_token', client_id: 'web' } },
    answer: ['expires_in', 'token_type', 'refresh_token', 'access_token'],
    refreshAnswer: ['expires_in', 'token_type', 'refresh_token', 'access_token'],
    authorizeDepartures: {
      'no organisation': { acr_values: undefined },
      'no PKCE': { code_challenge: undefined },
      'another scope': { scope: 'openid' },
      'no state': { state: undefined },
      'a parameter that is not in the document': { nonce: 'n' },
    },
    tokenDepartures: {
      'a form-encoded body': { format: 'form' },
      'a secret': { body: { client_secret: 'secret' } },
      'HTTP Basic': { headers: basic('web', 'secret') },
      'no redirect_uri': { body: { redirect_uri: undefined } },
      'no verifier': { body: { code_verifier: undefined } },
    },
  },
  'Aidbox /auth with a secret': {
    make: () => new AidboxAuth(),
    authorizePath: '/auth/authorize',
    authorize: basics,
    token: { path: '/auth/token', format: 'json', body: { ...codeRequest, redirect_uri: undefined, client_secret: new AidboxAuth().clientSecret } },
    refresh: { path: '/auth/token', format: 'json', body: { grant_type: 'refresh_token', client_id: 'web', client_secret: new AidboxAuth().clientSecret } },
    answer: ['token_type', 'expires_in', 'access_token', 'refresh_token', 'userinfo'],
    refreshAnswer: ['access_token', 'token_type', 'expires_in'],
    authorizeDepartures: { 'a scope': { scope: 'openid' }, 'a nonce': { nonce: 'n' }, 'another redirect_uri': { redirect_uri: `${redirectUri}/` } },
    tokenDepartures: {
      'a form-encoded body': { format: 'form' },
      'HTTP Basic': { headers: basic('web', new AidboxAuth().clientSecret), body: { client_secret: undefined } },
      'a redirect_uri': { body: { redirect_uri: redirectUri } },
      'no secret': { body: { client_secret: undefined } },
      'a verifier without a challenge': { body: { code_verifier: verifier } },
    },
  },
  'Aidbox /auth with PKCE': {
    make: () => new AidboxAuth({ secretRequired: false }),
    authorizePath: '/auth/authorize',
    authorize: { ...basics, ...pkce },
    token: { path: '/auth/token', format: 'json', body: { ...codeRequest, redirect_uri: undefined, code_verifier: verifier } },
    refresh: { path: '/auth/token', format: 'json', body: { grant_type: 'refresh_token', client_id: 'web' } },
    answer: ['token_type', 'expires_in', 'access_token', 'refresh_token', 'userinfo'],
    refreshAnswer: ['access_token', 'token_type', 'expires_in'],
    authorizeDepartures: { 'no challenge': { code_challenge: undefined }, 'plain PKCE': { code_challenge_method: 'plain' } },
    tokenDepartures: { 'a secret': { body: { client_secret: 'secret' } }, 'no verifier': { body: { code_verifier: undefined } } },
  },
};

const present = (parameters: Parameters) => Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)) as Record<string, string>;

describe.each(Object.entries(systems))('the emulator of %s', (_name, system) => {
  let server: StrictServer;
  beforeEach(async () => {
    server = await system.make().start();
    server.registerRedirectUri(redirectUri);
  });
  afterEach(() => server.stop());

  async function authorize(change: Parameters = {}): Promise<Response> {
    const query = new URLSearchParams(present({ ...system.authorize, ...change }));
    return fetch(`${server.origin}${system.authorizePath}?${query.toString()}`, { method: 'POST', body: new URLSearchParams({ username: 'alice' }), redirect: 'manual' });
  }

  async function code(): Promise<string> {
    const location = new URL((await authorize()).headers.get('location') ?? '');
    expect([...location.searchParams.keys()]).toEqual(['code', 'state']);
    return location.searchParams.get('code')!;
  }

  async function send({ path, format, headers = {}, body }: TokenRequest, change: (typeof system)['tokenDepartures'][string] = {}): Promise<Response> {
    const fields = present({ ...body, ...change.body });
    const isJson = (change.format ?? format) === 'json';
    const type = isJson ? { 'Content-Type': 'application/json' } : {};
    const text = isJson ? JSON.stringify(fields) : new URLSearchParams(fields);
    return fetch(server.origin + (change.path ?? path), { method: 'POST', headers: { ...type, ...headers, ...change.headers }, body: text });
  }

  const redeem = async (change = {}) => send({ ...system.token, body: { ...system.token.body, code: await code() } }, change);

  it('answers what the document says', async () => {
    const answer = await redeem();
    const tokens = (await answer.json()) as Record<string, string>;
    expect([answer.status, Object.keys(tokens)]).toEqual([200, system.answer]);
    if (system.refresh !== undefined) {
      const refreshed = await send({ ...system.refresh, body: { ...system.refresh.body, refresh_token: tokens['refresh_token'] } });
      expect([refreshed.status, Object.keys((await refreshed.json()) as object)]).toEqual([200, system.refreshAnswer]);
    }
    expect(server.refusals).toEqual([]);
  });

  it.each(Object.entries(system.authorizeDepartures))('refuses an authorization request with %s', async (_departure, change) => {
    const answer = await authorize(change);
    expect(answer.headers.get('location') ?? '').not.toContain('code=');
    expect(server.refusals).toHaveLength(1);
  });

  it.each(Object.entries(system.tokenDepartures))('refuses a token request with %s', async (_departure, change) => {
    const answer = await redeem(change);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(await answer.text()).not.toContain('access_token');
    expect(server.refusals).toHaveLength(1);
  });

  it('refuses a code that was redeemed before, and whatever the document does not have', async () => {
    const spent = await code();
    const request = { ...system.token, body: { ...system.token.body, code: spent } };
    expect([(await send(request)).status, (await send(request)).status]).toEqual([200, 400]);
    expect((await fetch(`${server.origin}/.well-known/openid-configuration`)).status).toBe(404);
    expect(server.refusals).toHaveLength(2);
  });

  it('lets nobody in whom it does not know, and no token into the API that has ended', async () => {
    const { access_token: token } = (await (await redeem()).json()) as { access_token: string };
    const call = async (header: string) => (await fetch(`${server.apiUrl}whoami`, { headers: { Authorization: header } })).status;
    expect([await call(`Bearer ${token}`), await call('Bearer other'), await call(token)]).toEqual([200, 401, 401]);
    server.expireAccessTokens();
    expect(await call(`Bearer ${token}`)).toBe(401);
    const stranger = await fetch(`${server.origin}${system.authorizePath}?${new URLSearchParams(present(system.authorize)).toString()}`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'stranger' }),
      redirect: 'manual',
    });
    expect([stranger.status === 302, server.refusals]).toEqual([false, []]);
  });
});
