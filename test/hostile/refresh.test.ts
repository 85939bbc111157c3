/** Refreshes: which answers keep a login, which end it, and that no rotated refresh token is lost. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPair } from 'jose';
import type { Provider, RefreshOutcome } from '../../lib/provider/provider.js';
import type { TokenResponse } from '../../lib/types.js';
import { answers, startLyingServer, type Answer, type Json, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, type Dependencies } from './client.js';

let server: LyingServer;
let provider: Provider;
let login: TokenResponse;

beforeEach(async () => {
  server = await startLyingServer();
  await logIn();
});
afterEach(() => server.close());

async function logIn(dependencies: Dependencies = {}): Promise<void> {
  provider = providerFor(server, {}, dependencies);
  const { callback, checks } = await goToCallback(provider, server);
  login = await provider.exchangeCode(callback, checks);
  server.requests.length = 0;
}

/** With a provider that has not seen the keys yet. */
async function refresh(dependencies: Dependencies = {}, idToken = login.idToken): Promise<RefreshOutcome> {
  const outcome = await providerFor(server, {}, dependencies).refresh(login.refreshToken!, { idToken });
  if ('error' in outcome) expectNoSecretIn(outcome.error, server);
  return outcome;
}

const rotated = expect.stringMatching(/^sentinel-refresh-token/);

describe('an honest server', () => {
  it('gives a verified answer in one token request', async () => {
    expect(await refresh()).toMatchObject({ kind: 'tokens', tokens: { refreshToken: rotated, expiresInSeconds: 300, claims: { sub: 'alice' } } });
    expect(server.count('token')).toBe(1);
    expect(server.last('token')?.body.get('refresh_token')).toBe(login.refreshToken);
  });

  it('E13: an answer without refresh token and ID Token has none', async () => {
    server.changeTokenAnswer = ({ refresh_token: _, id_token: __, ...answer }) => answer;
    const outcome = await refresh();
    expect(outcome).toMatchObject({ kind: 'tokens', tokens: { accessToken: expect.any(String) } });
    expect(outcome).not.toHaveProperty('tokens.refreshToken');
    expect(outcome).not.toHaveProperty('tokens.idToken');
  });

  it('is asked for a resource and a scope', async () => {
    await provider.refresh(login.refreshToken!, { resource: 'https://api.example.com/', scope: 'read' });
    expect(Object.fromEntries(server.last('token')!.body)).toMatchObject({ resource: 'https://api.example.com/', scope: 'read' });
  });
});

it('E3: a deadline that is over, because the server was long to be found, say, sends no token', async () => {
  expect(await provider.refresh(login.refreshToken!, { deadline: AbortSignal.abort() })).toMatchObject({ kind: 'failed', error: { name: 'ProviderError' } });
  expect(server.count('token')).toBe(0);
  expect(await provider.refresh(login.refreshToken!, { deadline: AbortSignal.timeout(60_000) })).toMatchObject({ kind: 'tokens' });
});

