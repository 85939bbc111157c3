/** Finding the server's metadata when the server is down, slow, wrong or somebody else. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answers, startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, HandClock, providerFor, redirectUri, rejection } from './client.js';
import type { Provider } from '../../lib/provider/provider.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

const begin = (provider: Provider): Promise<URL> =>
  provider.authorizationUrl({ state: 's', nonce: 'n', codeVerifier: 'v', redirectUri, parameters: {} });
const invalid = { name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 };
const unavailable = { name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 };

it('J1: nothing is sent before the first use', () => {
  providerFor(server);
  expect(server.requests).toEqual([]);
});

it('fifty first logins at once make one discovery request', async () => {
  const provider = providerFor(server);
  const urls = await Promise.all(Array.from({ length: 50 }, () => begin(provider)));
  expect(new Set(urls.map(({ origin }) => origin))).toEqual(new Set([server.issuer]));
  expect(server.count('discovery')).toBe(1);
});

it('fifty first logins at once at a broken server make one discovery request and get one answer', async () => {
  server.answers.discovery = answers.text('', 500);
  const provider = providerFor(server);
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => begin(provider)));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(server.count('discovery')).toBe(1);
});

describe('RFC 8414', () => {
  it('is asked when there is no OpenID Connect discovery', async () => {
    server.answers.discovery = answers.text('', 404);
    server.answers.oauthDiscovery = answers.json(server.metadata());
    const provider = providerFor(server, { scope: 'read' });
    const { callback, checks } = await goToCallback(provider, server);
    await expect(provider.exchangeCode(callback, checks)).resolves.toMatchObject({ expiresInSeconds: 300 });
  });

  it('is not asked when OpenID Connect discovery fails in another way', async () => {
    server.answers.discovery = answers.text('', 500);
    await expect(begin(providerFor(server))).rejects.toMatchObject(unavailable);
    expect(server.count('oauthDiscovery')).toBe(0);
  });

  it('knows nothing either: the error names the issuer and the way out', async () => {
    server.answers.discovery = answers.text('', 404);
    const error = await rejection(begin(providerFor(server)));
    expect(error).toMatchObject({ ...invalid, message: expect.stringMatching(new RegExp(`${server.issuer}/.*provider\\.server`)) });
  });

  it('shares the time with the first request', async () => {
    server.answers.discovery = answers.text('', 404);
    server.answers.oauthDiscovery = answers.silence();
    await expect(begin(providerFor(server, {}, { httpTimeoutSeconds: 0.3 }))).rejects.toMatchObject({
      code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT',
      status: 504,
      retryAfterSeconds: 5,
    });
  });
});

describe('wrong answers', () => {
  it('D3: metadata of another issuer are refused, and the message names the expected one', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, issuer: 'https://evil.example' });
    const error = await rejection(begin(providerFor(server)));
    expect(error).toMatchObject({ ...invalid, message: expect.stringContaining(`"${server.issuer}/"`) });
    expect(String(error)).not.toContain('evil');
    expectNoSecretIn(error, server);
  });

  it.each<[string, (metadata: Json) => Json]>([
    ['no issuer', ({ issuer: _, ...metadata }) => metadata],
    ['an issuer that is no URL', (metadata) => ({ ...metadata, issuer: 'x' })],
    ['D9: no endpoints', ({ issuer }) => ({ issuer })],
    ['D9: a token endpoint that is no URL', (metadata) => ({ ...metadata, token_endpoint: '/token' })],
    ['D9: a script for an authorization endpoint', (metadata) => ({ ...metadata, authorization_endpoint: 'javascript:alert(1)' })],
  ])('%s: refused', async (_name, change) => {
    server.changeMetadata = change;
    await expect(begin(providerFor(server))).rejects.toMatchObject(invalid);
  });

  it.each([
    ['a page', answers.text('<html>')],
    ['a redirect', answers.redirect('/elsewhere', 301)],
    ['no end', answers.endlessBody()],
    ['a list', answers.json([])],
  ])('%s: refused', async (_name, answer) => {
    server.answers.discovery = answer;
    await expect(begin(providerFor(server))).rejects.toMatchObject(invalid);
  });

  it('http endpoints are refused where only https is allowed', async () => {
    const { host } = new URL(server.issuer);
    const metadata = { ...server.metadata(), issuer: `https://${host}` };
    const provider = providerFor(
      server,
      { issuer: new URL(`https://${host}`), allowHttp: false },
      { fetch: () => Promise.resolve(Response.json(metadata)) },
    );
    await expect(begin(provider)).rejects.toMatchObject(invalid);
  });
});

describe('down, then up (J1)', () => {
  it('while backing off, callers get 503 at once; one back-off after recovery a login works', async () => {
    server.answers.discovery = answers.text('', 503);
    const clock = new HandClock();
    const provider = providerFor(server, {}, { clock });
    await expect(begin(provider)).rejects.toMatchObject(unavailable);

    const again = await rejection(begin(provider));
    expect(again).toMatchObject({ ...unavailable, retryAfterSeconds: expect.any(Number) });
    const { retryAfterSeconds } = again as { retryAfterSeconds: number };
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(retryAfterSeconds).toBeLessThanOrEqual(2);
    expect(server.count('discovery')).toBe(1);

    delete server.answers.discovery;
    clock.forward(retryAfterSeconds);
    await expect(begin(provider)).resolves.toBeInstanceOf(URL);
    expect(server.count('discovery')).toBe(2);
  });

  it('a long outage makes one request per back-off, and the back-off ends at 36 s', async () => {
    server.answers.discovery = answers.text('', 503);
    const clock = new HandClock();
    const provider = providerFor(server, {}, { clock });
    for (let second = 0; second < 300; second += 1) {
      await expect(begin(provider)).rejects.toMatchObject(unavailable);
      clock.forward(1);
    }
    // 1 + 2 + 4 + 8 + 16 s, then every 30 s, each give or take 20 %.
    expect(server.count('discovery')).toBeGreaterThanOrEqual(11);
    expect(server.count('discovery')).toBeLessThanOrEqual(20);
    delete server.answers.discovery;
    clock.forward(36);
    await expect(begin(provider)).resolves.toBeInstanceOf(URL);
  });

  it('a wrong issuer keeps its own message while backing off', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, issuer: 'https://evil.example' });
    const provider = providerFor(server);
    const first = (await rejection(begin(provider))) as Error;
    const second = (await rejection(begin(provider))) as Error;
    expect(second).toMatchObject({ ...invalid, message: first.message });
    expect(server.count('discovery')).toBe(1);
  });

  it('what was found is kept while the server is down', async () => {
    const provider = providerFor(server);
    await begin(provider);
    server.answers.discovery = answers.text('', 503);
    await begin(provider);
    expect(server.count('discovery')).toBe(1);
  });
});
