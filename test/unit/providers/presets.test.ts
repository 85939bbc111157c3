/** The presets, as PROVIDERS and the systems' documents have them. That they log users in is shown in test/providers. */
import { describe, expect, it } from '@jest/globals';
import { aidbox, aidboxLegacy, aritmaId, athoc, identityHub } from 'express-code-flow/providers';
import * as presets from 'express-code-flow/providers';
import { readProvider } from '../../../lib/options/provider.js';
import type { PresetProvider } from '../../../lib/providers/index.js';

const client = { clientId: 'web', clientSecret: 'sentinel' };
const resolve = (provider: PresetProvider) => readProvider(provider, 'provider');

it('are five', () => {
  expect(Object.keys(presets).sort()).toEqual(['aidbox', 'aidboxLegacy', 'aritmaId', 'athoc', 'identityHub']);
});

describe('aritmaId', () => {
  it('has the tenant in its addresses, and the secret in the body', () => {
    expect(aritmaId({ tenant: 'acme', ...client })).toEqual({
      ...client,
      clientAuthentication: 'client_secret_post',
      server: {
        issuer: 'https://id.aritma.io/acme',
        authorization_endpoint: 'https://id.aritma.io/acme/connect/authorize',
        token_endpoint: 'https://id.aritma.io/acme/connect/token',
      },
    });
  });

  it('lives elsewhere for development', () => {
    expect(aritmaId({ tenant: 'acme', baseUrl: 'https://id.dev.aritma.io/', ...client }).server.issuer).toBe('https://id.dev.aritma.io/acme');
  });
});

describe('aidboxLegacy', () => {
  const baseUrl = 'https://acme.aidbox.app';

  it('is plain OAuth 2.0: a form with Basic, no scope', () => {
    expect(aidboxLegacy({ baseUrl, ...client })).toEqual({
      ...client,
      clientAuthentication: 'client_secret_basic',
      responseType: 'code',
      responseMode: 'query',
      scope: false,
      server: { issuer: baseUrl, authorization_endpoint: `${baseUrl}/oauth2/authorize`, token_endpoint: `${baseUrl}/oauth2/token` },
    });
  });

  it('asks for openid with the hybrid response type, and the code still comes in the query', () => {
    expect(resolve(aidboxLegacy({ baseUrl, ...client, responseType: 'code id_token' }))).toMatchObject({ scope: 'openid', responseMode: 'query', idToken: true });
  });
});

describe('aidbox', () => {
  const baseUrl = 'https://acme.aidbox.app';

  it('speaks JSON without a redirect_uri, and knows its own logout', () => {
    const { identity, endSession, ...provider } = aidbox({ baseUrl, ...client });
    expect(provider).toEqual({
      ...client,
      clientAuthentication: 'client_secret_post',
      scope: false,
      tokenRequestFormat: 'json',
      redirectUriInTokenRequest: false,
      server: { issuer: baseUrl, authorization_endpoint: `${baseUrl}/auth/authorize`, token_endpoint: `${baseUrl}/auth/token` },
    });
    expect([typeof identity, typeof endSession]).toEqual(['function', 'function']);
  });

  it('is a PKCE client without a secret', () => {
    expect(resolve(aidbox({ baseUrl, clientId: 'spa' }))).toMatchObject({ clientSecret: undefined, clientAuthentication: undefined });
  });

  it.each<[unknown, unknown]>([
    [{ id: 'u-1', email: 'a@example.com', resourceType: 'User' }, { id: 'u-1', email: 'a@example.com', resourceType: 'User', sub: 'u-1' }],
    [{ id: 'u-1', sub: 'other' }, { id: 'u-1', sub: 'u-1' }],
    [{ id: 7 }, undefined],
    [{}, undefined],
    [null, undefined],
    ['u-1', undefined],
    [undefined, undefined],
  ])('userinfo %j is %j', async (userinfo, claims) => {
    const context = { fetch: () => Promise.reject(new Error('Nothing may be sent.')) };
    expect(await aidbox({ baseUrl, ...client }).identity!({ access_token: 't', userinfo }, context)).toEqual(claims);
  });

  it.each([200, 204])('closes the session with DELETE /Session: %i', async (status) => {
    const calls: [string, string | undefined][] = [];
    const fetch = (input: string | URL, init?: RequestInit): Promise<Response> => {
      calls.push([String(input), init?.method]);
      return Promise.resolve(new Response(null, { status }));
    };
    await aidbox({ baseUrl, ...client }).endSession!({ accessToken: 't', idToken: undefined, fetch });
    expect(calls).toEqual([[`${baseUrl}/Session`, 'DELETE']]);
  });

  it('tells when the session was not closed', async () => {
    const fetch = (): Promise<Response> => Promise.resolve(new Response('', { status: 401 }));
    await expect(aidbox({ baseUrl, ...client }).endSession!({ accessToken: 't', idToken: undefined, fetch })).rejects.toThrow('HTTP 401');
  });
});

describe('identityHub', () => {
  it('keeps the slashes, and revokes access tokens with the client_id alone', () => {
    const issuer = 'https://www.theidentityhub.com/acme';
    expect(identityHub({ tenant: 'acme', ...client })).toEqual({
      ...client,
      clientAuthentication: 'client_secret_post',
      revocation: 'access_token',
      server: {
        issuer,
        authorization_endpoint: `${issuer}/oauth2/v1/auth/`,
        token_endpoint: `${issuer}/oauth2/v1/token/`,
        revocation_endpoint: `${issuer}/oauth2/v1/revoke/`,
        revocation_endpoint_auth_methods_supported: ['none'],
      },
    });
  });
});

