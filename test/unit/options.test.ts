/** What `codeFlow(options)` accepts, completes and refuses. */
import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { ConfigurationError } from '../../lib/errors.js';
import { resolveOptions } from '../../lib/options.js';
import type { CodeFlowOptions, ResolvedOptions } from '../../lib/types.js';

const missing = 'ERR_CODE_FLOW_OPTION_MISSING';
const invalid = 'ERR_CODE_FLOW_OPTION_INVALID';
const conflict = 'ERR_CODE_FLOW_OPTION_CONFLICT';
const weak = 'ERR_CODE_FLOW_SECRET_WEAK';
const http = 'ERR_CODE_FLOW_HTTP_REFUSED';
const incompatible = 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE';
const secret = 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa';
const provider = { issuer: 'https://id.example.com', clientId: 'web', clientSecret: 'sentinel-client-secret' };
const server = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
};
const byHand = { server, clientId: 'web' };
const minimal = { provider, baseUrl: 'https://app.example.com', secret };

type Change = Record<string, unknown>;

/** Tests write what TypeScript would not let them. */
const resolve = (change: Change = {}, environment = {}): ResolvedOptions =>
  resolveOptions({ ...minimal, ...change }, environment);

function refusal(change: Change, environment = {}): ConfigurationError {
  try {
    resolve(change, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const withProvider = (change: Change): Change => ({ provider: { ...provider, ...change } });
const withServer = (change: Change): Change => ({ provider: { ...byHand, server: { ...server, ...change } } });
const ioredis = () => new Redis({ lazyConnect: true });
const nodeRedis = { isOpen: true, sendCommand: () => undefined, scanIterator: () => undefined, duplicate: () => undefined };

describe('what is left out', () => {
  it('has its default', () => {
    const { session, routes, apis, loginParams, httpTimeoutSeconds, redisTimeoutSeconds, redis, ...resolved } = resolve();
    expect(session).toEqual({
      cookieName: '__Host-session',
      sameSite: 'lax',
      secure: true,
      idleTimeoutSeconds: 28_800,
      absoluteTimeoutSeconds: 604_800,
      keep: [],
    });
    expect(routes).toEqual({ login: '/login', callback: '/callback', logout: '/logout', backchannelLogout: '/backchannel-logout', frontchannelLogout: false, session: false });
    expect(loginParams).toEqual(['login_hint', 'ui_locales', 'prompt', 'acr_values', 'max_age']);
    expect({ apis, httpTimeoutSeconds, redisTimeoutSeconds, redis }).toEqual({
      apis: [],
      httpTimeoutSeconds: 5,
      redisTimeoutSeconds: 0.5,
      redis: undefined,
    });
    expect(resolved.secrets).toEqual([secret]);
    expect(resolved.afterLogin).toBe('https://app.example.com/');
    expect(resolved.afterLogout).toBe('https://app.example.com/');
    expect(resolved.provider).toEqual({
      name: 'default',
      issuer: new URL('https://id.example.com'),
      server: undefined,
      clientId: 'web',
      clientSecret: 'sentinel-client-secret',
      clientAuthentication: undefined,
      scope: 'openid profile email',
      signingKey: undefined,
      basicCredentialsEncoding: 'percent',
      authorizationParams: {},
      responseType: 'code',
      responseMode: 'query',
      tokenRequestFormat: 'form',
      redirectUriInTokenRequest: true,
      idToken: true,
      userInfo: false,
      identity: undefined,
      revocation: 'refresh_token',
      endSession: undefined,
      callbackPath: undefined,
      clientMetadata: {},
      allowHttp: false,
    });
    expect(resolved.providers).toEqual({ listed: new Map([['default', resolved.provider]]), find: undefined, several: false });
    expect(resolved.callbackPaths).toEqual(['/callback']);
  });

  it.each([
    ['https://app.example.com', '__Host-session', true],
    ['https://app.example.com/shop', '__Secure-session', true],
    ['http://localhost:3000', 'session', false],
  ])('the cookie of %s is %s', (baseUrl, cookieName, secure) => {
    expect(resolve({ baseUrl }).session).toMatchObject({ cookieName, secure });
  });

  it('the idle time follows a shorter absolute time', () => {
    expect(resolve({ session: { absoluteTimeoutSeconds: 3600 } }).session.idleTimeoutSeconds).toBe(3600);
  });

  it('fetch is the global one of the moment of the call', async () => {
    const { fetch } = resolve();
    const original = globalThis.fetch;
    globalThis.fetch = () => Promise.resolve(new Response('patched later'));
    try {
      expect(await (await fetch('https://api.example.com')).text()).toBe('patched later');
    } finally {
      globalThis.fetch = original;
    }
  });
});

describe('baseUrl', () => {
  it.each([
    ['https://app.example.com/', 'https://app.example.com/', ''],
    ['https://app.example.com/shop/', 'https://app.example.com/shop', '/shop'],
    ['https://app.example.com/a/b//', 'https://app.example.com/a/b', '/a/b'],
    ['HTTPS://APP.example.com:443/Shop', 'https://app.example.com/Shop', '/Shop'],
  ])('%s', (baseUrl, href, basePath) => {
    const resolved = resolve({ baseUrl });
    expect(resolved.baseUrl.href).toBe(href);
    expect(resolved.basePath).toBe(basePath);
  });

  it('landing pages are paths under it', () => {
    const { afterLogin, afterLogout } = resolve({ baseUrl: 'https://app.example.com/shop', afterLogout: '/bye?now#top' });
    expect(afterLogin).toBe('https://app.example.com/shop/');
    expect(afterLogout).toBe('https://app.example.com/shop/bye?now#top');
  });
});

describe('the result', () => {
  it('is frozen all the way down', () => {
    const options = resolve({ apis: ['https://api.example.com'], provider: { ...byHand, authorizationParams: { audience: 'x' } } });
    const parts = [
      options,
      options.provider,
      options.provider?.server,
      options.provider?.authorizationParams,
      options.session,
      options.session.keep,
      options.routes,
      options.apis,
      options.apis[0],
      options.loginParams,
      options.secrets,
    ];
    expect(parts.map((part) => Object.isFrozen(part))).toEqual(parts.map(() => true));
  });

  it('leaves what the app handed in as it was, and does not follow its changes', () => {
    const authorizationParams = { audience: 'first' };
    const keep = ['cart'];
    const options = resolve({ ...withProvider({ authorizationParams }), session: { keep } });
    authorizationParams.audience = 'second';
    keep.push('later');
    expect(options.provider?.authorizationParams).toEqual({ audience: 'first' });
    expect(options.session.keep).toEqual(['cart']);
  });

  it('uses the Redis client and the fetch function themselves, unfrozen', () => {
    const client = { defineCommand: () => undefined, duplicate: () => undefined };
    const ownFetch = () => Promise.resolve(new Response());
    const options = resolve({ redis: client, fetch: ownFetch });
    expect(options.redis).toBe(client);
    expect(Object.isFrozen(client)).toBe(false);
    expect(options.fetch).toBe(ownFetch);
    expect(Object.isFrozen(ownFetch)).toBe(false);
  });
});

describe('accepts', () => {
  it.each<[string, Change, object]>([
    ['several secrets, the first in front', { secret: [secret, `${secret}2`] }, { secrets: [secret, `${secret}2`] }],
    ['a long passphrase', { secret: 'eleven brown foxes jumped over a lazy fence at noon' }, {}],
    ['a server by hand', { provider: byHand }, { provider: { issuer: undefined, server } }],
    ['metadata with a query in an endpoint', withServer({ authorization_endpoint: 'https://id.example.com/a?tenant=1' }), {}],
    ['an http issuer on loopback', withProvider({ issuer: 'http://127.0.0.1:4000' }), { provider: { allowHttp: true } }],
    ['an http issuer on localhost', withProvider({ issuer: 'http://id.localhost:4000' }), { provider: { allowHttp: true } }],
    ['an http issuer on ::1', withProvider({ issuer: 'http://[::1]:4000' }), { provider: { allowHttp: true } }],
    ['an http issuer on purpose', withProvider({ issuer: 'http://id.test', dangerouslyAllowHttp: true }), { provider: { allowHttp: true } }],
    ['a public client', { provider: { issuer: provider.issuer, clientId: 'spa', clientAuthentication: 'none' } }, {}],
    ['client_secret_post', withProvider({ clientAuthentication: 'client_secret_post' }), { provider: { clientAuthentication: 'client_secret_post' } }],
    ['further client metadata', withProvider({ clientMetadata: { id_token_signed_response_alg: 'ES256' } }), {}],
    ['a Redis URL', { redis: 'rediss://user:password@redis.example.com:6380/1' }, { redis: 'rediss://user:password@redis.example.com:6380/1' }],
    ['SameSite=Strict', { session: { sameSite: 'strict' } }, { session: { sameSite: 'strict' } }],
    ['routes that are switched off', { routes: { login: false, logout: false } }, { routes: { login: false, callback: '/callback', logout: false } }],
    ['routes elsewhere', { routes: { callback: '/auth/cb' } }, { routes: { login: '/login', callback: '/auth/cb' } }],
    ['a landing page by its URL', { afterLogin: 'https://app.example.com/home' }, { afterLogin: 'https://app.example.com/home' }],
    ['trusted origins', { trustedOrigins: ['https://admin.example.com:8443', 'http://localhost:3000'] }, { trustedOrigins: ['https://admin.example.com:8443', 'http://localhost:3000'] }],
    ['a trusted http origin of an http app', { baseUrl: 'http://app.test', trustedOrigins: ['http://admin.test'] }, { trustedOrigins: ['http://admin.test'] }],
    ['an http baseUrl off production', { baseUrl: 'http://app.test' }, { session: { secure: false } }],
  ])('%s', (_, change, expected) => {
    expect(resolve(change)).toMatchObject(expected);
  });

  it.each([
    ['ioredis 6', ioredis],
    ['ioredis 5', () => new Redis5({ lazyConnect: true })],
    ['an ioredis Cluster', () => new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true })],
  ])('%s', (_, create) => {
    const redis = create();
    expect(resolve({ redis }, { NODE_ENV: 'production' }).redis).toBe(redis);
    redis.disconnect();
  });

  it('APIs, as URLs that end in a slash', () => {
    const apis = ['https://api.example.com/v1', { url: 'https://other.example.com', resource: 'urn:other', scope: 'read' }];
    const resolved = resolve({ apis }).apis.map(({ url, resource, scope }) => [url.href, resource, scope]);
    expect(resolved).toEqual([
      ['https://api.example.com/v1/', undefined, undefined],
      ['https://other.example.com/', 'urn:other', 'read'],
    ]);
  });
});

describe('an unknown option is refused with the nearest name', () => {
  it.each<[Change, string]>([
    [{ sesion: {} }, 'unknown option `sesion`; did you mean `session`?'],
    [{ baseURL: 'x' }, 'unknown option `baseURL`; did you mean `baseUrl`?'],
    [{ after_login: '/' }, 'unknown option `after_login`; did you mean `afterLogin`?'],
    [{ clientID: 'web' }, 'unknown option `clientID`; did you mean `provider.clientId`?'],
    [{ cookieName: 'x' }, 'unknown option `cookieName`; did you mean `session.cookieName`?'],
    [withProvider({ client_id: 'x' }), 'unknown option `provider.client_id`; did you mean `provider.clientId`?'],
    [{ session: { idleTimeout: 5, idleTimoutSeconds: 5 } }, 'unknown option `session.idleTimeout`; known are cookieName, sameSite, idleTimeoutSeconds, absoluteTimeoutSeconds, keep'],
    [{ session: { idleTimoutSeconds: 5 } }, 'unknown option `session.idleTimoutSeconds`; did you mean `session.idleTimeoutSeconds`?'],
    [{ routes: { calback: '/cb' } }, 'unknown option `routes.calback`; did you mean `routes.callback`?'],
    [{ apis: [{ url: 'https://api.example.com', resourse: 'x' }] }, 'unknown option `apis[0].resourse`; did you mean `apis[0].resource`?'],
    [{ ['x'.repeat(10_000)]: 1 }, 'known are provider, providers, baseUrl, secret, redis, apis, session, routes'],
  ])('%j', (change, message) => {
    const error = refusal(change);
    expect(error.code).toBe('ERR_CODE_FLOW_OPTION_UNKNOWN');
    expect(error.message).toContain(message);
  });

  it('before what is missing because of it', () => {
    expect(refusal({ baseUrl: undefined, baseUri: 'https://app.example.com' }).message).toContain('did you mean `baseUrl`?');
  });
});

describe('refuses', () => {

  it.each<[Change, string, string]>([
    // provider
    [{ provider: undefined }, missing, '`provider` is missing'],
    [{ provider: 'https://id.example.com' }, invalid, '`provider` must be an object; got "https://id.example.com"'],
    [withProvider({ issuer: undefined }), missing, '`provider.issuer` is missing'],
    [withProvider({ server: { ...server, issuer: 'https://other.example.com' } }), conflict, '`provider.server.issuer` is not `provider.issuer`'],
    [withProvider({ issuer: 'id.example.com' }), invalid, '`provider.issuer` must be the issuer URL'],
    [withProvider({ issuer: 'ftp://id.example.com' }), invalid, 'beginning with https://; got "ftp://id.example.com"'],
    [withProvider({ issuer: 'https://id.example.com?tenant=1' }), invalid, 'must not have a query'],
    [withProvider({ issuer: 'https://id.example.com?' }), invalid, 'must not have a query'],
    [withProvider({ issuer: 'https://id.example.com#x' }), invalid, 'must not have a fragment'],
    [withProvider({ issuer: 'http://id.example.com' }), http, '`provider.issuer` uses plain http off this machine; got "http://id.example.com"'],
    [withProvider({ issuer: 'http://localhost.example.com' }), http, 'dangerouslyAllowHttp'],
    [withServer({ token_endpoint: undefined }), missing, '`provider.server.token_endpoint` is missing'],
    [withServer({ issuer: 7 }), invalid, '`provider.server.issuer` must be the issuer URL'],
    [withServer({ token_endpoint: 'http://id.example.com/token' }), http, '`provider.server.token_endpoint`'],
    [withServer({ jwks_uri: 'http://id.example.com/jwks' }), http, '`provider.server.jwks_uri`'],
    [withServer({ revocation_endpoint: '/revoke' }), invalid, '`provider.server.revocation_endpoint`'],
    [withServer({ extra: () => 1 }), invalid, '`provider.server.extra` must be plain data; got a function'],
    [withProvider({ clientId: undefined }), missing, '`provider.clientId` is missing'],
    [withProvider({ clientId: '' }), invalid, '`provider.clientId` must be'],
    [withProvider({ clientId: 'web\n' }), invalid, 'trim it'],
    [withProvider({ clientSecret: '' }), invalid, '`provider.clientSecret` must be'],
    [withProvider({ clientSecret: 'half \ud800' }), invalid, 'one with half of a character'],
    [withProvider({ clientSecret: 'sentinel-client-secret\n' }), invalid, '`provider.clientSecret` begins or ends with white space'],
    [withProvider({ clientAuthentication: 'basic' }), invalid, "`provider.clientAuthentication` must be 'client_secret_basic' or 'client_secret_post' or"],
    [withProvider({ clientAuthentication: 'none' }), conflict, '`provider.clientAuthentication`'],
    [withProvider({ clientSecret: undefined, clientAuthentication: 'client_secret_post' }), conflict, 'needs `provider.clientSecret`'],
    [withProvider({ scope: '' }), invalid, '`provider.scope` must be one string'],
    [withProvider({ scope: ['openid'] }), invalid, '`provider.scope` must be one string'],
    [withProvider({ scope: 'openid  profile' }), invalid, 'a single space'],
    [withProvider({ scope: 'openid "quoted"' }), invalid, '`provider.scope`'],
    [withProvider({ scope: 'openid profíle' }), invalid, '`provider.scope`'],
    [withProvider({ authorizationParams: { audience: 7 } }), invalid, '`provider.authorizationParams.audience` must be a string; got 7'],
    [withProvider({ authorizationParams: { scope: 'x' } }), conflict, '"scope": use `provider.scope`'],
    [withProvider({ authorizationParams: { client_id: 'x' } }), conflict, 'use `provider.clientId`'],
    [withProvider({ authorizationParams: { redirect_uri: 'x' } }), conflict, '`baseUrl` and `routes.callback`'],
    [withProvider({ clientMetadata: { client_secret: 'x' } }), conflict, 'use `provider.clientSecret`'],
    [withProvider({ clientMetadata: [] }), invalid, '`provider.clientMetadata` must be an object; got an array'],
    [withProvider({ dangerouslyAllowHttp: 'yes' }), invalid, 'must be true or false; got "yes"'],
    // baseUrl
    [{ baseUrl: undefined }, missing, '`baseUrl` is missing'],
    [{ baseUrl: 'app.example.com' }, invalid, '`baseUrl` must be the public URL of the app'],
    [{ baseUrl: 'localhost:3000' }, invalid, 'beginning with https://; got "localhost:3000"'],
    [{ baseUrl: 'https://app.example.com?x=1' }, invalid, '`baseUrl` must not have a query'],
    [{ baseUrl: 'https://app.example.com/#' }, invalid, '`baseUrl` must not have a fragment'],
    [{ baseUrl: 'https://app.example.com/a//b' }, invalid, 'must have a plain path'],
    [{ baseUrl: new URL('https://app.example.com') }, invalid, '`baseUrl` must be the public URL of the app, such as "https://app.example.com"; got an object'],
    // secret (THREATS J2)
    [{ secret: undefined }, missing, 'is the environment variable that it is read from set?'],
    [{ secret: '' }, missing, '`secret` is missing'],
    [{ secret: [] }, missing, 'the array is empty'],
    [{ secret: [secret, undefined] }, missing, '`secret[1]` is missing'],
    [{ secret: 7 }, invalid, '`secret` must be a string'],
    [{ secret: 'q8Zr' }, weak, 'has 4 characters and needs at least 32'],
    [{ secret: secret.slice(1) }, weak, 'has 31 characters'],
    [{ secret: [secret, 'short'] }, weak, '`secret[1]` has 5 characters'],
    [{ secret: 'keyboard cat' }, weak, 'known default'],
    [{ secret: 'secret' }, weak, 'known default'],
    [{ secret: 'changeme-changeme-changeme-changeme' }, weak, 'known default'],
    [{ secret: 'a long, randomly-generated string stored in env' }, weak, 'known default'],
    [{ secret: 'complex_password_at_least_32_characters_long' }, weak, 'known default'],
    [{ secret: 'x'.repeat(64) }, weak, 'repeats a few characters'],
    [{ secret: 'abcabc'.repeat(10) }, weak, 'repeats a few characters'],
    // redis
    [{ redis: nodeRedis }, incompatible, "looks like one of node-redis ('redis')"],
    [{ redis: { client: nodeRedis, get: () => 1, set: () => 1 } }, incompatible, 'looks like a session store'],
    [{ redis: { host: 'localhost' } }, incompatible, 'pass an ioredis client'],
    [{ redis: '' }, invalid, '`redis` is the empty string'],
    [{ redis: 'localhost:6379' }, invalid, 'is no redis:// or rediss:// URL'],
    [{ redis: 'https://redis.example.com' }, invalid, 'is no redis:// or rediss:// URL'],
    [{ redis: 6379 }, invalid, '`redis` must be a client or a URL; got 6379'],
    // apis
    [{ apis: 'https://api.example.com' }, invalid, '`apis` must be an array'],
    [{ apis: ['/v1'] }, invalid, '`apis[0]` must be the URL under which an API lives'],
    [{ apis: ['https://ok.example.com', 'http://api.example.com/v1'] }, http, '`apis[1]` uses plain http off this machine'],
    [{ apis: ['https://api.example.com/v1?x=1'] }, invalid, '`apis[0]` must not have a query'],
    [{ apis: ['https://api.example.com/v1#x'] }, invalid, '`apis[0]` must not have a fragment'],
    [{ apis: [{ resource: 'urn:x' }] }, missing, '`apis[0].url` is missing'],
    [{ apis: [{ url: 'https://api.example.com', resource: 'orders' }] }, invalid, '`apis[0].resource` must be an absolute URI'],
    [{ apis: [{ url: 'https://api.example.com', scope: 'read' }] }, conflict, '`apis[0].scope` has no effect without `apis[0].resource`'],
    [{ apis: ['https://api.example.com/v1', 'https://api.example.com/v1/'] }, conflict, '`apis[1]` has the same URL as `apis[0]`'],
    // session
    [{ session: null }, invalid, '`session` must be an object; got null'],
    [{ session: { cookieName: 'my session' } }, invalid, '`session.cookieName` must be a cookie name'],
    [{ session: { cookieName: 'a=b' } }, invalid, '`session.cookieName` must be a cookie name'],
    [{ session: { cookieName: '' } }, invalid, '`session.cookieName` must be a cookie name'],
    [{ baseUrl: 'http://localhost:3000', session: { cookieName: '__Host-session' } }, conflict, 'needs an https `baseUrl`'],
    [{ baseUrl: 'http://localhost:3000', session: { cookieName: '__secure-session' } }, conflict, 'needs an https `baseUrl`'],
    [{ baseUrl: 'https://app.example.com/shop', session: { cookieName: '__host-session' } }, conflict, 'needs a `baseUrl` without a path'],
    [{ session: { sameSite: 'none' } }, invalid, "`session.sameSite` must be 'lax' or 'strict'; got \"none\""],
    [{ session: { idleTimeoutSeconds: '8h' } }, invalid, '`session.idleTimeoutSeconds` must be a number of seconds from 1'],
    [{ session: { idleTimeoutSeconds: 0 } }, invalid, 'got 0'],
    [{ session: { idleTimeoutSeconds: 1.5 } }, invalid, 'whole number of seconds'],
    [{ session: { idleTimeoutSeconds: Number.NaN } }, invalid, 'got NaN'],
    [{ session: { absoluteTimeoutSeconds: Infinity } }, invalid, 'got Infinity'],
    [{ session: { absoluteTimeoutSeconds: 604_800_000 } }, invalid, '`session.absoluteTimeoutSeconds` must be a number of seconds'],
    [{ session: { idleTimeoutSeconds: 20, absoluteTimeoutSeconds: 10 } }, conflict, '`session.idleTimeoutSeconds` is 20'],
    [{ session: { keep: 'cart' } }, invalid, '`session.keep` must be an array'],
    [{ session: { keep: ['cart', 7] } }, invalid, '`session.keep[1]` must be the name'],
    [{ session: { keep: ['cookie'] } }, invalid, '`session.keep[0]` must name data of your own'],
    // routes
    [{ routes: null }, invalid, '`routes` must be an object; got null'],
    [{ routes: { callback: false } }, invalid, '`routes.callback` must be a path'],
    [{ routes: { login: 'login' } }, invalid, '`routes.login` must be a path such as "/login"'],
    [{ routes: { login: '/' } }, invalid, 'it would take the place of the front page'],
    [{ routes: { login: '//login' } }, invalid, '`routes.login` must be a path'],
    [{ routes: { login: '/a/../login' } }, invalid, '`routes.login` must be a path'],
    [{ routes: { login: '/login?x=1' } }, invalid, '`routes.login` must be a path'],
    [{ routes: { login: '/:id' } }, invalid, '`routes.login` must be a path'],
    [{ routes: { backchannelLogout: '/' } }, invalid, 'it would take the place of the front page'],
    [{ routes: { frontchannelLogout: true } }, invalid, '`routes.frontchannelLogout` must be a path'],
    [{ routes: { backchannelLogout: '/logout' } }, conflict, '`routes.backchannelLogout` is the same path as `routes.logout`'],
    [{ clearSiteData: ['cookies'] }, invalid, "`clearSiteData[0]` must be 'cache' or 'storage'"],
    [{ clearSiteData: 'cache' }, invalid, '`clearSiteData` must be an array'],
    [{ routes: { login: '/callback' } }, conflict, '`routes.callback` is the same path as `routes.login`'],
    [{ routes: { logout: '/Login/' } }, conflict, '`routes.logout` is the same path as `routes.login`'],
    // landing pages
    [{ afterLogin: 'home' }, invalid, '`afterLogin` must be a path that begins with one "/"'],
    [{ afterLogin: '//evil.example' }, invalid, '`afterLogin` must be a path'],
    [{ afterLogin: '/\\evil.example' }, invalid, '`afterLogin` must be a path'],
    [{ afterLogin: 'https://evil.example/' }, invalid, 'or a URL on "https://app.example.com"'],
    [{ afterLogin: 'blob:https://app.example.com/1' }, invalid, '`afterLogin` must be a path'],
    [{ afterLogout: '/login' }, conflict, '`afterLogout` must not be one of `routes`'],
    // the rest
    [{ routes: { session: true } }, invalid, '`routes.session` must be a path such as "/session"'],
    [{ routes: { session: '/logout' } }, conflict, '`routes.session` is the same path as `routes.logout`'],
    [{ sessionClaims: 'name' }, invalid, '`sessionClaims` must be an array'],
    [{ sessionClaims: ['name', ''] }, invalid, '`sessionClaims[1]` must be the name of a claim'],
    // trustedOrigins
    [{ trustedOrigins: 'https://admin.example.com' }, invalid, '`trustedOrigins` must be an array'],
    [{ trustedOrigins: ['admin.example.com'] }, invalid, '`trustedOrigins[0]` must be an origin such as "https://admin.example.com"'],
    [{ trustedOrigins: ['https://'] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: ['https://admin.example.com/'] }, invalid, 'write "https://admin.example.com"'],
    [{ trustedOrigins: ['https://admin.example.com/path'] }, invalid, 'write "https://admin.example.com"'],
    [{ trustedOrigins: ['https://admin.example.com?query=value'] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: ['https://admin.example.com#fragment'] }, invalid, 'must not have a fragment'],
    [{ trustedOrigins: ['https://Admin.example.com:443'] }, invalid, 'write "https://admin.example.com"'],
    [{ trustedOrigins: ['https://ad min.example.com'] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: [''] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: ['null'] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: ['*'] }, invalid, '`trustedOrigins[0]` must be an origin'],
    [{ trustedOrigins: ['https://a.example', 'http://admin.example.com'] }, http, '`trustedOrigins[1]` uses plain http off this machine'],
    [{ loginParams: 'login_hint' }, invalid, '`loginParams` must be an array'],
    [{ loginParams: ['login_hint', 'scope'] }, conflict, '`loginParams[1]` must not name "scope": use `provider.scope`'],
    [{ httpTimeoutSeconds: 0 }, invalid, '`httpTimeoutSeconds` must be a number of seconds from 0.05 to 60; got 0'],
    [{ httpTimeoutSeconds: 5000 }, invalid, 'got 5000'],
    [{ redisTimeoutSeconds: 31 }, invalid, '`redisTimeoutSeconds` must be a number of seconds from 0.01 to 30; got 31'],
    [{ fetch: 'undici' }, invalid, '`fetch` must be a function'],
  ])('%#: %j', (change, code, message) => {
    const error = refusal(change);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  it.each(['response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri', 'response_mode'])(
    'the protocol parameter %s, from the options and from links',
    (name) => {
      expect(refusal(withProvider({ authorizationParams: { [name]: 'x' } })).code).toBe(conflict);
      expect(refusal({ loginParams: [name] }).code).toBe(conflict);
      expect(refusal({ loginParams: [name.toUpperCase()] }).code).toBe(conflict);
    },
  );

  it.each([undefined, null, 7, 'x', []])('no options but %j', (input) => {
    expect(() => resolveOptions(input as unknown as CodeFlowOptions, {})).toThrow(ConfigurationError);
  });

  it.each(['https://user:sentinel@app.example.com', 'user:sentinel@app.example.com', 'https://app.example.com/?key=sentinel', 'https://user:sen?tinel@x'])(
    'without showing what may be a password in %s',
    (url) => {
      for (const change of [{ baseUrl: url }, withProvider({ issuer: url }), { apis: [url] }, { redis: url }]) {
        expect(refusal(change).message).not.toMatch(/sen\??tinel|user:/);
      }
    },
  );

  it('without showing a secret', () => {
    for (const value of ['sentinel', 'sentinel'.repeat(20), ['sentinel'], { sentinel: 1 }]) {
      expect(refusal({ secret: value }).message).not.toContain('sentinel');
    }
    for (const change of [{ clientSecret: ' sentinel' }, { clientAuthentication: 'none' }]) {
      expect(refusal(withProvider(change)).message).not.toContain('sentinel');
    }
    expect(refusal({ redis: { password: 'sentinel' } }).message).not.toContain('sentinel');
  });

  it('in a short message, however long the value', () => {
    expect(refusal(withProvider({ scope: 'ö'.repeat(100_000) })).message.length).toBeLessThan(300);
  });
});

describe('J3: what express-session would let an app do wrongly', () => {
  it.each(['resave', 'saveUninitialized', 'store', 'genid', 'rolling', 'unset', 'cookie', 'proxy'])('there is no option %s', (name) => {
    expect(refusal({ [name]: true }).code).toBe('ERR_CODE_FLOW_OPTION_UNKNOWN');
    expect(refusal({ session: { [name]: true } }).code).toBe('ERR_CODE_FLOW_OPTION_UNKNOWN');
  });

  it('memory in production is refused', () => {
    expect(refusal({}, { NODE_ENV: 'production' }).code).toBe('ERR_CODE_FLOW_MEMORY_IN_PRODUCTION');
  });
});

describe('in production', () => {
  const production = { NODE_ENV: 'production' };

  it('sessions in memory are refused', () => {
    expect(refusal({}, production).code).toBe('ERR_CODE_FLOW_MEMORY_IN_PRODUCTION');
    expect(refusal({ redis: undefined }, production).message).toContain('redis');
  });

  it('http is refused off loopback, where cookies would not be Secure', () => {
    const redis = 'redis://localhost';
    expect(refusal({ redis, baseUrl: 'http://app.example.com' }, production).code).toBe('ERR_CODE_FLOW_HTTP_REFUSED');
    expect(resolve({ redis, baseUrl: 'http://localhost:3000' }, production).session.secure).toBe(false);
  });

  it('is what NODE_ENV says, and the process if nothing is handed in', () => {
    expect(resolve({}, { NODE_ENV: 'test' }).redis).toBeUndefined();
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(() => resolveOptions(minimal)).toThrow(expect.objectContaining({ code: 'ERR_CODE_FLOW_MEMORY_IN_PRODUCTION' }));
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });
});

describe('several providers', () => {
  const acme = { issuer: 'https://acme.example.com', clientId: 'web' };
  const several = (providers: unknown, change: Change = {}): Change => ({ provider: undefined, providers, ...change });

  it('are listed by name, the first is the default, and each may be answered at a path of its own', () => {
    const { provider: first, providers, callbackPaths } = resolve(several({ acme, beta: { ...byHand, callbackPath: '/auth/beta/callback' } }));
    expect([...providers.listed.values()].map(({ name }) => name)).toEqual(['acme', 'beta']);
    expect(first).toBe(providers.listed.get('acme'));
    expect(callbackPaths).toEqual(['/callback', '/callback/acme', '/auth/beta/callback']);
    expect(Object.isFrozen(providers.listed.get('beta')?.authorizationParams)).toBe(true);
  });

  it('may be found by a function, which is asked for nothing at start-up', () => {
    const find = () => {
      throw new Error('not yet');
    };
    const options = resolve(several(find, { routes: { callback: '/cb' } }));
    expect(options.providers).toEqual({ listed: new Map(), find, several: true });
    expect([options.provider, options.callbackPaths]).toEqual([undefined, ['/cb', '/cb/*']]);
  });

  it.each<[Change, string, string]>([
    [{ providers: { acme } }, conflict, '`providers` cannot go with `provider`'],
    [several({}), missing, '`providers` is missing: it is empty'],
    [several([acme]), invalid, '`providers` must be an object of providers by name, or a function'],
    [several({ 'a/b': acme }), invalid, '`providers` must be the name of a provider: up to 64 letters'],
    [several({ '..': acme }), invalid, '`providers` must be the name of a provider'],
    [several({ acme: { ...acme, clientId: undefined } }), missing, '`providers.acme.clientId` is missing'],
    [several({ a: { ...acme, callbackPath: '/cb' }, b: { ...acme, callbackPath: '/cb' } }), conflict, '`providers.b.callbackPath` is the same path as that of `providers.a`'],
    [several({ a: acme, b: { ...acme, callbackPath: '/callback/a' } }), conflict, '`providers.b.callbackPath` is the same path'],
    [withProvider({ callbackPath: '/logout' }), conflict, '`provider.callbackPath` is one of `routes`'],
    [withProvider({ callbackPath: 'https://evil.example/' }), invalid, '`provider.callbackPath` must'],
    [withProvider({ authorizationParams: { prompt: 'none' } }), conflict, "`provider.authorizationParams.prompt` must not be 'none' for every login"],
    [several({ acme }, { apis: [{ url: 'https://api.example.com/', provider: 'acne' }] }), invalid, '`apis[0].provider` names no provider: "acne"; did you mean "acme"?'],
    [{ apis: [{ url: 'https://api.example.com/', provider: 'acme' }] }, invalid, '`apis[0].provider` names no provider: "acme"; known are default'],
    [
      { ...withProvider({ responseMode: 'form_post' }), baseUrl: 'http://app.test' },
      conflict,
      "`provider.responseMode` is 'form_post', which needs an https `baseUrl`",
    ],
  ])('%#: refuses %j', (change, code, message) => {
    const error = refusal(change);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  it.each(['https://app.example.com', 'http://localhost:3000'])('form_post works at %s', (baseUrl) => {
    expect(resolve({ ...withProvider({ responseMode: 'form_post' }), baseUrl }).provider?.responseMode).toBe('form_post');
  });
});
