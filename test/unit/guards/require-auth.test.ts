/** Who gets past `requireAuth()`, and with which error the others are turned away. */
import { execFile } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import supertest from 'supertest';
import { setContext, type RequestContext } from '../../../lib/context.js';
import { AccessDeniedError, AuthenticationRequiredError, ConfigurationError, ProviderError, StoreError } from '../../../lib/errors.js';
import { requireAuth, type RequireAuthOptions } from '../../../lib/guards/require-auth.js';
import type { Middleware, Next, Request, Response } from '../../../lib/types.js';
import { contextWith, epochSeconds, exchange, loginOf, optionsWith } from './support.js';

/** What the three frameworks have in common. */
type Server = RequestListener & { use(handler: Middleware | ((error: Error, req: Request, res: Response, next: Next) => void)): unknown };

const run = promisify(execFile);

const down = new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'down');
const anonymous = contextWith({ kind: 'anonymous' });
const alice = contextWith(loginOf());

/** What the guard gives to `next`, which it calls exactly once. */
async function verdict(guard: Middleware, context?: RequestContext): Promise<unknown> {
  const { req, res } = exchange();
  if (context !== undefined) setContext(req, context);
  const given: unknown[][] = [];
  await new Promise<void>((resolve) => {
    guard(req, res, (...values) => {
      given.push(values);
      resolve();
    });
  });
  await new Promise(setImmediate); // a second call would come within this turn
  expect(given).toHaveLength(1);
  return given[0]?.[0];
}

const passes = async (options: RequireAuthOptions, context = alice) => expect(await verdict(requireAuth(options), context)).toBeUndefined();

async function refuses(options: RequireAuthOptions, code: string, context = alice): Promise<unknown> {
  const error = await verdict(requireAuth(options), context);
  expect(error).toMatchObject({ code });
  return error;
}

describe('three answers', () => {
  it('somebody is logged in: the handler runs, with no call to the store or the authorization server', () => passes({}));

  it('nobody is: a login is needed', async () => {
    expect(await refuses({}, 'ERR_CODE_FLOW_LOGIN_REQUIRED', anonymous)).toBeInstanceOf(AuthenticationRequiredError);
  });

  it('the store cannot tell: its error, never "nobody" (THREATS G3)', async () => {
    expect(await verdict(requireAuth(), contextWith({ kind: 'unknown', error: down }))).toBe(down);
  });

  it('codeFlow() did not run: closed, and said so (THREATS G4)', async () => {
    const error = await verdict(requireAuth());
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ code: 'ERR_CODE_FLOW_NOT_MOUNTED' });
  });

  it.each(['OPTIONS', 'HEAD', 'POST', 'TRACE'])('%s is decided alike (THREATS G8)', async (method) => {
    const { req, res } = exchange(method);
    setContext(req, anonymous);
    const next = jest.fn();
    requireAuth()(req, res, next);
    expect(next).toHaveBeenCalledWith(expect.objectContaining({ code: 'ERR_CODE_FLOW_LOGIN_REQUIRED' }));
  });

  it('no requirement opens the route to somebody who is not logged in', async () => {
    for (const options of [{ scope: 'openid' }, { acr: 'gold' }, { maxAgeSeconds: 60 }, { claims: () => true }, { token: true }]) {
      await refuses(options, 'ERR_CODE_FLOW_LOGIN_REQUIRED', anonymous);
      await refuses(options, 'ERR_CODE_FLOW_STORE_UNAVAILABLE', contextWith({ kind: 'unknown', error: down }));
    }
  });
});

