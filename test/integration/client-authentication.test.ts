/** Every way for the app to prove itself, through a whole life: login, API call, refresh, logout with revocation. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClientMetadata } from 'oidc-provider';
import type { ProviderOptions } from '../../lib/index.js';
import { invalidToken } from '../support/api-server.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const secret = 'the secret of this client, for tests only';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed25519 = (await webcrypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;

const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' });
const keys = async (key: webcrypto.CryptoKey | KeyObject, kid: string, alg: string) => {
  const jwk = 'export' in key ? jwkOf(key) : await webcrypto.subtle.exportKey('jwk', key);
  return { keys: [{ ...jwk, key_ops: undefined, kid, alg, use: 'sig' }] } as unknown as NonNullable<ClientMetadata['jwks']>;
};

/** What the app is told, and what the server knows of it. */
type Row = [string, Partial<ProviderOptions>, Partial<ClientMetadata>];

const rows: Row[] = [
  ['client_secret_basic', { clientSecret: secret }, { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }],
  ['client_secret_basic with an odd secret', { clientSecret: 'a:secret%+/=& ?' }, { client_secret: 'a:secret%+/=& ?', token_endpoint_auth_method: 'client_secret_basic' }],
  [
    'client_secret_basic with a space, to the letter of RFC 6749',
    { clientSecret: 'a secret-with_both', basicCredentialsEncoding: 'form' },
    { client_secret: 'a secret-with_both', token_endpoint_auth_method: 'client_secret_basic' },
  ],
  ['client_secret_post', { clientSecret: secret, clientAuthentication: 'client_secret_post' }, { client_secret: secret, token_endpoint_auth_method: 'client_secret_post' }],
  ['client_secret_jwt', { clientSecret: secret, clientAuthentication: 'client_secret_jwt' }, { client_secret: secret, token_endpoint_auth_method: 'client_secret_jwt' }],
  [
    'private_key_jwt with RSA as PEM',
    { privateKey: rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), privateKeyId: 'rsa' },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: await keys(rsa.publicKey, 'rsa', 'RS256') },
  ],
  [
    'private_key_jwt with an elliptic curve as JWK',
    { privateKey: { ...jwkOf(ec.privateKey), kid: 'ec' } },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: await keys(ec.publicKey, 'ec', 'ES256') },
  ],
  [
    'private_key_jwt with Ed25519 as CryptoKey',
    { privateKey: ed25519.privateKey },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: await keys(ed25519.publicKey, 'ed', 'EdDSA') },
  ],
  ['none', {}, { token_endpoint_auth_method: 'none' }],
];

describe.each(rows.map(([name, options, metadata], index) => ({ name, options, metadata, clientId: `client-${index}` })))('$name', ({ options, metadata, clientId }) => {
  it('logs in, refreshes, calls the API, logs out, and takes the token back', async () => {
    const { authorizationServer, api } = world;
    const provider = { issuer: authorizationServer.issuer, clientId, ...options } as ProviderOptions;
    const app = await world.app('express5', { options: { provider } });
    const registered = { client_id: clientId, grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [`${app.baseUrl}/callback`], ...metadata };
    await authorizationServer.registerClient({ ...registered, post_logout_redirect_uris: [`${app.baseUrl}/`] });

    const browser = await world.loggedIn(app, 'alice');
    const { refresh_token: refreshes } = authorizationServer.tokenRequests;
    const { revocations } = authorizationServer.counters;
    api.plan.push(invalidToken);
    expect((await browser.get(`${app.baseUrl}/api`, { navigate: false })).json()).toMatchObject({ sub: 'alice' });
    expect(authorizationServer.tokenRequests.refresh_token).toBe(refreshes + 1);
    const revoked: unknown[] = [];
    app.auth.on('logout.revocation_failed', (detail) => revoked.push(detail));
    expect((await browser.post(`${app.baseUrl}/logout`)).json()).toEqual({ isAuthenticated: false });
    expect([authorizationServer.counters.revocations, revoked]).toEqual([revocations + 1, []]);
    expect(authorizationServer.serverErrors).toEqual([]);
  });
});
