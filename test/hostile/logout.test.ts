/** Revocation and RP-initiated logout, also where the server does not play along. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EndSessionContext } from '../../lib/types.js';
import { answers, startLyingServer, type Answer, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, providerFor, rejection } from './client.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

describe('revocation (RFC 7009)', () => {
  it('sends the token and what it is, with our credentials', async () => {
    await expect(providerFor(server).revoke('sentinel-token', 'refresh_token')).resolves.toBe(true);
    const { headers, body } = server.last('revocation')!;
    expect(Object.fromEntries(body)).toEqual({ token: 'sentinel-token', token_type_hint: 'refresh_token' });
    expect(headers.authorization).toMatch(/^Basic /);
  });

  it('is content with 204', async () => {
    server.answers.revocation = answers.text('', 204);
    await expect(providerFor(server).revoke('t', 'refresh_token')).resolves.toBe(true);
  });

  it('says so when the server cannot do it', async () => {
    server.changeMetadata = ({ revocation_endpoint: _, ...metadata }) => metadata;
    await expect(providerFor(server).revoke('t', 'refresh_token')).resolves.toBe(false);
    expect(server.count('revocation')).toBe(0);
  });

  it.each([
    ['a refused secret', answers.json({ error: 'invalid_client' }, 401), 'ERR_CODE_FLOW_CLIENT_REFUSED'],
    ['an unknown token type', answers.json({ error: 'unsupported_token_type' }, 400), 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'],
    ['a bad moment', answers.text('', 503), 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'],
    ['a redirect', answers.redirect('http://127.0.0.1:1/'), 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'],
    ['no answer', answers.silence(), 'ERR_CODE_FLOW_PROVIDER_TIMEOUT'],
  ])('H1: %s is told', async (_name, answer, code) => {
    server.answers.revocation = answer;
    const error = await rejection(providerFor(server, {}, { httpTimeoutSeconds: 0.5 }).revoke(server.secret('token'), 'refresh_token'));
    expect(error).toMatchObject({ name: 'ProviderError', code });
    expectNoSecretIn(error, server);
  });
});

describe('the end of a login', () => {
  const tokens = { accessToken: 'sentinel-access', refreshToken: 'sentinel-refresh', idToken: 'sentinel-id' };

  async function ownLogout({ fetch }: EndSessionContext): Promise<void> {
    await fetch(`${server.issuer}/end-session`, { method: 'DELETE' });
  }

  it('revokes the refresh token, and nothing where the options say so', async () => {
    await providerFor(server).logout(tokens);
    expect(Object.fromEntries(server.last('revocation')!.body)).toEqual({ token: 'sentinel-refresh', token_type_hint: 'refresh_token' });
    await providerFor(server, { revocation: false }).logout(tokens);
    await providerFor(server).logout({ accessToken: 'sentinel-access' });
    expect(server.count('revocation')).toBe(1);
  });

  it('revokes the access token where the server takes no other, with our id alone if it wants no more (RFC 8414 §2)', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, revocation_endpoint_auth_methods_supported: ['none'] });
    const provider = providerFor(server, { revocation: 'access_token', clientAuthentication: 'client_secret_post' });
    await provider.logout(tokens);
    const { headers, body } = server.last('revocation')!;
    expect(Object.fromEntries(body)).toEqual({ token: 'sentinel-access', token_type_hint: 'access_token', client_id: 'web' });
    expect(headers.authorization).toBeUndefined();
    await expect(provider.revoke('sentinel-refresh', 'refresh_token')).resolves.toBe(false);
    expect(server.count('revocation')).toBe(1);
  });

  it('is told to the server in its own way first, while the access token is good', async () => {
    await providerFor(server, { endSession: ownLogout, revocation: 'access_token' }).logout(tokens);
    expect(server.requests.map(({ method, endpoint }) => `${method} ${endpoint}`)).toEqual(['DELETE endSession', 'GET discovery', 'POST revocation']);
    expect(server.last('endSession')!.headers.authorization).toBe('Bearer sentinel-access');
  });

  it('is tried in both ways, and a failure of one is told', async () => {
    const endSession = (): Promise<void> => Promise.reject(new RangeError('sentinel-access'));
    const error = await rejection(providerFor(server, { endSession }).logout(tokens));
    expect(error).toMatchObject({ name: 'ProviderError', message: 'The option provider.endSession of "main" threw (RangeError).' });
    expect(server.count('revocation')).toBe(1);
  });

  it.each<[string, Answer, string]>([
    ['does not answer', answers.silence(), 'ERR_CODE_FLOW_PROVIDER_TIMEOUT'],
    ['hangs up', answers.reset(), 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'],
  ])('a server that %s holds up nobody', async (_name, answer, code) => {
    server.answers.endSession = answer;
    const error = await rejection(providerFor(server, { endSession: ownLogout }, { httpTimeoutSeconds: 0.3 }).logout({ accessToken: server.secret('token') }));
    expect(error).toMatchObject({ name: 'ProviderError', code });
    expectNoSecretIn(error, server);
  });

  it('without an access token the own call cannot be made, and says so', async () => {
    await expect(providerFor(server, { endSession: ownLogout }).logout({})).rejects.toMatchObject({ name: 'ProviderError' });
    expect(server.requests).toEqual([]);
  });
});

describe('RP-initiated logout', () => {
  const request = { idTokenHint: 'sentinel-id-token', postLogoutRedirectUri: 'https://app.example.com/' };

  it('names the login, the app and the way back', async () => {
    const url = await providerFor(server).endSessionUrl(request);
    expect(url?.origin).toBe(server.issuer);
    expect(Object.fromEntries(url!.searchParams)).toEqual({
      id_token_hint: 'sentinel-id-token',
      client_id: 'web',
      post_logout_redirect_uri: 'https://app.example.com/',
    });
  });

  it('goes without an ID Token', async () => {
    const url = await providerFor(server).endSessionUrl({ postLogoutRedirectUri: 'https://app.example.com/' });
    expect(url!.searchParams.has('id_token_hint')).toBe(false);
  });

  it('is not there on every server', async () => {
    server.changeMetadata = ({ end_session_endpoint: _, ...metadata }) => metadata;
    await expect(providerFor(server).endSessionUrl(request)).resolves.toBeUndefined();
  });

  it('never sends the browser to a script', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, end_session_endpoint: 'javascript:alert(1)' });
    const error = await rejection(providerFor(server).endSessionUrl(request));
    expect(error).toMatchObject({ name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID' });
    expect(String(error)).not.toContain('sentinel');
  });
});
