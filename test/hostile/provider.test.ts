/** Logins at a server that lies in one way at a time. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ResolvedProvider } from '../../lib/types.js';
import { answers, startLyingServer, type Answer, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, redirectUri, rejection, type Dependencies } from './client.js';

/** Small on the way, and no end of it when it is unpacked. */
const bomb: Answer = (res) => void res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')));

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

/** The error of a login with this token answer. */
async function loginRefused(prepare: () => void, dependencies: Dependencies = {}): Promise<unknown> {
  const provider = providerFor(server, {}, dependencies);
  const { callback, checks } = await goToCallback(provider, server);
  prepare();
  const error = await rejection(provider.exchangeCode(callback, checks));
  expectNoSecretIn(error, server);
  return error;
}

describe('an honest server', () => {
  it('logs the user in, with PKCE, nonce, one token request and the redirect_uri that was registered', async () => {
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    const tokens = await provider.exchangeCode(callback, checks);
    expect(tokens).toMatchObject({ expiresInSeconds: 300, claims: { iss: server.issuer, sub: 'alice', nonce: checks.nonce } });
    expect(tokens.accessToken).toMatch(/^sentinel-access-token/);
    expect(tokens.refreshToken).toMatch(/^sentinel-refresh-token/);
    expect(tokens.idToken?.split('.')).toHaveLength(3);
    expect(server.count('token')).toBe(1);
    expect(server.last('token')?.body.get('redirect_uri')).toBe(redirectUri);
    expect(server.last('token')?.body.get('code_verifier')).toBe(checks.codeVerifier);
  });

  it('asks for a code with S256 and exactly the configured scope', async () => {
    const url = await providerFor(server, { scope: 'openid offline_access', authorizationParams: { prompt: 'consent' } }).authorizationUrl({
      state: 's',
      nonce: 'n',
      codeVerifier: 'v',
      redirectUri,
      parameters: { login_hint: 'alice' },
    });
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'web',
      redirect_uri: redirectUri,
      scope: 'openid offline_access',
      state: 's',
      nonce: 'n',
      code_challenge: createHash('sha256').update('v').digest('base64url'),
      code_challenge_method: 'S256',
      prompt: 'consent',
      login_hint: 'alice',
    });
  });

  it('asks for no nonce and needs no ID Token without openid in the scope', async () => {
    const provider = providerFor(server, { scope: 'read' });
    const { callback, checks } = await goToCallback(provider, server);
    expect(server.last('authorize')?.url.searchParams.has('nonce')).toBe(false);
    const tokens = await provider.exchangeCode(callback, checks);
    expect(tokens).not.toHaveProperty('idToken');
    expect(tokens).not.toHaveProperty('claims');
  });

  it('A16: no parameter of a request or of the options takes the place of a protocol parameter', async () => {
    const evil = Object.fromEntries(
      ['response_type', 'response_mode', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri'].map(
        (name) => [name, 'evil'],
      ),
    );
    const provider = providerFor(server, { authorizationParams: evil });
    const url = await provider.authorizationUrl({ state: 's', nonce: 'n', codeVerifier: 'v', redirectUri, parameters: evil });
    expect(url.href).not.toContain('evil');
    expect(new Set(url.searchParams.keys()).size).toBe([...url.searchParams.keys()].length);
  });

  it('A16: a parameter of the request takes the place of a configured one', async () => {
    const provider = providerFor(server, { authorizationParams: { prompt: 'consent' } });
    const url = await provider.authorizationUrl({ state: 's', nonce: 'n', codeVerifier: 'v', redirectUri, parameters: { prompt: 'login' } });
    expect(url.searchParams.getAll('prompt')).toEqual(['login']);
  });

  it('describes a server by hand: no discovery', async () => {
    const provider = providerFor(server, { issuer: undefined, server: server.metadata() });
    const { callback, checks } = await goToCallback(provider, server);
    await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('discovery') + server.count('oauthDiscovery')).toBe(0);
  });
});

