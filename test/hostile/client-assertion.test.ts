/** Client authentication with a JWT, in place of a secret or made with one (OpenID Connect Core §9, RFC 7523). */
import { createHmac, createPublicKey, generateKeyPairSync, webcrypto, type KeyObject } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compactVerify, decodeProtectedHeader, exportPKCS8, generateKeyPair } from 'jose';
import { readProvider } from '../../lib/options/provider.js';
import type { PrivateKey, ResolvedProvider } from '../../lib/types.js';
import { startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, rejection } from './client.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

function withKey(privateKey: PrivateKey, more: Json = {}): Partial<ResolvedProvider> {
  const { signingKey } = readProvider({ issuer: server.issuer, clientId: 'web', privateKey, ...more }, 'provider');
  return { clientSecret: undefined, signingKey };
}

/** Of the newest token request, after one login. */
async function tokenRequestOf(changes: Partial<ResolvedProvider>): Promise<URLSearchParams> {
  const provider = providerFor(server, changes);
  const { callback, checks } = await goToCallback(provider, server);
  await provider.exchangeCode(callback, checks);
  const { headers, body } = server.last('token')!;
  expect(headers.authorization).toBeUndefined();
  return body;
}

const payloadOf = (assertion: string): Json => JSON.parse(Buffer.from(assertion.split('.')[1]!, 'base64url').toString()) as Json;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ec384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed = generateKeyPairSync('ed25519');

const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): string => key.export({ format: 'pem', type }).toString();

describe('private_key_jwt', () => {
  it.each<[string, () => PrivateKey | Promise<PrivateKey>, Json, string, KeyObject | undefined]>([
    ['PEM, RSA', () => pem(rsa.privateKey), {}, 'RS256', rsa.publicKey],
    ['PEM, RSA, PKCS #1', () => pem(rsa.privateKey, 'pkcs1'), {}, 'RS256', rsa.publicKey],
    ['PEM, RSA, registered with PS256', () => pem(rsa.privateKey), { clientMetadata: { token_endpoint_auth_signing_alg: 'PS256' } }, 'PS256', rsa.publicKey],
    ['PEM, EC, SEC 1', () => pem(ec.privateKey, 'sec1'), {}, 'ES256', ec.publicKey],
    ['PEM, P-384', () => pem(ec384.privateKey), {}, 'ES384', ec384.publicKey],
    ['PEM, Ed25519', () => pem(ed.privateKey), {}, 'EdDSA', ed.publicKey],
    ['PEM, Ed25519 by its newer name', () => pem(ed.privateKey), { clientMetadata: { token_endpoint_auth_signing_alg: 'Ed25519' } }, 'Ed25519', ed.publicKey],
    ['JWK', () => ec.privateKey.export({ format: 'jwk' }), {}, 'ES256', ec.publicKey],
    ['JWK that names its algorithm', () => ({ ...rsa.privateKey.export({ format: 'jwk' }), alg: 'RS512' }), {}, 'RS512', rsa.publicKey],
  ])('%s', async (_name, key, more, alg, publicKey) => {
    const body = await tokenRequestOf(withKey(await key(), more));
    const assertion = body.get('client_assertion')!;
    expect(decodeProtectedHeader(assertion)).toEqual({ alg });
    await expect(compactVerify(assertion, publicKey!)).resolves.toBeDefined();
  });

  it('a CryptoKey that cannot be exported', async () => {
    const { privateKey, publicKey } = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    const body = await tokenRequestOf(withKey(privateKey));
    await expect(compactVerify(body.get('client_assertion')!, publicKey)).resolves.toBeDefined();
  });

  it('has the issuer alone for its audience, ends within a minute, and carries what RFC 7523 §3 asks', async () => {
    const body = await tokenRequestOf(withKey(pem(ec.privateKey)));
    expect(body.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    expect(body.get('client_id')).toBe('web');
    expect(body.has('client_secret')).toBe(false);
    const { iss, sub, aud, exp, iat, jti } = payloadOf(body.get('client_assertion')!);
    expect({ iss, sub, aud }).toEqual({ iss: 'web', sub: 'web', aud: server.issuer });
    expect((exp as number) - (iat as number)).toBeLessThanOrEqual(60);
    expect(jti).toMatch(/^[\w-]{20,}$/);
  });

  it('is made anew for every attempt: no jti twice', async () => {
    const changes = withKey(pem(ec.privateKey));
    const provider = providerFor(server, changes);
    const { callback, checks } = await goToCallback(provider, server);
    const { refreshToken } = await provider.exchangeCode(callback, checks);
    await provider.refresh(refreshToken!, {});
    await provider.refresh(refreshToken!, {});
    await provider.revoke(refreshToken!, 'refresh_token');
    const assertions = server.requests.filter(({ method }) => method === 'POST').map(({ body }) => body.get('client_assertion')!);
    expect(assertions).toHaveLength(4);
    expect(new Set(assertions.map((assertion) => payloadOf(assertion)['jti'])).size).toBe(4);
  });

  it.each([
    ['of the JWK', { ...ec.privateKey.export({ format: 'jwk' }), kid: 'own' }, {}, 'own'],
    ['of the options, before that of the JWK', { ...ec.privateKey.export({ format: 'jwk' }), kid: 'own' }, { privateKeyId: 'registered' }, 'registered'],
    ['of the options, for PEM', pem(ec.privateKey), { privateKeyId: 'registered' }, 'registered'],
  ])('names the kid %s', async (_name, key, more, kid) => {
    const body = await tokenRequestOf(withKey(key, more));
    expect(decodeProtectedHeader(body.get('client_assertion')!)).toEqual({ alg: 'ES256', kid });
  });

  it('goes as JSON as well', async () => {
    const body = await tokenRequestOf({ ...withKey(pem(ec.privateKey)), tokenRequestFormat: 'json' });
    expect(server.last('token')!.headers['content-type']).toBe('application/json');
    await expect(compactVerify(body.get('client_assertion')!, createPublicKey(ec.publicKey.export({ format: 'pem', type: 'spki' })))).resolves.toBeDefined();
  });

  it('leaves the key out of every error', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const text = await exportPKCS8(privateKey);
    for (const line of text.split('\n').slice(1, -2)) server.secrets.add(line);
    server.answers.token = (res) => void res.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}');
    const provider = providerFor(server, withKey(text));
    const { callback, checks } = await goToCallback(provider, server);
    const error = await rejection(provider.exchangeCode(callback, checks));
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_CLIENT_REFUSED' });
    expectNoSecretIn(error, server);
  });
});

