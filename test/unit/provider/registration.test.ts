import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../lib/clock.js';
import { PROTOCOL_PARAMETERS } from '../../../lib/protocol-parameters.js';
import { createProvider } from '../../../lib/provider/create-provider.js';
import type { Provider } from '../../../lib/provider/provider.js';
import { readProvider } from '../../../lib/options/provider.js';
import type { ResolvedProvider } from '../../../lib/types.js';

const base = readProvider({ issuer: 'https://id.example.com', clientId: 'web', clientSecret: 'sentinel-secret', scope: 'openid' }, 'provider');

const create = (changes: Partial<ResolvedProvider>): Provider =>
  createProvider({ ...base, ...changes }, { fetch: () => Promise.reject(new Error('Nothing may be sent.')), httpTimeoutSeconds: 5, clock: systemClock });

describe('options that can never work are refused before anything is sent', () => {
  it.each<[string, Partial<ResolvedProvider>, string]>([
    ['unsigned ID Tokens', { clientMetadata: { id_token_signed_response_alg: 'none' } }, 'ERR_CODE_FLOW_OPTION_INVALID'],
    ['an algorithm that is no text', { clientMetadata: { id_token_signed_response_alg: ['RS256'] } }, 'ERR_CODE_FLOW_OPTION_INVALID'],
    ['HS256 without a secret', { clientSecret: undefined, clientMetadata: { id_token_signed_response_alg: 'HS256' } }, 'ERR_CODE_FLOW_OPTION_MISSING'],
    ['client_secret_post without a secret', { clientSecret: undefined, clientAuthentication: 'client_secret_post' }, 'ERR_CODE_FLOW_OPTION_MISSING'],
    [
      'the address of the metadata for an issuer',
      { issuer: new URL('https://id.example.com/.well-known/openid-configuration') },
      'ERR_CODE_FLOW_OPTION_INVALID',
    ],
  ])('%s', (_name, changes, code) => {
    expect(() => create(changes)).toThrow(expect.objectContaining({ name: 'ConfigurationError', code }));
    expect(() => create(changes)).not.toThrow(/sentinel/);
  });

  it.each<[string, Partial<ResolvedProvider>]>([
    ['a public client', { clientSecret: undefined }],
    ['a public client that says so', { clientSecret: undefined, clientAuthentication: 'none' }],
    ['HS256 with a secret', { clientMetadata: { id_token_signed_response_alg: 'HS256' } }],
    ['ES256', { clientMetadata: { id_token_signed_response_alg: 'ES256' } }],
  ])('%s is fine', (_name, changes) => {
    expect(create(changes).name).toBe('default');
  });
});

it('A16: the protocol parameters cannot be changed', () => {
  expect([...PROTOCOL_PARAMETERS.keys()]).toEqual(expect.arrayContaining(['state', 'nonce', 'redirect_uri', 'code_challenge', 'request_uri']));
});
