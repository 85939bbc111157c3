/** Providers by name: listed, or found by a function of the app. */
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { systemClock, type Clock } from '../../lib/clock.js';
import { resolveOptions } from '../../lib/options.js';
import { createProviders } from '../../lib/provider-registry.js';
import type { FindProvider, ProviderOptions } from '../../lib/types.js';
import { HandClock } from '../support/hand-clock.js';

const optionsOf = (name: string): ProviderOptions => ({
  server: { issuer: `https://${name}.example.com`, authorization_endpoint: `https://${name}.example.com/auth`, token_endpoint: `https://${name}.example.com/token` },
  clientId: `client-of-${name}`,
});

function registry(providers: unknown, httpTimeoutSeconds = 5, clock: Clock = systemClock) {
  const options = resolveOptions({ providers, baseUrl: 'https://app.example.com', secret: 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa' } as never, {});
  return createProviders(options, { fetch, httpTimeoutSeconds, clock });
}

/** A function of the app with a count of how often it was asked. */
function counting(find: FindProvider): { find: FindProvider; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    find: (name) => {
      asked.push(name);
      return find(name);
    },
  };
}

const unknown = { code: 'ERR_CODE_FLOW_PROVIDER_UNKNOWN', status: 400 };

describe('a list', () => {
  it('has its first as the default, and knows no other names', async () => {
    const providers = registry({ acme: optionsOf('acme'), beta: optionsOf('beta') });
    expect([(await providers.get(undefined)).name, (await providers.get('beta')).name]).toEqual(['acme', 'beta']);
    for (const name of ['gamma', '', 'toString', '__proto__']) await expect(providers.get(name)).rejects.toMatchObject(unknown);
  });

  it('tells servers and clients apart', async () => {
    const [one, two] = [registry({ acme: optionsOf('acme') }), registry({ acme: { ...optionsOf('acme'), clientId: 'other' }, beta: optionsOf('beta') })];
    const registrations = [await one.get('acme'), await two.get('acme'), await two.get('beta')].map(({ registration }) => registration);
    expect(new Set(registrations).size).toBe(3);
    expect((await registry({ acme: optionsOf('acme') }).get('acme')).registration).toBe(registrations[0]);
  });
});

describe('a function', () => {
  it('is asked when a provider is needed, once for all who wait', async () => {
    const { find, asked } = counting(async (name) => optionsOf(name));
    const providers = registry(find);
    expect(asked).toEqual([]);
    const found = await Promise.all(Array.from({ length: 20 }, () => providers.get('t1')));
    expect([asked, new Set(found).size, found[0]?.name]).toEqual([['t1'], 1, 't1']);
  });

  it('has no default, and is not asked for what can be no name', async () => {
    const { find, asked } = counting(optionsOf);
    const providers = registry(find);
    for (const name of [undefined, '', '../t1', 'x'.repeat(65), 'a b', '"']) await expect(providers.get(name)).rejects.toMatchObject(unknown);
    expect(asked).toEqual([]);
  });

  it('serves thousands of tenants in bounded memory: the least recently used are looked up again', async () => {
    const { find, asked } = counting(optionsOf);
    const providers = registry(find);
    await Promise.all(Array.from({ length: 1000 }, (_, index) => providers.get(`t${index}`)));
    expect(asked).toHaveLength(1000);
    await providers.get('t999');
    expect(asked).toHaveLength(1000);
    expect((await providers.get('t0')).name).toBe('t0');
    expect(asked).toHaveLength(1001);
  });

  it('is asked about 2,000 names at once that nobody knows: each is refused, and no known one is pushed out', async () => {
    let answer: (() => void) | undefined;
    const held = new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
    const { find, asked } = counting((name) => (name === 't1' ? optionsOf(name) : held));
    const providers = registry(find);
    const known = await providers.get('t1');
    const refused = Promise.allSettled(Array.from({ length: 2000 }, (_, index) => providers.get(`nobody${index}`)));
    expect([await providers.get('t1'), asked.filter((name) => name === 't1').length]).toEqual([known, 1]);
    answer?.();
    for (const outcome of await refused) expect(outcome).toMatchObject({ status: 'rejected', reason: unknown });
    expect([await providers.get('t1'), asked.filter((name) => name === 't1').length]).toEqual([known, 1]);
  });

  it('says who is not known, each time anew', async () => {
    const known = new Set<string>();
    const { find, asked } = counting((name) => (known.has(name) ? optionsOf(name) : undefined));
    const providers = registry(find);
    await expect(providers.get('late')).rejects.toMatchObject(unknown);
    known.add('late');
    expect((await providers.get('late')).name).toBe('late');
    expect(asked).toEqual(['late', 'late']);
  });

  it.each<[string, FindProvider]>([
    ['throws', () => { throw new TypeError('sentinel: the password of the database'); }],
    ['rejects', () => Promise.reject(new TypeError('sentinel: the password of the database'))],
  ])('that %s is down, not wrong: 503, nothing of its error is told, and the next time it is asked again', async (_, failing) => {
    let find = failing;
    const providers = registry((name: string) => find(name));
    const error = await providers.get('t1').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 });
    expect((error as Error).message).toBe('the function `providers` failed with TypeError');
    expect(inspect(error, { showHidden: true, depth: null })).not.toContain('sentinel');
    find = optionsOf;
    expect((await providers.get('t1')).name).toBe('t1');
  });

  it('is asked again after ten minutes; while it fails, what it said before goes on to count', async () => {
    const clock = new HandClock();
    let clientId = 'first';
    let fails = false;
    const { find, asked } = counting((name) => (fails ? Promise.reject(new Error('down')) : { ...optionsOf(name), clientId }));
    const providers = registry(find, 5, clock);
    const [first, soon] = [await providers.get('t1'), await providers.get('t1')];
    expect([soon, asked.length]).toEqual([first, 1]);
    [clientId, fails] = ['second', true];
    clock.forward(700);
    expect([await providers.get('t1'), asked.length]).toEqual([first, 2]);
    fails = false;
    clock.forward(6);
    expect((await providers.get('t1')).registration).not.toBe(first.registration);
    expect(asked).toHaveLength(3);
  });

  it('that never answers is given up', async () => {
    const providers = registry(() => new Promise(() => undefined), 0.05);
    await expect(providers.get('t1')).rejects.toMatchObject({ status: 503, message: 'the function `providers` failed: it took too long' });
  });

  it.each<[unknown, string]>([
    ['https://id.example.com', 'option `providers("t1")` must be an object'],
    [{ clientId: 'web' }, 'option `providers("t1").issuer` is missing'],
    [{ ...optionsOf('t1'), callbackPath: '/elsewhere' }, 'option `providers("t1").callbackPath` must be "/callback" or "/callback/t1"'],
  ])('that finds %j has made a mistake, which is named', async (found, message) => {
    await expect(registry(() => found).get('t1')).rejects.toMatchObject({ message: expect.stringContaining(message), status: 500 });
  });

  it('a login that exists waits for its provider instead of ending', async () => {
    const providers = registry(() => undefined);
    expect(providers.of('gone', undefined).name).toBe('gone');
    const outcome = await providers.of('gone', undefined).refresh('a refresh token', {});
    expect(outcome).toMatchObject({ kind: 'failed', error: { status: 503, message: expect.stringContaining('"gone"') } });
  });
});