describe('athoc', () => {
  const own = { baseUrl: 'https://alerts.example.com', organizationCode: 'acme' };

  it('speaks JSON as a public client, names the organization, and expects no ID Token', () => {
    const issuer = 'https://alerts.example.com/AuthServices/Auth';
    expect(athoc({ ...own, clientId: 'web' })).toEqual({
      clientId: 'web',
      scope: 'openid profile athoc.iws.web.api offline_access',
      tokenRequestFormat: 'json',
      idToken: false,
      authorizationParams: { acr_values: 'tenant:acme' },
      server: { issuer, authorization_endpoint: `${issuer}/connect/authorize`, token_endpoint: `${issuer}/connect/token` },
    });
  });

  it('sends a secret in the body if there is one', () => {
    expect(athoc({ ...own, ...client })).toMatchObject({ clientAuthentication: 'client_secret_post' });
  });

  it('takes further parameters beside the organization', () => {
    expect(athoc({ ...own, clientId: 'web', authorizationParams: { ui_locales: 'fr' } }).authorizationParams).toEqual({ acr_values: 'tenant:acme', ui_locales: 'fr' });
  });
});

const all: [string, (more: object) => PresetProvider][] = [
  ['aritmaId', (more) => aritmaId({ tenant: 'acme', ...client, ...more })],
  ['aidboxLegacy', (more) => aidboxLegacy({ baseUrl: 'https://acme.aidbox.app', ...client, ...more })],
  ['aidbox', (more) => aidbox({ baseUrl: 'https://acme.aidbox.app', ...client, ...more })],
  ['identityHub', (more) => identityHub({ tenant: 'acme', ...client, ...more })],
  ['athoc', (more) => athoc({ baseUrl: 'https://alerts.example.com', organizationCode: 'acme', ...client, ...more })],
];

describe.each(all)('%s', (_name, create) => {
  it('passes the start-up checks, as it is and spread', () => {
    expect(resolve(create({}))).toMatchObject({ clientId: 'web', issuer: undefined });
    expect(resolve({ ...create({}), clientId: 'other', callbackPath: '/callback/other' })).toMatchObject({ clientId: 'other', callbackPath: '/callback/other' });
  });

  it('takes whatever a provider takes, over its own defaults', () => {
    const more = { scope: 'read', clientAuthentication: 'client_secret_basic', revocation: false, authorizationParams: { audience: 'x' } };
    expect(create(more)).toMatchObject(more);
  });

  it('adds metadata to its own', () => {
    const { server } = create({ server: { jwks_uri: 'https://keys.example.com/' } });
    expect(server).toMatchObject({ jwks_uri: 'https://keys.example.com/', token_endpoint: expect.any(String) });
  });

  it('works on loopback', () => {
    const provider = create({ baseUrl: 'http://127.0.0.1:4000' });
    expect(provider.server.token_endpoint).toMatch(/^http:\/\/127\.0\.0\.1:4000\//);
    expect(resolve(provider).allowHttp).toBe(true);
  });

  it('takes what is undefined for left out', () => {
    const { scope, tokenRequestFormat } = resolve(create({}));
    expect(resolve(create({ scope: undefined, tokenRequestFormat: undefined }))).toMatchObject({ scope, tokenRequestFormat });
  });

  it('is refused with a misspelt option, like any provider', () => {
    expect(() => resolve(create({ clientSecrets: 'x' }))).toThrow(/did you mean `provider.clientSecret`/);
  });
});

describe('what a preset cannot do without', () => {
  it.each<[string, () => unknown]>([
    ['aritmaId({ tenant })', () => aritmaId({ ...client } as never)],
    ['aritmaId({ tenant })', () => aritmaId({ tenant: '', ...client })],
    ['identityHub({ tenant })', () => identityHub({ ...client } as never)],
    ['aidbox({ baseUrl })', () => aidbox({ ...client } as never)],
    ['aidboxLegacy({ baseUrl })', () => aidboxLegacy({ baseUrl: '', ...client })],
    ['athoc({ baseUrl })', () => athoc({ organizationCode: 'acme', ...client } as never)],
    ['athoc({ organizationCode })', () => athoc({ baseUrl: 'https://alerts.example.com', ...client } as never)],
  ])('%s is missing', (option, create) => {
    expect(create).toThrow(expect.objectContaining({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_OPTION_MISSING' }));
    expect(create).toThrow(`option \`${option}\` is missing`);
  });

  it.each(['../evil', 'a/b', '..', '.', 'a?b', 'a#b', 'a%2fb', 'a b', 'ä'])('a tenant that a request brought along leads nowhere else: %s', (tenant) => {
    expect(() => aritmaId({ tenant, ...client })).toThrow(expect.objectContaining({ code: 'ERR_CODE_FLOW_OPTION_INVALID' }));
    expect(() => identityHub({ tenant, ...client })).toThrow(expect.objectContaining({ code: 'ERR_CODE_FLOW_OPTION_INVALID' }));
  });

  it('an organization code brings no other acr_values along', () => {
    const create = (): unknown => athoc({ baseUrl: 'https://alerts.example.com', organizationCode: 'acme urn:low', ...client });
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_CODE_FLOW_OPTION_INVALID' }));
  });
});