describe('client_secret_jwt', () => {
  it('is signed with the secret, and has the issuer alone for its audience', async () => {
    const body = await tokenRequestOf({ clientAuthentication: 'client_secret_jwt' });
    const [header, payload, signature] = body.get('client_assertion')!.split('.');
    expect(signature).toBe(createHmac('sha256', server.clientSecret).update(`${header}.${payload}`).digest('base64url'));
    expect(payloadOf(`.${payload}.`)).toMatchObject({ iss: 'web', sub: 'web', aud: server.issuer });
    expect([...body.keys()].filter((name) => name.startsWith('client_')).sort()).toEqual(['client_assertion', 'client_assertion_type', 'client_id']);
  });

  it('is found by itself where the metadata know nothing else', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, token_endpoint_auth_methods_supported: ['client_secret_jwt'] });
    expect((await tokenRequestOf({})).has('client_assertion')).toBe(true);
  });
});

describe('tls_client_auth (RFC 8705)', () => {
  it('sends the id alone, to the address that asks for a certificate', async () => {
    const mtls = await startLyingServer();
    try {
      const elsewhere = (res: Parameters<NonNullable<typeof mtls.answers.token>>[0]): void => void res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
      mtls.answers.token = elsewhere;
      server.changeMetadata = (metadata) => ({ ...metadata, mtls_endpoint_aliases: { token_endpoint: `${mtls.issuer}/token` } });
      const provider = providerFor(server, { clientSecret: undefined, clientAuthentication: 'tls_client_auth' });
      expect(await provider.refresh('sentinel', {})).toEqual({ kind: 'refused', certain: true });
      expect(Object.fromEntries(mtls.last('token')!.body)).toEqual({ grant_type: 'refresh_token', refresh_token: 'sentinel', client_id: 'web' });
      expect(server.count('token')).toBe(0);
    } finally {
      await mtls.close();
    }
  });
});
