/** Revocation and RP-initiated logout, also where the server does not play along. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answers, startLyingServer, type LyingServer } from '../support/lying-server.js';
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
    await expect(providerFor(server).revoke('t', 'access_token')).resolves.toBe(true);
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