describe('claims', () => {
  it('exactly true passes', () => passes({ claims: ({ sub }) => sub === 'alice' }));

  it.each<[string, () => unknown]>([
    ['false', () => false],
    ['undefined', () => undefined],
    ['1', () => 1],
    ['a string', () => 'true'],
    ['an object', () => ({})],
    ['a promise of true', () => Promise.resolve(true)],
    ['a promise that fails', () => Promise.reject(new Error('later'))],
  ])('%s denies', async (_, result) => {
    expect(await refuses({ claims: () => result() as boolean }, 'ERR_CODE_FLOW_CLAIMS_REFUSED')).toBeInstanceOf(AccessDeniedError);
  });

  it('a predicate that throws denies, with its error', async () => {
    const bug = new TypeError('claims.groups is undefined');
    expect(await verdict(requireAuth({ claims: () => { throw bug; } }), alice)).toBe(bug);
  });

  it.each([undefined, null, false, 'route', 'router', 0])('throwing %p denies too: next() would take it for a way through', async (thrown) => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is the point
    await refuses({ claims: () => { throw thrown; } }, 'ERR_CODE_FLOW_CLAIMS_REFUSED');
  });
});

describe('provider', () => {
  const providers = { acme: { issuer: 'https://acme.example.com', clientId: 'web' }, beta: { issuer: 'https://beta.example.com', clientId: 'web' } };
  const options = optionsWith({ providers, provider: undefined });
  const at = (provider: string) => contextWith(loginOf({}, { provider }), { options });

  it('a login of this one passes', () => passes({ provider: 'acme' }, at('acme')));

  it.each([['of another one', at('beta')], ['that is none', contextWith({ kind: 'anonymous' }, { options })]])('a login %s is not enough, and the error says which is', async (_, context) => {
    expect(await refuses({ provider: 'acme' }, 'ERR_CODE_FLOW_LOGIN_REQUIRED', context)).toMatchObject({ status: 401, provider: 'acme' });
  });

  it('a name that is not among the providers is a mistake of the app, and loud', async () => {
    expect(await refuses({ provider: 'acne' }, 'ERR_CODE_FLOW_OPTION_INVALID', at('acme'))).toBeInstanceOf(ConfigurationError);
    expect(() => requireAuth({ provider: '../acme' })).toThrow('`requireAuth.provider` must be the name of a provider');
  });
});

describe('scope', () => {
  const atLogin = loginOf({}, { scope: 'openid orders:read' });
  const granted = (scope: string | undefined) => contextWith(atLogin, { grantedScope: () => Promise.resolve(scope) });

  it.each<[string | string[], string | undefined]>([
    ['orders:read', 'openid orders:read'],
    [['openid', 'orders:read'], 'orders:read openid email'],
    ['openid orders:read', 'orders:read openid'],
    ['orders:read', undefined], // unchanged since the login (RFC 6749 §6)
  ])('%j passes when "%s" was granted', (scope, given) => passes({ scope }, granted(given)));

  it.each<[string | string[], string | undefined]>([
    ['orders:write', 'openid orders:read'],
    [['openid', 'orders:write'], 'openid orders:read'],
    ['orders', 'orders:read'],
    ['Orders:read', 'orders:read'],
    ['openid', ''], // none: CVE-2022-31690
    ['orders:write', undefined], // was not there at the login
  ])('%j is denied when "%s" was granted (THREATS D10)', async (scope, given) => {
    expect(await refuses({ scope }, 'ERR_CODE_FLOW_SCOPE_MISSING', granted(given))).toBeInstanceOf(AccessDeniedError);
  });

  it('a store that cannot tell what was granted is an error, not a denial', async () => {
    await refuses({ scope: 'openid' }, 'ERR_CODE_FLOW_STORE_UNAVAILABLE', contextWith(loginOf(), { grantedScope: () => Promise.reject(down) }));
  });
});

