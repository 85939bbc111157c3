/** What speaks to the authorization server is loaded when it is first needed. */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../../lib/clock.js';
import type { ProviderError } from '../../../lib/errors.js';
import { readProvider } from '../../../lib/options/provider.js';
import type { AuthorizationServer, Provider } from '../../../lib/provider/provider.js';

const issuer = 'https://id.example.com';
const options = readProvider({ issuer, clientId: 'web' }, 'provider');

/** How often it was loaded, and made. */
let [loads, made] = [0, 0];

/** A provider whose part with openid-client is this one. */
async function providerWith(load: () => { createAuthorizationServer: () => AuthorizationServer }): Promise<Provider> {
  [loads, made] = [0, 0];
  jest.resetModules();
  jest.unstable_mockModule('../../../lib/provider/authorization-server.js', () => {
    loads += 1;
    return load();
  });
  const { createProvider } = await import('../../../lib/provider/create-provider.js');
  return createProvider(options, { fetch, httpTimeoutSeconds: 5, clock: systemClock });
}

const working = () => ({
  createAuthorizationServer: () => {
    made += 1;
    return { issuer: () => Promise.resolve(issuer) } as unknown as AuthorizationServer; // nothing else is asked
  },
});

/** As Node says it, with the path of the app on its machine. */
const missing = (): never => {
  throw Object.assign(new Error("Cannot find package 'openid-client' imported from /srv/app/node_modules/express-code-flow/dist/x.js"), { code: 'ERR_MODULE_NOT_FOUND' });
};

afterEach(() => {
  jest.resetModules();
});

describe('a provider', () => {
  it('loads nothing for what its options say', async () => {
    const provider = await providerWith(working);
    expect([provider.name, provider.scope, provider.responseMode, provider.mayBe(issuer), provider.mayBe('https://other.example')]).toEqual(['default', 'openid profile email', 'query', true, false]);
    expect([loads, made]).toEqual([0, 0]);
  });

  it('is put together once for all who ask at the same time, and for those who come later', async () => {
    const provider = await providerWith(working);
    const answers = await Promise.all(Array.from({ length: 20 }, () => provider.issuer()));
    expect([new Set(answers), await provider.issuer(), loads, made]).toEqual([new Set([issuer]), issuer, 1, 1]);
  });
});

describe('what cannot be loaded', () => {
  it('is told by its code, without paths, and signs out nobody', async () => {
    const provider = await providerWith(missing);
    const request = { state: 's', nonce: 'n', codeVerifier: 'v', redirectUri: 'https://app.example.com/callback', parameters: {} };
    const error: unknown = await provider.authorizationUrl(request).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503, message: expect.stringContaining('openid-client') });
    expect(String(error)).toContain('(ERR_MODULE_NOT_FOUND)');
    expect(String(error)).not.toContain('/srv/');
    expect((error as ProviderError).cause).toBeUndefined();
    expect(await provider.refresh('a refresh token', {})).toMatchObject({ kind: 'failed', error: { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE' } });
  });

  it('is tried again by the next one', async () => {
    let broken = true;
    const provider = await providerWith(() => ({ createAuthorizationServer: () => (broken ? missing() : working().createAuthorizationServer()) }));
    await expect(Promise.all([provider.issuer(), provider.issuer()])).rejects.toMatchObject({ name: 'ProviderError', message: expect.not.stringMatching(/install|srv/i) });
    broken = false;
    expect(await provider.issuer()).toBe(issuer);
  });
});