describe('the token endpoint', () => {
  const invalid = { code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 };
  const unavailable = { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503, retryAfterSeconds: 5 };
  const client = { code: 'ERR_CODE_FLOW_CLIENT_REFUSED', status: 502 };
  const code = { code: 'ERR_CODE_FLOW_CODE_REFUSED', status: 400 };
  const page = { 'content-type': 'text/html' };

  const lies: [string, Answer, object][] = [
    ['E20: redirects', answers.redirect('http://127.0.0.1:1/'), invalid],
    ['J5: never stops', answers.endlessBody(), invalid],
    ['J5: sends 257 KB', answers.json({ access_token: 'x', token_type: 'bearer', rest: 'x'.repeat(257 * 1024) }), invalid],
    ['J5: sends 64 MB in 64 KB', bomb, invalid],
    ['resets the connection', answers.reset(), unavailable],
    ['A18: sends {}', answers.json({}), invalid],
    ['A18: sends an error with status 200', answers.json({ error: 'invalid_grant' }), invalid],
    ['A18: sends a page', answers.text('<html>', 200, page), invalid],
    ['A18: sends half a JSON text', answers.text('{"access_token":"x', 200, { 'content-type': 'application/json' }), invalid],
    ['A18: sends null', answers.json(null), invalid],
    ['A18: sends a list', answers.json([]), invalid],
    ['sends nothing', answers.text('', 204), invalid],
    ['has a bad moment', answers.json({}, 500), unavailable],
    ['is busy', answers.json({}, 429, { 'retry-after': '30' }), { ...unavailable, retryAfterSeconds: 30 }],
    ['is too early', answers.json({}, 425), unavailable],
    ['is busy for ever', answers.json({}, 503, { 'retry-after': '99999999' }), { ...unavailable, retryAfterSeconds: 3600 }],
    ['says so with 400', answers.json({ error: 'temporarily_unavailable' }, 400), unavailable],
    ['refuses the code', answers.json({ error: 'invalid_grant' }, 400), code],
    ['refuses the code with 403 invalid_code', answers.json({ error: 'invalid_code' }, 403), code],
    ['refuses the code with 401 invalid_request', answers.json({ error: 'invalid_request' }, 401, { 'www-authenticate': 'Bearer' }), code],
    ['refuses the code without a word', answers.text('', 400), code],
    ['refuses the secret', answers.json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' }), client],
    ['refuses the secret without a word', answers.text('', 401), client],
    ['refuses the secret with 400', answers.json({ error: 'invalid_client' }, 400), client],
    ['refuses the client', answers.json({ error: 'unauthorized_client' }, 400), client],
    ['refuses the scope', answers.json({ error: 'invalid_scope' }, 400), client],
    ['refuses the grant type', answers.json({ error: 'unsupported_grant_type' }, 400), client],
    ['is not there', answers.text('<html>', 404, page), invalid],
    ['is a proxy that refuses', answers.text('<html>', 400, page), invalid],
  ];

  it.each(lies)('%s', async (_name, answer, expected) => {
    expect(await loginRefused(() => (server.answers.token = answer))).toMatchObject(expected);
    expect(server.count('token')).toBe(1);
  });

  it.each([
    ['no answer', answers.silence()],
    ['a body without an end', answers.stalledBody()],
  ])('%s: the login ends at the timeout', async (_name, answer) => {
    const started = performance.now();
    const error = await loginRefused(() => (server.answers.token = answer), { httpTimeoutSeconds: 0.3 });
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT', status: 504, retryAfterSeconds: 5 });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('a fetch that ignores every signal cannot hold up a login', async () => {
    const deaf: typeof fetch = (input, init) => (init?.method === 'POST' ? new Promise(() => undefined) : fetch(input, init));
    const error = await loginRefused(() => undefined, { fetch: deaf, httpTimeoutSeconds: 0.3 });
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT' });
  });

  it('E20: nothing arrives where a redirect points to', async () => {
    await loginRefused(() => (server.answers.token = answers.redirect(`${server.issuer}/elsewhere`)));
    expect(server.requests.filter(({ url }) => url.pathname === '/elsewhere')).toEqual([]);
  });

  it('E20: a fetch that follows redirects does not get through', async () => {
    const following: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'follow' });
    server.answers.oauthDiscovery = answers.json({ access_token: 'sentinel', token_type: 'bearer' });
    const target = `${server.issuer}/.well-known/oauth-authorization-server`;
    const error = await loginRefused(() => (server.answers.token = answers.redirect(target, 303)), { fetch: following });
    expect(error).toMatchObject(invalid);
  });

  it.each([
    ['no access token', { access_token: undefined }],
    ['an empty access token', { access_token: '' }],
    ['an access token that is a number', { access_token: 1 }],
    ['F5: an access token with a line break', { access_token: 'sentinel\r\nX-Evil: y' }],
    ['F5: an access token with a space', { access_token: 'sentinel token' }],
    ['F5: an access token beyond ASCII', { access_token: 'sentinel-ü' }],
    ['another token type', { token_type: 'mac' }],
    ['a token type bound to a key that we do not have', { token_type: 'DPoP' }],
    ['no token type', { token_type: undefined }],
    ['a scope that is a number', { scope: 7 }],
  ])('answers with %s', async (_name, change) => {
    const error = await loginRefused(() => (server.changeTokenAnswer = (answer) => ({ ...answer, ...change })));
    expect(error).toMatchObject(invalid);
    expect(String(error)).not.toMatch(/sentinel/);
  });

  it.each([
    ['3600', 3600],
    [-1, 0],
    [0, 0],
    [0.5, 0],
    [1e300, 31_536_000],
    ['soon', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('D7: expires_in %p is taken for %p', async (sent, understood) => {
    server.changeTokenAnswer = (answer) => ({ ...answer, expires_in: sent });
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    expect((await provider.exchangeCode(callback, checks)).expiresInSeconds).toBe(understood);
  });

  it('takes bearer in any case, and a content type with a charset', async () => {
    server.changeTokenAnswer = (answer) => ({ ...answer, token_type: 'BEARER', refresh_token: '', scope: '' });
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    const tokens = await provider.exchangeCode(callback, checks);
    expect(tokens).toMatchObject({ scope: '' });
    expect(tokens).not.toHaveProperty('refreshToken');
  });
});

describe('client authentication', () => {
  async function tokenRequest(changes: Partial<ResolvedProvider>): Promise<{ authorization: string | undefined; secret: string | null; id: string | null }> {
    const provider = providerFor(server, changes);
    const { callback, checks } = await goToCallback(provider, server);
    await provider.exchangeCode(callback, checks);
    const { headers, body } = server.last('token')!;
    const authorization = headers.authorization === undefined ? undefined : Buffer.from(headers.authorization.slice(6), 'base64').toString();
    return { authorization, secret: body.get('client_secret'), id: body.get('client_id') };
  }

  it('is HTTP Basic when the metadata is silent, and leaves hyphens, underscores and dots alone', async () => {
    expect(await tokenRequest({})).toEqual({ authorization: `web:${server.clientSecret}`, secret: null, id: null });
  });

  it('goes into the body when the metadata knows only that', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_post'] });
    expect(await tokenRequest({})).toEqual({ authorization: undefined, secret: server.clientSecret, id: 'web' });
  });

  it('is what the options say, whatever the metadata says', async () => {
    expect(await tokenRequest({ clientAuthentication: 'client_secret_post' })).toMatchObject({ authorization: undefined, secret: server.clientSecret });
  });

  it('is the id alone for a public client', async () => {
    expect(await tokenRequest({ clientSecret: undefined })).toEqual({ authorization: undefined, secret: null, id: 'web' });
  });
});

describe('the callback', () => {
  it.each<[string, (callback: URL) => void, object]>([
    ['A7: iss of another server', ({ searchParams }) => searchParams.set('iss', 'https://evil.example'), { code: 'ERR_CODE_FLOW_ISSUER_MISMATCH' }],
    ['A7: no iss although the server promised it', ({ searchParams }) => searchParams.delete('iss'), { code: 'ERR_CODE_FLOW_ISSUER_MISMATCH' }],
    ['A2: another state', ({ searchParams }) => searchParams.set('state', 'other'), { code: 'ERR_CODE_FLOW_STATE_UNKNOWN' }],
    ['A2: no state', ({ searchParams }) => searchParams.delete('state'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['A8: two states', ({ searchParams }) => searchParams.append('state', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['A8: two codes', ({ searchParams }) => searchParams.append('code', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['A8: two issuers', ({ searchParams }) => searchParams.append('iss', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['no code', ({ searchParams }) => searchParams.delete('code'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['an ID Token in the query', ({ searchParams }) => searchParams.set('id_token', 'x'), { code: 'ERR_CODE_FLOW_CALLBACK_INVALID' }],
    ['the user refused', ({ searchParams }) => searchParams.set('error', 'access_denied'), { code: 'ERR_CODE_FLOW_LOGIN_REFUSED', providerError: 'access_denied' }],
    ['a consent is missing', ({ searchParams }) => searchParams.set('error', 'consent_required'), { providerError: 'consent_required' }],
  ])('%s: refused before any token request', async (_name, change, expected) => {
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    change(callback);
    const error = await rejection(provider.exchangeCode(callback, checks));
    expect(error).toMatchObject({ name: 'LoginError', status: 400, ...expected });
    expect(server.count('token')).toBe(0);
    expectNoSecretIn(error, server);
  });

  it('I1: an error code that is not registered is not repeated', async () => {
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    callback.searchParams.set('error', '<script>');
    callback.searchParams.set('error_description', '<script>');
    const error = await rejection(provider.exchangeCode(callback, checks));
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REFUSED', providerError: undefined });
    expect(String(error)).not.toContain('script');
  });

  it.each<[string, Partial<ResolvedProvider>]>([
    ['the code in the query', {}],
    ['the code by form_post', { responseMode: 'form_post' }],
    ['code id_token', { responseType: 'code id_token', responseMode: 'form_post' }],
    ['code id_token in the query', { responseType: 'code id_token' }],
    ['plain OAuth 2.0', { scope: 'read' }],
    ['a public client', { clientSecret: undefined }],
    ['a token request in JSON', { tokenRequestFormat: 'json' }],
    ['options that ask for another method', { authorizationParams: { code_challenge_method: 'plain', code_challenge: 'evil' } }],
  ])('A13: PKCE with S256 and its verifier, with %s', async (_name, changes) => {
    const provider = providerFor(server, changes);
    const { callback, checks } = await goToCallback(provider, server);
    await provider.exchangeCode(callback, checks);
    const { searchParams } = server.last('authorize')!.url;
    const challenge = createHash('sha256').update(checks.codeVerifier).digest('base64url');
    expect([searchParams.getAll('code_challenge_method'), searchParams.getAll('code_challenge')]).toEqual([['S256'], [challenge]]);
    expect(server.last('token')!.body.getAll('code_verifier')).toEqual([checks.codeVerifier]);
  });

  it.each(['state', 'nonce', 'codeVerifier'] as const)('A13: without a %s of our own nothing is sent', async (name) => {
    const provider = providerFor(server);
    const { callback, checks } = await goToCallback(provider, server);
    await expect(provider.exchangeCode(callback, { ...checks, [name]: '' })).rejects.toMatchObject({ name: 'LoginError' });
    await expect(provider.exchangeCode(callback, { ...checks, [name]: undefined })).rejects.toMatchObject({ name: 'LoginError' });
    expect(server.count('token')).toBe(0);
  });
});