describe('step-up', () => {
  const required = 'ERR_CODE_FLOW_STEP_UP_REQUIRED';
  const now = epochSeconds();

  it('one of several classes is enough', () => passes({ acr: ['gold', 'silver'] }, contextWith(loginOf({ acr: 'silver' }))));

  it.each<[Record<string, unknown>]>([[{}], [{ acr: 'bronze' }], [{ acr: ['gold'] }], [{ acr: 'GOLD' }]])('claims %j are not strong enough', async (claims) => {
    const error = await refuses({ acr: ['gold', 'silver'] }, required, contextWith(loginOf(claims)));
    expect(error).toHaveProperty('status', 401);
    expect(error).toHaveProperty('stepUp', { acrValues: ['gold', 'silver'] });
  });

  it.each<[string, Record<string, unknown>, number]>([
    ['auth_time', { auth_time: now - 100 }, now - 5000],
    ['the login, without auth_time', {}, now - 100],
    ['the login, with an auth_time that is still to come, as in milliseconds', { auth_time: now * 1000 }, now - 100],
    ['the login, with an auth_time that is no number', { auth_time: String(now) }, now - 100],
  ])('the age counts from %s', async (_, claims, loginAt) => {
    const context = contextWith(loginOf(claims, { loginAt }));
    await passes({ maxAgeSeconds: 200 }, context);
    const error = await refuses({ maxAgeSeconds: 90 }, required, context);
    expect(error).toMatchObject({ stepUp: { maxAgeSeconds: 90 } });
  });

  it('a fresh login does not make up for an old authentication', async () => {
    await refuses({ maxAgeSeconds: 90 }, required, contextWith(loginOf({ auth_time: now - 100 }, { loginAt: now })));
  });

  it('asks for everything at once', async () => {
    const error = await refuses({ acr: 'gold', maxAgeSeconds: 900 }, required);
    expect(error).toMatchObject({ stepUp: { acrValues: ['gold'], maxAgeSeconds: 900 } });
  });

  it('who lacks a right is not asked to log in again', async () => {
    await refuses({ acr: 'gold', claims: () => false }, 'ERR_CODE_FLOW_CLAIMS_REFUSED');
  });
});

describe('token', () => {
  it('waits for a usable access token', async () => {
    const ensureAccessToken = jest.fn(() => Promise.resolve());
    await passes({ token: true }, contextWith(loginOf(), { ensureAccessToken }));
    expect(ensureAccessToken).toHaveBeenCalledTimes(1);
  });

  it('is not asked for when it is off, or when the request is denied anyway', async () => {
    const ensureAccessToken = jest.fn(() => Promise.resolve());
    const context = contextWith(loginOf(), { ensureAccessToken, grantedScope: () => Promise.resolve('') });
    await passes({ token: false }, context);
    await refuses({ token: true, claims: () => false }, 'ERR_CODE_FLOW_CLAIMS_REFUSED', context);
    await refuses({ token: true, scope: 'openid' }, 'ERR_CODE_FLOW_SCOPE_MISSING', context);
    expect(ensureAccessToken).not.toHaveBeenCalled();
  });

  it('passes on why there is none', async () => {
    const error = new ProviderError('ERR_CODE_FLOW_TOKEN_UNAVAILABLE', 503, 'later', { retryAfterSeconds: 30 });
    expect(await verdict(requireAuth({ token: true }), contextWith(loginOf(), { ensureAccessToken: () => Promise.reject(error) }))).toBe(error);
  });

  it('a rejection without an error does not let the request through', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that is the point
    const context = contextWith(loginOf(), { ensureAccessToken: () => Promise.reject(undefined) });
    expect(await verdict(requireAuth({ token: true }), context)).toBeInstanceOf(Error);
  });
});

describe('options are checked when the guard is made', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ scopes: 'a' }, 'unknown option `requireAuth.scopes`; did you mean `requireAuth.scope`?'],
    [{ maxAge: 5 }, 'unknown option `requireAuth.maxAge`'],
    [{ scope: [] }, '`requireAuth.scope` must not be empty'],
    [{ scope: '' }, '`requireAuth.scope` must be one string of scopes'],
    [{ scope: ['a', 7] }, '`requireAuth.scope[1]`'],
    [{ acr: '' }, '`requireAuth.acr` must be an authentication context class'],
    [{ maxAgeSeconds: 0 }, '`requireAuth.maxAgeSeconds` must be a number of seconds from 1'],
    [{ maxAgeSeconds: '5' }, '`requireAuth.maxAgeSeconds`'],
    [{ claims: { role: 'admin' } }, '`requireAuth.claims` must be a function'],
    [{ claims: () => Promise.resolve(true), token: 'yes' }, '`requireAuth.token` must be true or false'],
    [{ claims: async () => true }, '`requireAuth.claims` must not be async'],
  ])('%j', (options, message) => {
    expect(() => requireAuth(options as RequireAuthOptions)).toThrow(message);
    expect(() => requireAuth(options as RequireAuthOptions)).toThrow(ConfigurationError);
  });
});

