import { describe, expect, it } from '@jest/globals';
import { createClientAuthentication, defaultMethod } from '../../../lib/provider/client-authentication.js';
import type { ClientAuthenticationMethod, ResolvedProvider } from '../../../lib/types.js';

function authenticate(
  clientSecret: string | undefined,
  clientAuthentication?: ClientAuthenticationMethod,
  basicCredentialsEncoding: ResolvedProvider['basicCredentialsEncoding'] = 'percent',
): { basic: string; body: object } {
  const body = new URLSearchParams();
  const headers = new Headers();
  const authentication = createClientAuthentication({ clientId: 'my-app', clientSecret, clientAuthentication, signingKey: undefined, basicCredentialsEncoding });
  authentication({ issuer: 'https://id.example.com' }, { client_id: 'my-app' }, body, headers);
  const basic = Buffer.from((headers.get('authorization') ?? '').slice('Basic '.length), 'base64').toString();
  return { basic, body: Object.fromEntries(body) };
}

describe('HTTP Basic', () => {
  it('sends unreserved characters as they are: half of the servers do not decode', () => {
    expect(authenticate('a-b_c.d~e').basic).toBe('my-app:a-b_c.d~e');
  });

  it('encodes what a decoding server would misread, and the colon', () => {
    expect(authenticate('a+b %:ü').basic).toBe('my-app:a%2Bb%20%25%3A%C3%BC');
  });

  const odd = "a+b %:/ü*'~";
  const decodings: [ResolvedProvider['basicCredentialsEncoding'], string, (text: string) => string][] = [
    ['percent', 'a%2Bb%20%25%3A%2F%C3%BC*\'~', decodeURIComponent],
    ['form', 'a%2Bb+%25%3A%2F%C3%BC*%27%7E', (text) => new URLSearchParams(`x=${text}`).get('x')!],
    ['raw', odd, (text) => text],
  ];

  it.each(decodings)('an odd secret, %s encoded, is %s', (encoding, sent, decode) => {
    expect(authenticate(odd, 'client_secret_basic', encoding).basic).toBe(`my-app:${sent}`);
    expect(decode(sent)).toBe(odd);
  });

  it('an ordinary secret is the same in the first two encodings and without any', () => {
    const ordinary = 'Zk3vW8-pQ1rT6yUe0sL_x9mNc4b.Hg7jDa';
    expect(new Set(decodings.map(([encoding]) => authenticate(ordinary, 'client_secret_basic', encoding).basic)).size).toBe(1);
  });

  it('leaves the body alone', () => expect(authenticate('secret').body).toEqual({}));
});

it('client_secret_post sends both in the body', () => {
  expect(authenticate('secret', 'client_secret_post')).toEqual({ basic: '', body: { client_id: 'my-app', client_secret: 'secret' } });
});

it.each([
  ['no secret', undefined, undefined],
  ['none', 'secret', 'none'],
] as const)('%s sends the id alone', (_name, secret, method) => {
  expect(authenticate(secret, method)).toEqual({ basic: '', body: { client_id: 'my-app' } });
});

describe('the default method', () => {
  it.each([
    [undefined, 'client_secret_basic'],
    [['client_secret_post', 'client_secret_basic'], 'client_secret_basic'],
    [['private_key_jwt', 'client_secret_post'], 'client_secret_post'],
    [['private_key_jwt'], 'client_secret_basic'],
    [['private_key_jwt', 'client_secret_jwt'], 'client_secret_jwt'],
    ['client_secret_post', 'client_secret_basic'],
  ])('for %p is %s (RFC 8414 §2)', (supported, method) => {
    expect(defaultMethod({ token_endpoint_auth_methods_supported: supported as string[] })).toBe(method);
  });
});
