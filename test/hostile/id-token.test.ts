/** ID Tokens that do not say, or do not prove, what they should (THREATS D). */
import { createHash } from 'node:crypto';
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
    ['D2: iss of another server', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['D2: no iss', ({ iss: _, ...claims }) => claims],
    ['D2: aud of another client', (claims) => ({ ...claims, aud: 'other' })],
    ['D2: no aud', ({ aud: _, ...claims }) => claims],
    ['D2: a second audience without azp', (claims) => ({ ...claims, aud: ['web', 'other'] })],
    ['D2: azp of another client', (claims) => ({ ...claims, aud: ['web', 'other'], azp: 'other' })],
    ['D2: no sub', ({ sub: _, ...claims }) => claims],
    ['D2: sub that is a number', (claims) => ({ ...claims, sub: 7 })],
    ['D2: no iat', ({ iat: _, ...claims }) => claims],
    ['D2: iat as a text', (claims) => ({ ...claims, iat: '1' })],
    ['D2: iat that is no number at all', (claims) => ({ ...claims, iat: null })],
    ['D2: an empty list of audiences', (claims) => ({ ...claims, aud: [] })],
    ['D2: sub that is null', (claims) => ({ ...claims, sub: null })],
    ['D7: exp beyond all numbers', (claims) => ({ ...claims, exp: '1e999' })],
    ['D2: at_hash of another access token', (claims) => ({ ...claims, at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['D2: at_hash that is empty', (claims) => ({ ...claims, at_hash: '' })],
    ['D2: at_hash that is no text', (claims) => ({ ...claims, at_hash: 7 })],
    ['D2: no exp', ({ exp: _, ...claims }) => claims],
    ['D2: exp in the past', (claims) => ({ ...claims, exp: now() - 120 })],
    ['D2: exp as a text', (claims) => ({ ...claims, exp: '9999999999' })],
    ['D2: nbf in the future', (claims) => ({ ...claims, nbf: now() + 120 })],
    ['A14: another nonce', (claims) => ({ ...claims, nonce: 'other' })],
    ['A14: no nonce', ({ nonce: _, ...claims }) => claims],
  ])('%s: refused', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    await expectRefused(invalid);
  });

  it('D2: an audience in a list is fine', async () => {
    server.makeIdToken = (claims) => server.sign({ ...claims, aud: ['web'] });
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
  });

  it.each(['at_hash of its access token', 'no at_hash'])('D2: %s is fine', async (which) => {
    server.changeTokenAnswer = async (answer) => {
      const at_hash = createHash('sha256').update(String(answer['access_token'])).digest().subarray(0, 16).toString('base64url');
      const claims = { ...JSON.parse(Buffer.from(String(answer['id_token']).split('.')[1]!, 'base64url').toString()), ...(which.startsWith('no') ? {} : { at_hash }) };
      return { ...answer, id_token: await server.sign(claims) };
    };
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

  it.each([
    ['an extension that nobody knows', ['x-unknown']],
    ['one of RFC 7797', ['b64']],
    ['none at all', []],
    ['no list', 'exp'],
    ['null', null],
  ])('D1: crit names %s: refused (RFC 7515 §4.1.11)', async (_name, crit) => {
    server.makeIdToken = async (claims) => {
      const [, payload, signature] = (await server.sign(claims)).split('.');
      return [Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'honest', crit, b64: true, 'x-unknown': 1 })).toString('base64url'), payload, signature].join('.');
    };
    await expectRefused(invalid);
  });

  it('D1: crit under a good signature: refused all the same', async () => {
    server.makeIdToken = (claims) => server.sign(claims, { crit: ['b64'], b64: true });
    await expectRefused(invalid);
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