it('handed to Express uncalled, as `app.get(path, requireAuth, …)`, it lets nobody through and says what is missing', async () => {
  const seen: unknown[] = [];
  const app = express();
  app.get('/', requireAuth as unknown as express.RequestHandler, (_req, res) => void res.send('secret'));
  app.use(((error, _req, res, _next) => void res.status(500).json(seen.push(error))) satisfies express.ErrorRequestHandler);
  expect((await supertest(app).get('/')).status).toBe(500);
  expect(seen).toEqual([expect.objectContaining({ code: 'ERR_CODE_FLOW_OPTION_INVALID', message: expect.stringContaining('write `requireAuth(…)`, not `requireAuth`') })]);
});

describe('a handler that throws after the guard (THREATS G7)', () => {
  const waiting = contextWith(loginOf(), { ensureAccessToken: () => Promise.resolve() });
  const frameworks = [
    { name: 'Express 5', create: (): Server => express() },
    { name: 'Express 4', create: (): Server => express4() },
    { name: 'Connect', create: (): Server => connect() },
  ];
  const cases = frameworks.flatMap((framework) => [false, true].map((token) => ({ ...framework, token })));

  it.each(cases)('$name, token: $token: runs once, and its error arrives once', async ({ create, token }) => {
    const handler = jest.fn(() => { throw new Error('of the handler'); });
    const errors = jest.fn();
    const app = create();
    app.use((req: Request, _res: Response, next: Next) => {
      setContext(req, waiting);
      next();
    });
    app.use(requireAuth({ token }));
    app.use(handler);
    app.use((error: Error, _req: Request, res: Response, _next: Next) => {
      errors();
      res.end(error.message);
    });
    const { text } = await supertest(createServer(app)).get('/');
    expect(text).toBe('of the handler');
    expect(handler).toHaveBeenCalledTimes(1);
    expect(errors).toHaveBeenCalledTimes(1);
  });

  it('without a framework the error is the caller\'s, and next() is not called again', () => {
    const { req, res } = exchange();
    setContext(req, alice);
    const next = jest.fn(() => { throw new Error('of the handler'); });
    expect(() => requireAuth()(req, res, next)).toThrow('of the handler');
    expect(next).toHaveBeenCalledTimes(1);
  });

  it('without a framework, after waiting, the error is the process\', and next() is not called again', async () => {
    const lib = new URL('../../../lib/', import.meta.url);
    const script = `
      import { setContext } from '${new URL('context.ts', lib).href}';
      import { requireAuth } from '${new URL('guards/require-auth.ts', lib).href}';
      const req = { method: 'GET' };
      const login = { claims: {} };
      setContext(req, { state: { kind: 'authenticated', login }, ensureAccessToken: () => Promise.resolve() });
      let calls = 0;
      const thrown = [];
      process.on('unhandledRejection', (error) => thrown.push(error.message));
      process.on('exit', () => console.log(JSON.stringify({ calls, thrown })));
      requireAuth({ token: true })(req, { headersSent: true }, () => { calls += 1; throw new Error('of the handler'); });`;
    const { stdout } = await run(process.execPath, ['--import', 'tsx', '--unhandled-rejections=throw', '--input-type=module', '--eval', script]);
    expect(JSON.parse(stdout)).toEqual({ calls: 1, thrown: ['of the handler'] });
  });
});
