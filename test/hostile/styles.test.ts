/** Servers that want to be spoken to in their own way: JSON, other addresses, no ID Token, other sources of claims. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Claims, IdentityContext, ResolvedProvider, ServerMetadata, TokenResponse } from '../../lib/types.js';
import { answers, startLyingServer, type Answer, type LyingServer } from '../support/lying-server.js';
import { expectNoSecretIn, goToCallback, providerFor, redirectUri, rejection, type Dependencies } from './client.js';

let server: LyingServer;
beforeEach(async () => {
  server = await startLyingServer();
});
afterEach(() => server.close());

async function logIn(changes: Partial<ResolvedProvider>, dependencies: Dependencies = {}): Promise<TokenResponse> {
  const provider = providerFor(server, changes, dependencies);
  const { callback, checks } = await goToCallback(provider, server);
  return provider.exchangeCode(callback, checks);
}

async function refused(changes: Partial<ResolvedProvider>, dependencies: Dependencies = {}): Promise<Error> {
  const error = await rejection(logIn(changes, dependencies));
  expectNoSecretIn(error, server);
  return error as Error;
}

const invalid = { name: 'ProviderError', code: 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', status: 502 };

describe('token requests as JSON', () => {
  it('carry exactly the parameters, for the code and for the refresh', async () => {
    const changes = { tokenRequestFormat: 'json', clientAuthentication: 'client_secret_post' } as const;
    const { refreshToken } = await logIn(changes);
    const { headers, body } = server.last('token')!;
    expect(headers['content-type']).toBe('application/json');
    expect([...body.keys()].sort()).toEqual(['client_id', 'client_secret', 'code', 'code_verifier', 'grant_type', 'redirect_uri']);
    expect(body.get('redirect_uri')).toBe(redirectUri);
    expect(await providerFor(server, changes).refresh(refreshToken!, {})).toMatchObject({ kind: 'tokens' });
    expect(server.last('token')!.headers['content-type']).toBe('application/json');
    expect(Object.fromEntries(server.last('token')!.body)).toEqual({
      grant_type: 'refresh_token',
      client_id: 'web',
      client_secret: server.clientSecret,
      refresh_token: refreshToken,
    });
  });

  it('keep HTTP Basic in the header', async () => {
    await logIn({ tokenRequestFormat: 'json' });
    expect(server.last('token')!.headers.authorization).toMatch(/^Basic /);
    expect(server.last('token')!.body.has('client_secret')).toBe(false);
  });

  it('leave the revocation request a form (RFC 7009 §2.1)', async () => {
    await providerFor(server, { tokenRequestFormat: 'json' }).revoke('t', 'refresh_token');
    expect(server.last('revocation')!.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/);
  });
});

describe('an internal address for the server', () => {
  it('takes the place of the discovered one, and iss stays', async () => {
    const inside = await startLyingServer();
    try {
      inside.answers.token = async (res, { body, headers }) => {
        const answer = await fetch(`${server.issuer}/token`, { method: 'POST', body, headers: { authorization: headers.authorization! } });
        res.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
      };
      const tokens = await logIn({ server: { token_endpoint: `${inside.issuer}/token` } });
      expect(tokens.claims).toMatchObject({ iss: server.issuer, sub: 'alice' });
      expect(inside.count('token')).toBe(1);
      expect(server.count('discovery')).toBe(1);
    } finally {
      await inside.close();
    }
  });

  it('does not hide that the metadata is for another issuer (D3)', async () => {
    server.changeMetadata = (metadata) => ({ ...metadata, issuer: 'https://evil.example' });
    const error = await rejection(goToCallback(providerFor(server, { server: { token_endpoint: `${server.issuer}/token` } }), server));
    expect(error).toMatchObject(invalid);
    expect(String(error)).toContain('another issuer');
  });
});

describe('a server without ID Tokens although openid is asked for', () => {
  it('logs in without a nonce and without claims', async () => {
    server.changeTokenAnswer = ({ id_token: _, ...answer }) => answer;
    const tokens = await logIn({ idToken: false });
    expect(server.last('authorize')!.url.searchParams.get('scope')).toBe('openid profile');
    expect(server.last('authorize')!.url.searchParams.has('nonce')).toBe(false);
    expect(tokens).toMatchObject({ accessToken: expect.any(String), refreshToken: expect.any(String) });
    expect(tokens).not.toHaveProperty('claims');
  });

  it('an ID Token that comes all the same is not looked at, at login and at refresh', async () => {
    server.makeIdToken = (claims) => server.signByHand({ ...claims, sub: 'bob' }, 'none');
    const tokens = await logIn({ idToken: false });
    expect(tokens).not.toHaveProperty('idToken');
    expect(tokens).not.toHaveProperty('claims');
    const outcome = await providerFor(server, { idToken: false }).refresh(tokens.refreshToken!, {});
    expect(outcome).toMatchObject({ kind: 'tokens' });
    expect(outcome).not.toHaveProperty('tokens.idToken');
    expect(server.count('keys')).toBe(0);
  });

  it('D8: max_age cannot be shown without an ID Token: refused', async () => {
    const provider = providerFor(server, { idToken: false });
    const { callback, checks } = await goToCallback(provider, server);
    const error = await rejection(provider.exchangeCode(callback, { ...checks, maxAgeSeconds: 60 }));
    expect(error).toMatchObject({ name: 'LoginError', code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID' });
  });
});

describe('a server by hand without keys', () => {
  const withoutKeys = (): Partial<ResolvedProvider> => {
    const { jwks_uri: _, ...metadata } = server.metadata();
    return { issuer: undefined, server: metadata };
  };

  it('its ID Token is as good as the connection (OpenID Connect Core §3.1.3.7)', async () => {
    expect(await logIn(withoutKeys())).toMatchObject({ claims: { sub: 'alice' } });
    expect(server.count('keys')).toBe(0);
  });

  it.each([
    ['another nonce', { nonce: 'other' }],
    ['another audience', { aud: 'other' }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['an end in the past', { exp: 1 }],
  ])('%s is refused all the same', async (_name, change) => {
    server.makeIdToken = (claims) => server.sign({ ...claims, ...change });
    expect(await refused(withoutKeys())).toMatchObject({ code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID' });
  });

  it('over plain http nothing vouches for it: refused', async () => {
    const plain = (url: string): string => url.replace('http://id.test', server.issuer);
    const changes = { issuer: undefined, server: JSON.parse(JSON.stringify(withoutKeys().server).replaceAll(server.issuer, 'http://id.test')) as Partial<ServerMetadata> };
    server.makeIdToken = (claims) => server.sign({ ...claims, iss: 'http://id.test' });
    const provider = providerFor(server, changes, { fetch: (input, init) => fetch(plain(new Request(input).url), init) });
    const checks = { state: 's', nonce: 'n', codeVerifier: 'v' };
    const { headers } = await fetch(plain((await provider.authorizationUrl({ ...checks, redirectUri, parameters: {} })).href), { redirect: 'manual' });
    const callback = new URL(headers.get('location')!);
    callback.searchParams.set('iss', 'http://id.test');
    const error = await rejection(provider.exchangeCode(callback, checks));
    expect(error).toMatchObject(invalid);
    expect(String(error)).toContain('lacks an endpoint');
  });

  it.each(['none', 'HS256'])('D1: alg %s is refused all the same', async (alg) => {
    server.makeIdToken = (claims) => server.signByHand(claims, alg, alg === 'none' ? undefined : 'key');
    expect(await refused(withoutKeys())).toMatchObject({ code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID' });
  });
});

describe('UserInfo', () => {
  it('adds its claims to those of the ID Token, which win', async () => {
    const { claims } = await logIn({ userInfo: true });
    expect(claims).toMatchObject({ iss: server.issuer, sub: 'alice', name: 'Alice', email: 'alice@example.com' });
    expect(server.last('userinfo')!.headers.authorization).toMatch(/^Bearer sentinel-access-token/);
  });

  it('says who it is where there is no ID Token', async () => {
    const { claims } = await logIn({ userInfo: true, scope: 'profile' });
    expect(claims).toEqual({ sub: 'alice', name: 'Alice at UserInfo', email: 'alice@example.com' });
  });

  it('of another user: refused (OpenID Connect Core §5.3.2)', async () => {
    server.answers.userinfo = answers.json({ sub: 'bob' });
    expect(await refused({ userInfo: true })).toMatchObject({ name: 'LoginError', code: 'ERR_CODE_FLOW_SUBJECT_MISMATCH' });
  });

  it.each<[string, Answer, object]>([
    ['is down', answers.text('', 503), { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 }],
    ['hangs up', answers.reset(), { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 }],
    ['does not answer', answers.silence(), { code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT', status: 504 }],
    ['refuses the token, without a scheme', answers.text('', 401, { 'www-authenticate': 'nonsense' }), invalid],
    ['redirects', answers.redirect('http://127.0.0.1:1/'), invalid],
    ['never stops', answers.endlessBody(), invalid],
    ['sends a page', answers.text('<html>', 200, { 'content-type': 'text/html' }), invalid],
    ['has no sub', answers.json({ name: 'Alice' }), invalid],
    ['has a number for sub', answers.json({ sub: 7 }), invalid],
  ])('%s: not the user’s fault', async (_name, answer, expected) => {
    server.answers.userinfo = answer;
    expect(await refused({ userInfo: true }, { httpTimeoutSeconds: 0.5 })).toMatchObject({ name: 'ProviderError', ...expected });
  });

  it('is not there: not the user’s fault', async () => {
    server.changeMetadata = ({ userinfo_endpoint: _, ...metadata }) => metadata;
    expect(await refused({ userInfo: true })).toMatchObject(invalid);
  });

  it('is asked at login alone', async () => {
    const { refreshToken } = await logIn({ userInfo: true });
    await providerFor(server, { userInfo: true }).refresh(refreshToken!, {});
    expect(server.count('userinfo')).toBe(1);
  });
});

describe('claims made by the app', () => {
  const plain = { scope: '' };

  it('of a field of the token response, which is handed over as it came', async () => {
    server.changeTokenAnswer = (answer) => ({ ...answer, userinfo: { id: 'u-1', email: 'a@example.com' } });
    const identity = ({ userinfo }: Readonly<Record<string, unknown>>): Claims => ({ sub: (userinfo as { id: string }).id });
    expect((await logIn({ ...plain, identity })).claims).toEqual({ sub: 'u-1' });
    expect(server.last('authorize')!.url.searchParams.has('scope')).toBe(false);
  });

  it('of an API of the server, with the access token', async () => {
    const identity = async (_response: unknown, { fetch }: IdentityContext): Promise<Claims> => (await (await fetch(`${server.issuer}/userinfo`)).json()) as Claims;
    expect((await logIn({ ...plain, identity })).claims).toMatchObject({ sub: 'alice', email: 'alice@example.com' });
    expect(server.last('userinfo')!.headers.authorization).toMatch(/^Bearer sentinel-access-token/);
  });

  it('undefined: a login of nobody in particular', async () => {
    const tokens = await logIn({ ...plain, identity: () => undefined });
    expect(tokens).not.toHaveProperty('claims');
    expect(tokens.accessToken).toMatch(/^sentinel/);
  });

  it('never take the place of what the ID Token proves', async () => {
    expect((await logIn({ identity: () => ({ sub: 'mallory', iss: 'https://evil.example', role: 'clerk' }) })).claims).toMatchObject({
      sub: 'alice',
      iss: server.issuer,
      role: 'clerk',
    });
  });

  it.each<[string, unknown]>([
    ['no sub', { name: 'Alice' }],
    ['an empty sub', { sub: '' }],
    ['a sub that is a number', { sub: 7 }],
    ['a text', 'alice'],
    ['null', null],
    ['a list', [{ sub: 'alice' }]],
  ])('%s is no identity', async (_name, made) => {
    const error = await refused({ ...plain, identity: () => made as Claims });
    expect(error).toMatchObject(invalid);
    expect(error.message).toContain('provider.identity');
  });

  it('an error of the app is told by its kind alone: its text may hold tokens', async () => {
    const identity = (response: Readonly<Record<string, unknown>>): never => {
      throw new TypeError(`nobody in ${JSON.stringify(response)}`);
    };
    const error = await refused({ ...plain, identity });
    expect(error.message).toBe('The option provider.identity of "main" threw (TypeError).');
  });

  it.each<[string, Answer, object]>([
    ['does not answer', answers.silence(), { code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT', status: 504 }],
    ['hangs up', answers.reset(), { code: 'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', status: 503 }],
  ])('an API that %s ends the login, not the app', async (_name, answer, expected) => {
    server.answers.userinfo = answer;
    const identity = async (_response: unknown, { fetch }: IdentityContext): Promise<Claims> => (await (await fetch(`${server.issuer}/userinfo`)).json()) as Claims;
    expect(await refused({ ...plain, identity }, { httpTimeoutSeconds: 0.5 })).toMatchObject(expected);
  });

  it('a function that never ends is ended', async () => {
    const error = await refused({ ...plain, identity: () => new Promise<never>(() => undefined) }, { httpTimeoutSeconds: 0.3 });
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_PROVIDER_TIMEOUT' });
  });

  it('E20: the token follows no redirect', async () => {
    server.answers.userinfo = answers.redirect(`${server.issuer}/elsewhere`, 302);
    let status = 0;
    const identity = async (_response: unknown, { fetch }: IdentityContext): Promise<undefined> => {
      ({ status } = await fetch(`${server.issuer}/userinfo`, { redirect: 'follow' }));
      return undefined;
    };
    await logIn({ ...plain, identity });
    expect(status).toBe(302);
    expect(server.requests.filter(({ url }) => url.pathname === '/elsewhere')).toEqual([]);
  });

  it('the token never travels over plain http', async () => {
    const identity = async (_response: unknown, { fetch }: IdentityContext): Promise<undefined> => {
      await fetch('http://api.example.com/me');
      return undefined;
    };
    const provider = providerFor(server, { ...plain, allowHttp: false, issuer: undefined, server: httpsMetadata(), identity }, { fetch: asHttps });
    const checks = { state: 's', nonce: 'n', codeVerifier: 'v' };
    const { headers } = await asHttps(await provider.authorizationUrl({ ...checks, redirectUri, parameters: {} }), { redirect: 'manual' });
    const callback = new URL(headers.get('location')!);
    callback.searchParams.delete('iss');
    const error = await rejection(provider.exchangeCode(callback, checks));
    expect(error).toMatchObject({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_HTTP_REFUSED' });
  });

  /** The same server as it would look from outside. */
  function httpsMetadata(): Partial<ServerMetadata> {
    const { authorization_response_iss_parameter_supported: _, ...metadata } = server.metadata();
    return JSON.parse(JSON.stringify(metadata).replaceAll('http://127.0.0.1', 'https://127.0.0.1'));
  }
  const asHttps: typeof fetch = (input, init) => fetch(new Request(input).url.replace('https://127.0.0.1', 'http://127.0.0.1'), init);
});
