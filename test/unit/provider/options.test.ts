/** What `provider` accepts, completes and refuses, beside what test/unit/options.test.ts shows. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../../../lib/errors.js';
import { readProvider } from '../../../lib/options/provider.js';
import type { ResolvedProvider } from '../../../lib/types.js';

type Change = Record<string, unknown>;

const issuer = 'https://id.example.com';
const byIssuer = { issuer, clientId: 'web' };
const server = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` };
const byHand = { server, clientId: 'web' };
const keys = (change: Change): Change => ({ server: { ...server, jwks_uri: `${issuer}/keys` }, ...change });

const resolve = (change: Change, base: Change = byIssuer): ResolvedProvider => readProvider({ ...base, ...change }, 'provider');

function refusal(change: Change, base: Change = byIssuer): ConfigurationError {
  try {
    resolve(change, base);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ecPem = ec.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const rsaPem = (bits: number): string => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

describe('what is left out', () => {
  it('has its default', () => {
    expect(resolve({})).toMatchObject({
      signingKey: undefined,
      basicCredentialsEncoding: 'percent',
      responseType: 'code',
      responseMode: 'query',
      tokenRequestFormat: 'form',
      redirectUriInTokenRequest: true,
      idToken: true,
      userInfo: false,
      identity: undefined,
      revocation: 'refresh_token',
      endSession: undefined,
      callbackPath: undefined,
    });
  });

  it.each<[string, Change, Change]>([
    ['code id_token comes by form_post, as OpenID Connect has it', { responseType: 'code id_token' }, { responseMode: 'form_post' }],
    ['… unless the server sends the code in the query', { responseType: 'code id_token', responseMode: 'query' }, { responseMode: 'query' }],
    ['no scope: none is sent, no ID Token is needed', { scope: false }, { scope: '', idToken: undefined }],
    ['without openid no ID Token is needed', { scope: 'read' }, { idToken: undefined }],
    ['a server that gives no ID Token', { idToken: false }, { idToken: false, scope: 'openid profile email' }],
  ])('%s', (_name, change, expected) => expect(resolve(change)).toMatchObject(expected));
});

describe('an issuer with server', () => {
  it('keeps single addresses, and no issuer of its own', () => {
    const { issuer: found, server: overrides } = resolve({ server: { issuer, token_endpoint: 'https://id.internal/token' } });
    expect(found?.href).toBe('https://id.example.com/');
    expect(overrides).toEqual({ token_endpoint: 'https://id.internal/token' });
  });

  it('can switch an endpoint off', () => {
    expect(resolve({ server: { end_session_endpoint: undefined } }).server).toEqual({ end_session_endpoint: undefined });
  });
});

describe('a private key', () => {
  it.each<[string, unknown, Change, Change]>([
    ['PEM', ecPem, {}, { algorithm: 'ES256', id: undefined }],
    ['a JWK with a kid', { ...ec.privateKey.export({ format: 'jwk' }), kid: 'k' }, {}, { algorithm: 'ES256', id: 'k' }],
    ['a kid beside it', ecPem, { privateKeyId: 'k' }, { id: 'k' }],
    ['RSA by registration', rsaPem(2048), { clientMetadata: { token_endpoint_auth_signing_alg: 'PS384' } }, { algorithm: 'PS384' }],
    ['the method by its name', ecPem, { clientAuthentication: 'private_key_jwt' }, { algorithm: 'ES256' }],
  ])('%s', (_name, privateKey, change, expected) => {
    expect(resolve({ privateKey, ...change }).signingKey).toMatchObject(expected);
  });

  it('as a CryptoKey knows its algorithm', async () => {
    const { privateKey } = await webcrypto.subtle.generateKey(
      { name: 'RSA-PSS', hash: 'SHA-512', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      false,
      ['sign', 'verify'],
    );
    expect(resolve({ privateKey }).signingKey).toMatchObject({ key: privateKey, algorithm: 'PS512' });
  });

  it('is not to be seen in what is printed', () => {
    const printed = inspect(resolve({ privateKey: { ...ec.privateKey.export({ format: 'jwk' }) } }), { depth: null, showHidden: true });
    expect(printed).not.toContain(ec.privateKey.export({ format: 'jwk' }).d);
  });
});

describe('refuses', () => {
  const missing = 'ERR_CODE_FLOW_OPTION_MISSING';
  const invalid = 'ERR_CODE_FLOW_OPTION_INVALID';
  const conflict = 'ERR_CODE_FLOW_OPTION_CONFLICT';
  const http = 'ERR_CODE_FLOW_HTTP_REFUSED';
  const publicKey = ec.publicKey.export({ format: 'jwk' });

  it.each<[Change, string, string, Change?]>([
    // where the server is
    [{ server: { ...server, issuer: 'https://other.example' } }, conflict, '`provider.server.issuer` is not `provider.issuer`'],
    [{ server: { issuer: 7 } }, invalid, '`provider.server.issuer` must be the issuer URL'],
    [{ server: { token_endpoint: 'http://id.internal/token' } }, http, '`provider.server.token_endpoint` uses plain http'],
    [{ server: { token_endpoint: '/token' } }, invalid, '`provider.server.token_endpoint`'],
    [{ server: { ...server, authorization_endpoint: undefined } }, missing, '`provider.server.authorization_endpoint` is missing', { clientId: 'web' }],
    // credentials
    [{ clientSecret: 'sentinel', privateKey: ecPem }, conflict, '`provider.privateKey` cannot go with `provider.clientSecret`'],
    [{ privateKeyId: 'k' }, conflict, '`provider.privateKeyId` needs `provider.privateKey`'],
    [{ clientAuthentication: 'private_key_jwt' }, conflict, "'private_key_jwt', which needs `provider.privateKey`"],
    [{ clientAuthentication: 'private_key_jwt', clientSecret: 'sentinel' }, conflict, '`provider.clientAuthentication`'],
    [{ clientAuthentication: 'client_secret_jwt' }, conflict, 'needs `provider.clientSecret`'],
    [{ clientAuthentication: 'client_secret_basic', privateKey: ecPem }, conflict, 'needs `provider.clientSecret`'],
    [{ clientAuthentication: 'tls_client_auth', clientSecret: 'sentinel' }, conflict, 'goes without `provider.clientSecret`'],
    [{ clientAuthentication: 'none', privateKey: ecPem }, conflict, 'goes without `provider.privateKey`'],
    [{ clientAuthentication: 'client_secret' }, invalid, "'tls_client_auth' or 'none'; got \"client_secret\""],
    [{ basicCredentialsEncoding: 'raw' }, conflict, '`provider.basicCredentialsEncoding` has no effect'],
    [{ basicCredentialsEncoding: 'raw', clientSecret: 'sentinel', clientAuthentication: 'client_secret_post' }, conflict, 'has no effect'],
    [{ basicCredentialsEncoding: 'base64', clientSecret: 'sentinel' }, invalid, "'percent' or 'form' or 'raw'"],
    [
      { clientSecret: 'sentinel', clientAuthentication: 'client_secret_jwt', clientMetadata: { token_endpoint_auth_signing_alg: 'HS512' } },
      conflict,
      "must be 'HS256'",
    ],
    [{ clientMetadata: { jwks: {} } }, conflict, 'use `provider.privateKey`'],
    [{ clientMetadata: { response_types: ['code'] } }, conflict, 'use `provider.responseType`'],
    // private keys
    [{ privateKey: 'sentinel' }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: '' }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: 7 }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: publicKey }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: ec.publicKey.export({ format: 'pem', type: 'spki' }) }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: { kty: 'oct', k: 'sentinel' } }, invalid, '`provider.privateKey` must be a private key'],
    [{ privateKey: rsaPem(1024) }, invalid, 'an RSA key of 1024 bits; it needs at least 2048'],
    [{ privateKey: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ format: 'pem', type: 'pkcs8' }) }, invalid, 'must be an RSA, EC'],
    [{ privateKey: generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }) }, invalid, 'must be an RSA, EC'],
    [{ privateKey: ecPem, clientMetadata: { token_endpoint_auth_signing_alg: 'RS256' } }, conflict, 'the key signs with ES256'],
    // what is asked for, and how
    [{ responseType: 'token' }, invalid, "'code' or 'code id_token'; got \"token\""],
    [{ responseType: 'code id_token', scope: 'read' }, conflict, 'needs "openid" in `provider.scope`'],
    [{ responseType: 'code id_token', scope: false }, conflict, 'needs "openid"'],
    [{ responseType: 'code id_token', idToken: false }, conflict, 'goes without `provider.idToken: false`'],
    [{ responseType: 'code id_token' }, conflict, 'needs `provider.server.jwks_uri`', byHand],
    [{ responseType: 'code id_token', clientSecret: 'sentinel', clientMetadata: { id_token_signed_response_alg: 'HS256' } }, conflict, 'not HS256'],
    [{ responseMode: 'fragment' }, invalid, "'query' or 'form_post'"],
    [{ tokenRequestFormat: 'xml' }, invalid, "'form' or 'json'"],
    [{ redirectUriInTokenRequest: 'no' }, invalid, 'must be true or false'],
    [{ scope: true }, invalid, '`provider.scope` must be one string'],
    [{ scope: '' }, invalid, '`provider.scope` must be one string'],
    // who it is
    [{ idToken: true, scope: 'read' }, conflict, '`provider.idToken` needs "openid"'],
    [{ userInfo: true, identity: () => undefined }, conflict, '`provider.userInfo` cannot go with `provider.identity`'],
    [{ userInfo: true }, conflict, 'needs `provider.server.userinfo_endpoint`', byHand],
    [{ identity: 'userinfo' }, invalid, '`provider.identity` must be a function'],
    // the end
    [{ revocation: 'access_token' }, conflict, 'needs `provider.server.revocation_endpoint`', byHand],
    [{ revocation: true }, invalid, "'refresh_token' or 'access_token'"],
    [{ endSession: 'https://id.example.com/logout' }, invalid, '`provider.endSession` must be a function'],
    [{ callbackPath: 'callback' }, invalid, '`provider.callbackPath` must be a path'],
    [{ callbackPath: '/' }, invalid, 'the place of the front page'],
  ])('%#: %j', (change, code, message, base = byIssuer) => {
    const error = refusal(change, base);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/sentinel|PRIVATE KEY/);
  });

  it('a CryptoKey that cannot sign', async () => {
    const pair = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    expect(refusal({ privateKey: pair.publicKey }).message).toContain('must be a private CryptoKey with the usage "sign"');
    const sha1 = await webcrypto.subtle.generateKey(
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      false,
      ['sign', 'verify'],
    );
    expect(refusal({ privateKey: sha1.privateKey }).message).toContain('SHA-256, SHA-384 or SHA-512');
  });
});

it('a server by hand may have all of it', () => {
  const endpoints = { jwks_uri: `${issuer}/keys`, userinfo_endpoint: `${issuer}/me`, revocation_endpoint: `${issuer}/revoke` };
  expect(resolve({ server: { ...server, ...endpoints }, userInfo: true, revocation: 'access_token' }, { clientId: 'web' })).toMatchObject({ userInfo: true });
  expect(resolve(keys({ responseType: 'code id_token' }), { clientId: 'web' })).toMatchObject({ responseMode: 'form_post' });
});
