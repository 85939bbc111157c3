/** ID Tokens that do not say, or do not prove, what they should (THREATS D). */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { exportSPKI, generateKeyPair, importJWK, type CryptoKey } from 'jose';
import type { ResolvedProvider, TokenResponse } from '../../lib/types.js';
import { answers, startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, rejection } from './client.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

const now = (): number => Math.floor(Date.now() / 1000);
const invalid = { name: 'LoginError', code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID', status: 400 };

async function login(changes: Partial<ResolvedProvider> = {}, maxAgeSeconds?: number): Promise<TokenResponse> {
  const provider = providerFor(server, changes);
  const { callback, checks } = await goToCallback(provider, server);
  return provider.exchangeCode(callback, maxAgeSeconds === undefined ? checks : { ...checks, maxAgeSeconds });
}

async function expectRefused(expected: object, changes: Partial<ResolvedProvider> = {}, maxAgeSeconds?: number): Promise<Error> {
  const error = await rejection(login(changes, maxAgeSeconds));
  expect(error).toMatchObject(expected);
  expectNoSecretIn(error, server);
  return error as Error;
}

describe('claims', () => {
  it.each<[string, (claims: Json) => Json]>([
    ['iss of another server', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['no iss', ({ iss: _, ...claims }) => claims],
    ['aud of another client', (claims) => ({ ...claims, aud: 'other' })],
    ['no aud', ({ aud: _, ...claims }) => claims],
    ['a second audience without azp', (claims) => ({ ...claims, aud: ['web', 'other'] })],
    ['azp of another client', (claims) => ({ ...claims, aud: ['web', 'other'], azp: 'other' })],
    ['no sub', ({ sub: _, ...claims }) => claims],
    ['sub that is a number', (claims) => ({ ...claims, sub: 7 })],
    ['no iat', ({ iat: _, ...claims }) => claims],
    ['no exp', ({ exp: _, ...claims }) => claims],
    ['exp in the past', (claims) => ({ ...claims, exp: now() - 120 })],
    ['exp as a text', (claims) => ({ ...claims, exp: '9999999999' })],
    ['nbf in the future', (claims) => ({ ...claims, nbf: now() + 120 })],
    ['A14: another nonce', (claims) => ({ ...claims, nonce: 'other' })],
    ['A14: no nonce', ({ nonce: _, ...claims }) => claims],
  ])('%s: refused', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    await expectRefused(invalid);
  });

  it('an audience in a list is fine', async () => {
    server.makeIdToken = (claims) => server.sign({ ...claims, aud: ['web'] });
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
  });

  it('no ID Token at all: refused when openid was asked for', async () => {
    server.changeTokenAnswer = ({ id_token: _, ...answer }) => answer;
    await expectRefused(invalid);
  });

  it('names the claim, not its value', async () => {
    server.makeIdToken = (claims) => server.sign({ ...claims, aud: 'sentinel-audience' });
    const error = await expectRefused(invalid);
    expect(error.message).toContain('(aud)');
    expect(error.message).not.toContain('sentinel');
  });

  it.each<[string, (claims: Json) => Json]>([
    ['is too old', (claims) => ({ ...claims, auth_time: now() - 600 })],
    ['is not told', ({ auth_time: _, ...claims }) => claims],
  ])('D8: with max_age, a login that %s is refused', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    await expectRefused(invalid, {}, 60);
  });
});

describe('signatures (D1)', () => {
  let strangerKey: CryptoKey;
  beforeEach(async () => {
    strangerKey = (await generateKeyPair('RS256')).privateKey;
  });

  it('a signature of another key: refused', async () => {
    server.makeIdToken = (claims) => server.sign(claims, {}, strangerKey);
    await expectRefused(invalid);
  });

  it('changed claims under an old signature: refused', async () => {
    server.makeIdToken = async (claims) => {
      const [header, , signature] = (await server.sign(claims)).split('.');
      return [header, Buffer.from(JSON.stringify({ ...claims, sub: 'bob' })).toString('base64url'), signature].join('.');
    };
    await expectRefused(invalid);
  });

  it.each(['none', 'None', 'NONE'])('alg %s: refused, also when the metadata allows it', async (alg) => {
    server.changeMetadata = (metadata) => ({ ...metadata, id_token_signing_alg_values_supported: ['RS256', alg] });
    server.makeIdToken = (claims) => server.signByHand(claims, alg);
    await expectRefused(invalid);
  });

  it('HS256 with the public key, also when the metadata allows HS256: refused', async () => {
    const publicKey = (await importJWK(server.keys[0]!)) as CryptoKey;
    const pem = await exportSPKI(publicKey);
    server.changeMetadata = (metadata) => ({ ...metadata, id_token_signing_alg_values_supported: ['RS256', 'HS256'] });
    server.makeIdToken = (claims) => server.signByHand(claims, 'HS256', pem);
    await expectRefused(invalid);
  });

  it('another algorithm than the registered one: refused', async () => {
    await expectRefused(invalid, { clientMetadata: { id_token_signed_response_alg: 'ES256' } });
  });

  it('a text that is no JWT: refused', async () => {
    server.makeIdToken = () => 'not-a-jwt';
    await expectRefused(invalid);
  });

  it('an encrypted ID Token, which nobody asked for: refused', async () => {
    server.makeIdToken = () => 'aaaa.bbbb.cccc.dddd.eeee';
    await expectRefused(invalid);
  });

  it('a key that is not in the key set: refused', async () => {
    server.makeIdToken = (claims) => server.sign(claims, { kid: 'unknown' });
    await expectRefused(invalid);
  });

  it('one key in the set and no kid in the token is fine', async () => {
    server.makeIdToken = (claims) => server.sign(claims, { kid: undefined });
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
  });
});

