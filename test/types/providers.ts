/** A provider in every shape that compiles, and the presets as plain providers. */
import type { ProviderOptions } from 'express-code-flow';
import { aidbox, aidboxLegacy, aritmaId, athoc, identityHub } from 'express-code-flow/providers';

const clientSecret = process.env['CLIENT_SECRET'];
const client = { clientId: 'web', clientSecret };

export const providers: Record<string, ProviderOptions> = {
  acme: aritmaId({ tenant: 'acme', ...client, scope: 'openid banking.ais.read offline_access' }),
  older: aidboxLegacy({ baseUrl: 'https://acme.aidbox.app', ...client, responseType: 'code id_token' }),
  newer: { ...aidbox({ baseUrl: 'https://acme.aidbox.app', ...client }), identity: ({ userinfo }) => (userinfo === undefined ? undefined : { sub: 'x' }) },
  hub: { ...identityHub({ tenant: 'acme', ...client }), clientAuthentication: 'client_secret_basic', callbackPath: '/callback/hub' },
  alerts: athoc({ baseUrl: 'https://alerts.example.com', organizationCode: 'acme', clientId: 'web' }),
  keys: { issuer: 'https://id.example.com', clientId: 'web', privateKey: { kty: 'EC' }, privateKeyId: '1', clientAuthentication: 'private_key_jwt' },
  api: {
    issuer: 'https://id.example.com',
    clientId: 'web',
    scope: false,
    identity: async ({ id }, { fetch }) => ({ sub: String(id), profile: await (await fetch('https://id.example.com/me')).json() }),
    endSession: async ({ accessToken, idToken, fetch }) => {
      if (accessToken !== idToken) await fetch('https://id.example.com/session', { method: 'DELETE' });
    },
    revocation: false,
  },
};

// @ts-expect-error -- the tenant is part of every address
aritmaId(client);

// @ts-expect-error -- an access token is good for one organization
athoc({ baseUrl: 'https://alerts.example.com', clientId: 'web' });

// @ts-expect-error -- no server is known by this name alone
aidbox(client);

const issuer = 'https://id.example.com';

// @ts-expect-error -- an implicit flow would put tokens into URLs
export const implicit: ProviderOptions = { issuer, clientId: 'web', responseType: 'token' };

// @ts-expect-error -- a fragment never reaches a server
export const fragment: ProviderOptions = { issuer, clientId: 'web', responseMode: 'fragment' };

// @ts-expect-error -- only an explicit false means none: an empty variable must not
export const noScope: ProviderOptions = { issuer, clientId: 'web', scope: null };

// @ts-expect-error -- an identity without `sub` is none
export const nobody: ProviderOptions = { issuer, clientId: 'web', identity: () => ({ name: 'Alice' }) };

// @ts-expect-error -- the server's own issuer cannot be told by hand without its addresses
export const halfByHand: ProviderOptions = { server: { issuer }, clientId: 'web' };
