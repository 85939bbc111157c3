/** `code id_token` (OpenID Connect Core §3.3), in the OpenID way and in that of servers that send the code alone. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPair } from 'jose';
import type { ResolvedProvider } from '../../lib/types.js';
import { answers, startLyingServer, type Answer, type Json, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, redirectUri, rejection } from './client.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

const formPost = { responseType: 'code id_token', responseMode: 'form_post' } as const;

async function refused(changeCallback: (callback: URL) => void = () => undefined, changes: Partial<ResolvedProvider> = formPost): Promise<unknown> {
  const provider = providerFor(server, changes);
  const { callback, checks } = await goToCallback(provider, server);
  changeCallback(callback);
  const error = await rejection(provider.exchangeCode(callback, checks));
  expectNoSecretIn(error, server);
  return error;
}

describe('with form_post', () => {
  it('checks both ID Tokens and redeems the code with our redirect_uri', async () => {
    const provider = providerFor(server, formPost);
    expect(provider.responseMode).toBe('form_post');
    const { callback, checks } = await goToCallback(provider, server);
    const sent = server.last('authorize')!.url.searchParams;
    expect([sent.get('response_type'), sent.get('response_mode'), sent.get('nonce')]).toEqual(['code id_token', 'form_post', checks.nonce]);
    await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ claims: { sub: 'alice', nonce: checks.nonce } });
    expect(server.last('token')!.body.get('redirect_uri')).toBe(redirectUri);
  });

  it('needs no iss parameter: the ID Token says it', async () => {
    const provider = providerFor(server, formPost);
    const { callback, checks } = await goToCallback(provider, server);
    callback.searchParams.delete('iss');
    await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ claims: { sub: 'alice' } });
  });

  const invalid = { name: 'LoginError', code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID', status: 400 };

  it.each<[string, (claims: Json) => Json]>([
    ['the hash of another code', (claims) => ({ ...claims, c_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['no c_hash', ({ c_hash: _, ...claims }) => claims],
    ['another nonce', (claims) => ({ ...claims, nonce: 'other' })],
    ['no nonce', ({ nonce: _, ...claims }) => claims],
    ['iss of another server', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['aud of another client', (claims) => ({ ...claims, aud: 'other' })],
    ['an end in the past', (claims) => ({ ...claims, exp: 1 })],
    ['the hash of another state', (claims) => ({ ...claims, s_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })],
  ])('an ID Token with %s: refused before any token request', async (_name, change) => {
    server.makeFrontIdToken = (claims) => server.sign(change(claims));
    expect(await refused()).toMatchObject(invalid);
    expect(server.count('token')).toBe(0);
  });

  it.each<[string, (claims: Json) => Promise<string> | string]>([
    ['a signature of another key', async (claims) => server.sign(claims, {}, (await generateKeyPair('RS256')).privateKey)],
    ['alg none', (claims) => server.signByHand(claims, 'none')],
    ['HS256 with the client secret', (claims) => server.signByHand(claims, 'HS256', server.clientSecret)],
    ['no JWT', () => 'not-a-jwt'],
  ])('D1: %s: refused before any token request', async (_name, makeIdToken) => {
    server.makeFrontIdToken = makeIdToken;
    expect(await refused()).toMatchObject(invalid);
    expect(server.count('token')).toBe(0);
  });

  it('a code that was put in the place of another: refused', async () => {
    const other = await goToCallback(providerFor(server, formPost), server);
    const code = other.callback.searchParams.get('code')!;
    expect(await refused(({ searchParams }) => searchParams.set('code', code))).toMatchObject(invalid);
    expect(server.count('token')).toBe(0);
  });

  it.each<[string, (claims: Json) => Json]>([
    ['another user', (claims) => ({ ...claims, sub: 'bob' })],
    ['no nonce', ({ nonce: _, ...claims }) => claims],
  ])('an ID Token of the token endpoint with %s: refused (OpenID Connect Core §3.3.3.6)', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    expect(await refused()).toMatchObject(invalid);
  });

  it('no ID Token from the token endpoint: refused', async () => {
    server.changeTokenAnswer = ({ id_token: _, ...answer }) => answer;
    expect(await refused()).toMatchObject(invalid);
  });

  it.each<[string, (callback: URL) => void, object]>([
    ['no ID Token', ({ searchParams }) => searchParams.delete('id_token'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['two ID Tokens', ({ searchParams }) => searchParams.append('id_token', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['no code', ({ searchParams }) => searchParams.delete('code'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['two codes', ({ searchParams }) => searchParams.append('code', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['another state', ({ searchParams }) => searchParams.set('state', 'other'), { code: 'ERR_CODE_FLOW_STATE_UNKNOWN' }],
    ['iss of another server', ({ searchParams }) => searchParams.set('iss', 'https://evil.example'), { code: 'ERR_CODE_FLOW_ISSUER_MISMATCH' }],
    ['an error', ({ searchParams }) => searchParams.set('error', 'access_denied'), { code: 'ERR_CODE_FLOW_LOGIN_REFUSED', providerError: 'access_denied' }],
  ])('an answer with %s: refused before any token request', async (_name, change, expected) => {
    expect(await refused(change)).toMatchObject({ name: 'LoginError', ...expected });
    expect(server.count('token')).toBe(0);
  });

  it.each<[string, Answer, string]>([
    ['are down', answers.text('', 503), 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'],
    ['are no key set', answers.json({ keys: 'none' }), 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'],
  ])('keys that %s: not the user’s fault', async (_name, answer, code) => {
    server.answers.keys = answer;
    expect(await refused()).toMatchObject({ name: 'ProviderError', code });
    expect(server.count('token')).toBe(0);
  });
});

describe('with the code alone in the query', () => {
  const query = { responseType: 'code id_token', responseMode: 'query' } as const;

  it('takes the ID Token from the token endpoint, and checks it', async () => {
    const provider = providerFor(server, query);
    const { callback, checks } = await goToCallback(provider, server);
    const sent = server.last('authorize')!.url.searchParams;
    expect([sent.get('response_type'), sent.has('response_mode')]).toEqual(['code id_token', false]);
    await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ claims: { sub: 'alice', nonce: checks.nonce } });
  });

  it('an ID Token of another key: refused', async () => {
    server.makeIdToken = async (claims) => server.sign(claims, {}, (await generateKeyPair('RS256')).privateKey);
    expect(await refused(undefined, query)).toMatchObject({ code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID' });
  });

  it('an ID Token in the query does not belong there: refused', async () => {
    expect(await refused(({ searchParams }) => searchParams.set('id_token', 'x'), query)).toMatchObject({ code: 'ERR_CODE_FLOW_CALLBACK_INVALID' });
    expect(server.count('token')).toBe(0);
  });
});

it('form_post goes with the plain code as well', async () => {
  const provider = providerFor(server, { responseMode: 'form_post' });
  const { callback, checks } = await goToCallback(provider, server);
  expect(server.last('authorize')!.url.searchParams.get('response_mode')).toBe('form_post');
  await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ claims: { sub: 'alice' } });
});