describe('ID Tokens signed with the client secret', () => {
  const clientMetadata = { id_token_signed_response_alg: 'HS256' };

  it('are verified with it', async () => {
    server.makeIdToken = (claims) => server.signByHand(claims, 'HS256', server.clientSecret);
    await expect(login({ clientMetadata })).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(0);
  });

  it.each<[string, (claims: Json) => string | Promise<string>]>([
    ['another secret', (claims) => server.signByHand(claims, 'HS256', 'other')],
    ['no signature', (claims) => server.signByHand(claims, 'HS256')],
    ['alg none', (claims) => server.signByHand(claims, 'none')],
    ['a good RS256 signature', (claims) => server.sign(claims)],
    ['HS512 in the header', (claims) => server.signByHand(claims, 'HS512', server.clientSecret)],
  ])('%s: refused', async (_name, makeIdToken) => {
    server.makeIdToken = makeIdToken;
    await expectRefused(invalid, { clientMetadata });
  });
});

describe('the keys', () => {
  it.each([
    ['are down', answers.text('', 503), { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 }],
    ['hang up', answers.reset(), { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 }],
    ['are garbage', answers.text('<html>'), { code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 }],
    ['are no key set', answers.json({ keys: 'none' }), { code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 }],
    ['are too many', answers.endlessBody(), { code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 }],
    ['redirect', answers.redirect('http://127.0.0.1:1/'), { code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 }],
  ])('%s: not the user’s fault', async (_name, answer, expected) => {
    server.answers.keys = answer;
    await expectRefused({ name: 'ProviderError', ...expected });
  });

  it('are unknown: not the user’s fault', async () => {
    server.changeMetadata = ({ jwks_uri: _, ...metadata }) => metadata;
    await expectRefused({ name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID' });
  });

  it('do not answer: the login ends at the timeout', async () => {
    server.answers.keys = answers.silence();
    const provider = providerFor(server, {}, { httpTimeoutSeconds: 0.3 });
    const { callback, checks } = await goToCallback(provider, server);
    await expect(provider.exchangeCode(callback, checks)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT', status: 504 });
  });

  it('do not get a time of their own: token request and keys together are one call', async () => {
    server.makeIdToken = async (claims) => {
      await setTimeout(800);
      return server.sign(claims);
    };
    server.answers.keys = answers.silence();
    const provider = providerFor(server, {}, { httpTimeoutSeconds: 1 });
    const { callback, checks } = await goToCallback(provider, server);
    const started = performance.now();
    await expect(provider.exchangeCode(callback, checks)).rejects.toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT' });
    expect(performance.now() - started).toBeLessThan(1500);
    expect(server.count('keys')).toBe(1);
  });

  it('D6: are fetched once for twenty logins at once, and not again for the next one', async () => {
    const provider = providerFor(server);
    const callbacks = await Promise.all(Array.from({ length: 20 }, () => goToCallback(provider, server)));
    await Promise.all(callbacks.map(({ callback, checks }) => provider.exchangeCode(callback, checks)));
    const { callback, checks } = await goToCallback(provider, server);
    await provider.exchangeCode(callback, checks);
    expect(server.count('keys')).toBe(1);
    expect(server.count('token')).toBe(21);
  });

  it('a fetch that hangs once does not hang for ever', async () => {
    const signals: AbortSignal[] = [];
    const deaf: typeof fetch = (input, init) => {
      if (signals.length > 0 || !new Request(input).url.endsWith('/keys')) return fetch(input, init);
      signals.push(init!.signal!);
      return new Promise(() => undefined);
    };
    const provider = providerFor(server, {}, { fetch: deaf, httpTimeoutSeconds: 0.3 });
    const first = await goToCallback(provider, server);
    await expect(provider.exchangeCode(first.callback, first.checks)).rejects.toMatchObject({ status: 504 });
    if (!signals[0]!.aborted) await once(signals[0]!, 'abort');
    const second = await goToCallback(provider, server);
    await expect(provider.exchangeCode(second.callback, second.checks)).resolves.toMatchObject({ claims: { sub: 'alice' } });
  });
});