describe('refusals', () => {
  const page = { 'content-type': 'text/html' };
  const certain = { kind: 'refused', certain: true };
  const probable = { kind: 'refused', certain: false };
  const failed = (code: string, more = {}): object => ({ kind: 'failed', error: { name: 'ProviderError', code, ...more } });
  const client = failed('ERR_CODE_FLOW_CLIENT_REFUSED', { status: 502 });
  const unavailable = failed('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', { status: 503, retryAfterSeconds: 5 });
  const invalid = failed('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', { status: 502 });

  it.each<[string, Answer, object]>([
    ['E10: 400 invalid_grant', answers.json({ error: 'invalid_grant' }, 400), certain],
    ['401 invalid_grant', answers.json({ error: 'invalid_grant' }, 401), certain],
    ['400 invalid_request', answers.json({ error: 'invalid_request' }, 400), probable],
    ['400 and words of its own', answers.json({ error: 'token_spent' }, 400), probable],
    ['403 and words of its own', answers.json({ error: 'access_denied' }, 403), probable],
    ['GitHub, with status 200', answers.json({ error: 'bad_refresh_token' }), probable],
    ['400 and nothing', answers.text('', 400), probable],
    ['400 and an empty object', answers.json({}, 400), probable],
    ['E8: 401 invalid_client', answers.json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic' }), client],
    ['E8: 401 and nothing', answers.text('', 401), client],
    ['E8: 400 invalid_client', answers.json({ error: 'invalid_client' }, 400), client],
    ['E8: 400 unauthorized_client', answers.json({ error: 'unauthorized_client' }, 400), client],
    ['E8: 400 invalid_scope', answers.json({ error: 'invalid_scope' }, 400), client],
    ['E8: 400 unsupported_grant_type', answers.json({ error: 'unsupported_grant_type' }, 400), client],
    ['E8: 400 invalid_target', answers.json({ error: 'invalid_target' }, 400), client],
    ['E8: GitHub, with status 200', answers.json({ error: 'incorrect_client_credentials' }), client],
    ['E8: 500', answers.text('', 500), unavailable],
    ['E8: 500 that says invalid_grant', answers.json({ error: 'invalid_grant' }, 500), unavailable],
    ['E8: 408', answers.text('', 408), unavailable],
    ['E8: 425', answers.text('', 425), unavailable],
    ['E8: 429 that says invalid_grant', answers.json({ error: 'invalid_grant' }, 429), unavailable],
    ['E8: a reset', answers.reset(), unavailable],
    ['E8: a page with status 404', answers.text('<html>', 404, page), invalid],
    ['E8: a page with status 403', answers.text('<html>', 403, page), invalid],
    ['E8: a page with status 400', answers.text('<html>', 400, page), invalid],
    ['E20: a redirect', answers.redirect('http://127.0.0.1:1/'), invalid],
    ['J5: no end', answers.endlessBody(), invalid],
    ['a page with status 200', answers.text('<html>', 200, page), invalid],
    ['no access token', answers.json({ token_type: 'bearer', refresh_token: 'x' }), invalid],
  ])('%s', async (_name, answer, expected) => {
    server.answers.token = answer;
    expect(await refresh()).toMatchObject(expected);
    expect(server.count('token')).toBe(1);
  });

  it.each(['invalid_target', 'invalid_scope'])('E11: %s is about the resource, if one was asked for', async (error) => {
    server.answers.token = answers.json({ error }, 400);
    const message = expect.stringContaining(error === 'invalid_target' ? 'Check apis[].resource.' : 'clientAuthentication and scope.');
    expect(await provider.refresh(login.refreshToken!, { resource: 'https://api.example.com/' })).toMatchObject({ kind: 'failed', error: { code: 'ERR_CODE_FLOW_CLIENT_REFUSED', message }, aboutResource: true });
    expect(await refresh()).not.toHaveProperty('aboutResource');
    for (const answer of [answers.json({ error: 'invalid_client' }, 400), answers.json({ error }, 503)]) {
      server.answers.token = answer;
      const outcome = await provider.refresh(login.refreshToken!, { resource: 'https://api.example.com/' });
      expect([outcome.kind, outcome]).toEqual(['failed', expect.not.objectContaining({ aboutResource: true })]);
    }
  });

  it('honours Retry-After', async () => {
    server.answers.token = answers.text('', 503, { 'retry-after': '30' });
    expect(await refresh()).toMatchObject({ kind: 'failed', error: { retryAfterSeconds: 30 }, retryAfterSeconds: 30 });
  });

  it('E11: asks for no wait that the server did not ask for: the back-off begins at one second', async () => {
    for (const answer of [answers.text('', 503), answers.reset()]) {
      server.answers.token = answer;
      expect(await refresh()).toMatchObject({ kind: 'failed', retryAfterSeconds: undefined });
    }
  });

  it('no answer in time', async () => {
    server.answers.token = answers.silence();
    expect(await refresh({ httpTimeoutSeconds: 0.3 })).toMatchObject(failed('ERR_CODE_FLOW_PROVIDER_TIMEOUT', { status: 504, retryAfterSeconds: 5 }));
  });

  it('the metadata cannot be had: failed, without a token request', async () => {
    server.answers.discovery = answers.text('', 500);
    expect(await refresh()).toMatchObject(unavailable);
    expect(server.count('token')).toBe(0);
  });
});

describe('E17: an answer whose ID Token cannot be checked keeps its refresh token', () => {
  const unverified = (code: string): object => ({
    kind: 'unverified',
    tokens: { accessToken: expect.stringMatching(/^sentinel-access-token/), refreshToken: rotated, expiresInSeconds: 300 },
    error: { name: 'ProviderError', code },
  });

  it.each([
    ['the keys are down', answers.text('', 503), 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'],
    ['the keys hang up', answers.reset(), 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE'],
    ['the keys do not come', answers.silence(), 'ERR_CODE_FLOW_PROVIDER_TIMEOUT'],
    ['the keys are garbage', answers.text('<html>'), 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'],
  ])('%s', async (_name, answer, code) => {
    server.answers.keys = answer;
    const outcome = await refresh({ httpTimeoutSeconds: 0.5 });
    expect(outcome).toMatchObject(unverified(code));
    expect(outcome).not.toHaveProperty('tokens.idToken');
    expect(outcome).not.toHaveProperty('tokens.claims');
  });

  it.each<[string, (claims: Json) => Promise<string> | string]>([
    ['a bad signature', async (claims) => server.sign(claims, {}, (await generateKeyPair('RS256')).privateKey)],
    ['alg none', (claims) => server.signByHand(claims, 'none')],
    ['an expired one', (claims) => server.sign({ ...claims, exp: 1 })],
    ['no sub', ({ sub: _, ...claims }) => server.sign(claims)],
    ['no JWT', () => 'not-a-jwt'],
  ])('%s', async (_name, makeIdToken) => {
    server.makeIdToken = makeIdToken;
    const outcome = await refresh();
    expect(outcome).toMatchObject(unverified('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID'));
    expect(outcome).not.toHaveProperty('tokens.idToken');
  });
});

describe('D4: an ID Token of another login ends this one', () => {
  const foreign = { kind: 'foreign', refreshToken: rotated };
  const changes: [string, (claims: Json) => Json][] = [
    ['another sub', (claims) => ({ ...claims, sub: 'bob' })],
    ['another iss', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['another aud', (claims) => ({ ...claims, aud: 'other' })],
    ['an earlier auth_time', (claims) => ({ ...claims, auth_time: 1 })],
    ['another nonce', (claims) => ({ ...claims, nonce: 'other' })],
  ];

  it.each(changes)('%s', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    expect(await refresh()).toEqual(foreign);
  });

  it.each(changes)('%s, also while the keys are down', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign(change(claims));
    server.answers.keys = answers.text('', 503);
    expect(await refresh()).toEqual(foreign);
  });

  it('a later auth_time is no other login', async () => {
    server.makeIdToken = (claims) => server.sign({ ...claims, auth_time: 1 + (claims['auth_time'] as number) });
    expect(await refresh()).toMatchObject({ kind: 'tokens' });
  });

  it('without an ID Token of the login, iss and aud still count', async () => {
    server.makeIdToken = (claims) => server.sign({ ...claims, aud: 'other' });
    expect(await refresh({}, 'not-a-jwt')).toEqual(foreign);
  });
});
