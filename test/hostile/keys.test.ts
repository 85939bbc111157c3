/** D6: keys that change, tokens that name keys which nobody has, and how often the server is asked for them. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import { createKeySet } from '../../lib/provider/key-set.js';
import type { Provider } from '../../lib/provider/provider.js';
import type { TokenResponse } from '../../lib/types.js';
import { answers, startLyingServer, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, HandClock, providerFor, rejection } from './client.js';

interface Key {
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

async function makeKey(kid: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }, privateKey };
}

let next: Key;
let server: LyingServer;
let provider: Provider;
let clock: HandClock;
beforeAll(async () => {
  next = await makeKey('next');
});
beforeEach(async () => {
  server = await startLyingServer();
  clock = new HandClock();
  provider = providerFor(server, {}, { clock });
});
afterEach(() => server.close());

const invalid = { name: 'LoginError', code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID', status: 400 };

async function login(at = provider): Promise<TokenResponse> {
  const { callback, checks } = await goToCallback(at, server);
  return at.exchangeCode(callback, checks);
}

/** As a server does it: the new key beside the old one, or instead of it. */
function rotate({ jwk, privateKey }: Key, keepOld = true): void {
  server.keys = keepOld ? [...server.keys, jwk] : [jwk];
  server.makeIdToken = (claims) => server.sign(claims, { kid: jwk.kid }, privateKey);
}

describe('a key that changed', () => {
  it.each([
    ['beside the old one', true],
    ['in place of the old one', false],
  ])('D6, FAULTS 41: a moment after we fetched them, %s: one more request, and nobody notices', async (_name, keepOld) => {
    await login();
    rotate(next, keepOld);
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(2);
  });

  it('D6: between two refreshes', async () => {
    const { refreshToken, idToken } = await login();
    rotate(next);
    expect(await provider.refresh(refreshToken!, { idToken })).toMatchObject({ kind: 'tokens', tokens: { claims: { sub: 'alice' } } });
    expect(server.count('keys')).toBe(2);
  });

  it('D6: for twenty logins at once: one more request for all of them', async () => {
    await login();
    rotate(next);
    const logins = await Promise.all(Array.from({ length: 20 }, () => login()));
    expect(logins.map(({ claims }) => claims?.sub)).toEqual(Array.from({ length: 20 }, () => 'alice'));
    expect(server.count('keys')).toBe(2);
  });

  it('D6: with a hybrid answer, in the ID Token that the browser brings', async () => {
    const hybrid = providerFor(server, { responseType: 'code id_token', responseMode: 'form_post' }, { clock });
    await login(hybrid);
    rotate(next);
    server.makeFrontIdToken = server.makeIdToken;
    await expect(login(hybrid)).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(2);
  });

  it('D6: that was withdrawn is not believed for longer than five minutes', async () => {
    await login();
    server.keys = [next.jwk];
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
    clock.forward(301);
    expect(await rejection(login())).toMatchObject(invalid);
  });
});

it('a key is imported once for as long as it is kept, however many ID Tokens it signed', async () => {
  const importKey = jest.spyOn(crypto.subtle, 'importKey');
  try {
    for (let round = 0; round < 3; round += 1) {
      const { refreshToken, idToken } = await login();
      expect(await provider.refresh(refreshToken!, { idToken })).toMatchObject({ kind: 'tokens' });
    }
    expect(importKey).toHaveBeenCalledTimes(1);
    clock.forward(301);
    await login();
    expect(importKey).toHaveBeenCalledTimes(2);
  } finally {
    importKey.mockRestore();
  }
});

describe('a key that nobody has', () => {
  it('D6: a thousand ID Tokens with as many made-up kids: two requests for the keys', async () => {
    let made = 0;
    server.makeIdToken = (claims) => server.signByHand(claims, 'RS256', `${(made += 1)}`).replace(/^[^.]+/, header(`kid-${made}`));
    for (let round = 0; round < 20; round += 1) {
      const errors = await Promise.all(Array.from({ length: 50 }, () => rejection(login())));
      for (const error of errors) expect(error).toMatchObject(invalid);
    }
    expect([made, server.count('token'), server.count('keys')]).toEqual([1000, 1000, 2]);
    // Nobody else is kept out by that, not even by a new key once the minute is over.
    server.makeIdToken = (claims) => server.sign(claims);
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
    rotate(next);
    clock.forward(61);
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(3);
  }, 360_000);

  it('D6: while the keys are down: one request, its failure for whoever comes within the minute, and the known keys as good as before', async () => {
    await login();
    server.answers.keys = answers.text('', 503);
    server.makeIdToken = (claims) => server.sign(claims, { kid: 'unknown' });
    for (let times = 0; times < 5; times += 1) {
      const error = await rejection(login());
      expect(error).toMatchObject({ name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 });
      expectNoSecretIn(error, server);
    }
    expect(server.count('keys')).toBe(2);
    server.makeIdToken = (claims) => server.sign(claims);
    await expect(login()).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(2);
  });

  it.each([['a number', 7], ['nothing', ''], ['an object', {}], ['100 KB', 'x'.repeat(100_000)]])('D6: its kid is %s: refused, with two requests at most', async (_name, kid) => {
    server.makeIdToken = async (claims) => (await server.sign(claims)).replace(/^[^.]+/, header(kid));
    expect(await rejection(login())).toMatchObject(invalid);
    expect(server.count('keys')).toBeLessThanOrEqual(2);
  });
});

const header = (kid: unknown): string => Buffer.from(JSON.stringify({ alg: 'RS256', kid })).toString('base64url');

describe('the keys in memory', () => {
  const keys = (...kids: string[]) => ({ keys: kids.map((kid) => ({ kid })) });

  it('are fetched again after a failure, and after five minutes', async () => {
    const set = createKeySet(clock);
    await expect(set.get('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await set.get('a', () => Promise.resolve(keys('a')))).toEqual(keys('a'));
    clock.forward(299);
    expect(await set.get('a', () => Promise.reject(new Error('not asked')))).toEqual(keys('a'));
    clock.forward(2);
    expect(await set.get('a', () => Promise.resolve(keys('a', 'b')))).toEqual(keys('a', 'b'));
  });

  it('that came with a second request take the place of the first ones', async () => {
    const set = createKeySet(clock);
    await set.get('a', () => Promise.resolve(keys('a')));
    expect(await set.get('b', () => Promise.resolve(keys('b')))).toEqual(keys('b'));
    clock.forward(200);
    expect(await set.get(undefined, () => Promise.reject(new Error('not asked')))).toEqual(keys('b'));
  });
});
