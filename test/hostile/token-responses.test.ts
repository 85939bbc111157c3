/** Token responses as servers really write them, through the whole of a login and a refresh, made up by fast-check. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Provider } from '../../lib/provider/provider.js';
import type { TokenResponse } from '../../lib/types.js';
import { answers, startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';
import { providerFor } from './client.js';

let server: LyingServer;
let provider: Provider;
beforeAll(async () => {
  server = await startLyingServer();
  provider = providerFor(server, { scope: 'read' });
});
afterEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.close());

/** What one answer of the token endpoint, to the code and to the refresh token alike, is understood as; the code of the error where it is refused. */
async function understood(answer: unknown, headers: Record<string, string> = {}): Promise<TokenResponse | string> {
  server.answers.token = answers.json(answer, 200, headers);
  const callback = new URL(`https://app.example.com/callback?code=c&state=s&iss=${encodeURIComponent(server.issuer)}`);
  const login = await provider.exchangeCode(callback, { state: 's', nonce: 'n', codeVerifier: 'v' }).catch((error: unknown) => (error as { code: string }).code);
  const outcome = await provider.refresh('r', {});
  if (outcome.kind === 'tokens') expect(outcome.tokens).toEqual(login);
  else expect(outcome).toMatchObject({ kind: 'failed', error: { code: login } });
  return login;
}

const rows: [string, Json, object][] = [
  ['Aritma ID', { access_token: 'eyJ.a.b', refresh_token: 'r', token_type: 'Bearer', expires_in: 86_400 }, { expiresInSeconds: 86_400, refreshToken: 'r' }],
  ['Aidbox /oauth2', { access_token: 'f2a3c18c-42c4-4267-a472-cd97340505f2', token_type: 'bearer' }, { accessToken: 'f2a3c18c-42c4-4267-a472-cd97340505f2' }],
  ['The Identity Hub', { access_token: 'a', token_type: 'bearer', expires_in: 3600, scope: 'read', refresh_token: 'r' }, { scope: 'read', refreshToken: 'r', expiresInSeconds: 3600 }],
  ['a refresh without a new refresh token', { access_token: 'a', token_type: 'Bearer', expires_in: 3600, scope: 'read' }, { scope: 'read', expiresInSeconds: 3600 }],
  ['a reduced scope', { access_token: 'a', token_type: 'Bearer', scope: '' }, { scope: '' }],
  ['expires_in as a text', { access_token: 'a', token_type: 'Bearer', expires_in: '3600' }, { expiresInSeconds: 3600 }],
  ['a negative expires_in', { access_token: 'a', token_type: 'Bearer', expires_in: -1 }, { expiresInSeconds: 0 }],
  ['a huge expires_in', { access_token: 'a', token_type: 'Bearer', expires_in: Number.MAX_SAFE_INTEGER }, { expiresInSeconds: 31_536_000 }],
  ['an expires_in without sense', { access_token: 'a', token_type: 'Bearer', expires_in: { seconds: 1 } }, { accessToken: 'a' }],
];

describe('a token response of', () => {
  it.each(rows)('%s', async (_name, answer, expected) => {
    const tokens = await understood(answer, { 'content-type': 'application/json;charset=UTF-8' });
    expect(tokens).toMatchObject(expected);
    expect(Object.keys(tokens).includes('expiresInSeconds')).toBe('expiresInSeconds' in expected);
    expect(Object.keys(tokens).includes('refreshToken')).toBe('refreshToken' in expected);
  });

  it.each(['application/json', 'application/json;charset=UTF-8', 'APPLICATION/JSON; charset="utf-8"', 'text/plain', 'text/javascript'])('the type %s', async (type) => {
    expect(await understood({ access_token: 'a', token_type: 'bearer' }, { 'content-type': type })).toEqual({ accessToken: 'a' });
  });
});

const anyCase = (word: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: word.length, maxLength: word.length }).map((upper) => [...word].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter)).join(''));

const token = fc.string({ minLength: 1, maxLength: 40, unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) });
const scope = fc.array(fc.stringMatching(/^[a-z.:/]{1,8}$/), { maxLength: 4 }).map((scopes) => scopes.join(' '));
const lifetime = fc.oneof(fc.integer(), fc.double(), fc.nat().map(String), fc.constant(Number.MAX_VALUE));
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> => fc.oneof(some, fc.constantFrom(null, undefined));

describe('made up', () => {
  it('whatever a server leaves out or adds, the tokens are understood', async () => {
    const answer = fc.record({
      access_token: token,
      token_type: anyCase('bearer'),
      expires_in: maybe(lifetime),
      refresh_token: maybe(token),
      scope: maybe(scope),
      userinfo: fc.jsonValue(),
    });
    await fc.assert(
      fc.asyncProperty(answer, async (body) => {
        const tokens = (await understood(body)) as TokenResponse;
        expect(tokens.accessToken).toBe(body.access_token);
        expect(tokens.refreshToken).toBe(body.refresh_token ?? undefined);
        expect(tokens.scope).toBe(body.scope ?? undefined);
        const seconds = tokens.expiresInSeconds ?? 0;
        expect(Number.isInteger(seconds) && seconds >= 0 && seconds <= 31_536_000).toBe(true);
        if (body.expires_in === null || body.expires_in === undefined) expect(tokens).not.toHaveProperty('expiresInSeconds');
      }),
      { numRuns: 100 },
    );
  }, 360_000);

  it('whatever a server sends, it is understood or refused as no token response: nothing else is thrown', async () => {
    const member = fc.oneof(fc.jsonValue(), token, anyCase('bearer'));
    const answer = fc.oneof(
      fc.jsonValue(),
      fc.record({ access_token: member, token_type: fc.oneof(member, anyCase('bearer')), expires_in: member, refresh_token: member, scope: member }, { requiredKeys: [] }),
    );
    await fc.assert(
      fc.asyncProperty(answer, async (body) => {
        const tokens = await understood(body);
        if (typeof tokens === 'string') return expect(tokens).toBe('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID');
        expect(tokens.accessToken).toMatch(/^[\x21-\x7e]+$/);
        return expect(Object.values(tokens)).not.toContain(undefined);
      }),
      { numRuns: 150 },
    );
  }, 360_000);
});
