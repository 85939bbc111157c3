/** What a browser or a program gets for each of our errors, over real connections. */
import { createServer } from 'node:http';
import { describe, expect, it, jest } from '@jest/globals';
import supertest, { type Test } from 'supertest';
import { setContext, type RequestContext, type StepUpParameters } from '../../../lib/context.js';
import {
  AccessDeniedError,
  AuthenticationRequiredError,
  ConfigurationError,
  LoginError,
  ProviderError,
  StoreError,
  type CodeFlowError,
  type CodeFlowErrorCode,
} from '../../../lib/errors.js';
import { handleAuthErrors, type HandleAuthErrorsOptions } from '../../../lib/guards/handle-auth-errors.js';
import { explain } from '../../../lib/pages.js';
import type { Request, Response } from '../../../lib/types.js';
import { contextWith, loginOf, optionsWith } from './support.js';

const anonymous = contextWith({ kind: 'anonymous' });
const loginRequired = new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', 'sentinel-message');
const stepUp = { acrValues: ['gold'], maxAgeSeconds: 60 };
const stepUpRequired = new AuthenticationRequiredError('ERR_CODE_FLOW_STEP_UP_REQUIRED', 'sentinel-message', { stepUp });
const storeDown = new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'sentinel-message');
const denied = new AccessDeniedError('ERR_CODE_FLOW_SCOPE_MISSING', 'sentinel-message');
const loginFailed = new LoginError('ERR_CODE_FLOW_LOGIN_REFUSED', 'sentinel-message', { providerError: 'access_denied' });

interface Setting {
  context?: RequestContext;
  options?: HandleAuthErrorsOptions;
  /** Runs before the error is handled. */
  before?: (req: Request, res: Response) => void;
}

/** A server whose every request ends in this error; what the handler passes on becomes 599. */
function failing(error: unknown, { context = anonymous, options, before }: Setting = {}) {
  const handler = handleAuthErrors(options);
  const passedOn: unknown[] = [];
  const server = createServer((req, res) => {
    setContext(req, context);
    before?.(req, res);
    handler(error, req, res, (reason) => {
      passedOn.push(reason);
      if (!res.headersSent) res.writeHead(599);
      res.end();
    });
  });
  return { agent: supertest(server), passedOn };
}

const asPage = (test: Test): Test => test.set('Sec-Fetch-Mode', 'navigate').set('Sec-Fetch-Site', 'none').redirects(0);
const asScript = (test: Test): Test => test.set('Sec-Fetch-Mode', 'cors').set('Accept', '*/*').redirects(0);

describe('nobody is logged in', () => {
  it('a page navigation goes to the login and will come back', async () => {
    const { status, headers, text } = await asPage(failing(loginRequired).agent.get('/orders?id=7&x=%2F'));
    expect(status).toBe(302);
    const location = new URL(headers.location!);
    expect(location.origin + location.pathname).toBe('https://app.example.com/login');
    expect([...location.searchParams]).toEqual([['returnTo', 'https://app.example.com/orders?id=7&x=%2F']]);
    expect(text).toBe('');
    expect(headers['set-cookie']).toBeUndefined();
  });

  it('the addresses come from baseUrl, whatever Host and X-Forwarded-* say', async () => {
    const context = contextWith({ kind: 'anonymous' }, { options: optionsWith({ baseUrl: 'https://app.example.com/shop', routes: { login: '/in' } }) });
    const test = failing(loginRequired, { context }).agent.get('/shop/orders').set('Host', 'evil.example').set('X-Forwarded-Host', 'evil.example').set('X-Forwarded-Proto', 'ftp');
    const { headers } = await asPage(test);
    expect(headers.location).toBe('https://app.example.com/shop/in?returnTo=https%3A%2F%2Fapp.example.com%2Fshop%2Forders');
  });

  it.each(['//evil.example/x', '/\\evil.example', 'http://evil.example/x', '/login', '/%6Cogin/'])('the target %s does not come back', async (target) => {
    const { agent } = failing(loginRequired, { before: (req) => { req.url = target; } });
    const { headers } = await asPage(agent.get('/'));
    expect(new URL(headers.location!).searchParams.get('returnTo')).toBe('https://app.example.com/');
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('a %s by a script gets 401, a code and the login address, and no cookie', async (method) => {
    const agent = failing(loginRequired).agent;
    const { status, headers, text } = await asScript(agent[method.toLowerCase() as 'get']('/orders'));
    expect(status).toBe(401);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['location']).toBeUndefined();
    expect(headers['www-authenticate']).toBeUndefined();
    expect(JSON.parse(text)).toEqual({
      title: 'Unauthorized',
      status: 401,
      code: 'ERR_CODE_FLOW_LOGIN_REQUIRED',
      detail: explain('ERR_CODE_FLOW_LOGIN_REQUIRED').detail,
      login: 'https://app.example.com/login',
      correlationId: headers['x-request-id'],
    });
  });

  it('a form is not redirected, which would lose its content: 401 page with a link (THREATS B8)', async () => {
    const { status, headers, text } = await asPage(failing(loginRequired).agent.post('/orders').send('a=b'));
    expect([status, headers.location]).toEqual([401, undefined]);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain('<a class="action" href="https://app.example.com/login">Sign in</a>');
  });

  it('a prefetch begins no login', async () => {
    const { status, headers } = await asPage(failing(loginRequired).agent.get('/orders').set('Sec-Purpose', 'prefetch;prerender'));
    expect([status, headers.location]).toEqual([401, undefined]);
  });

  it('with the login route switched off there is nowhere to send anybody', async () => {
    const context = contextWith({ kind: 'anonymous' }, { options: optionsWith({ routes: { login: false } }) });
    const page = await asPage(failing(loginRequired, { context }).agent.get('/orders'));
    expect([page.status, page.headers.location]).toEqual([401, undefined]);
    expect(page.text).not.toContain('<a ');
    const problem = await asScript(failing(loginRequired, { context }).agent.get('/orders'));
    expect(JSON.parse(problem.text)).not.toHaveProperty('login');
  });

  it.each([
    ['text/html,*/*;q=0.8', 302],
    ['*/*', 401],
    ['application/json', 401],
  ])('without Fetch Metadata, Accept: %s gives %i (THREATS G5)', async (accept, expected) => {
    expect((await failing(loginRequired).agent.get('/').set('Accept', accept).redirects(0)).status).toBe(expected);
  });
});

describe('step-up', () => {
  const redirecting = () =>
    jest.fn<(parameters: StepUpParameters) => Promise<void>>(() => Promise.resolve());

  it('a page navigation starts a login of the same user, as strong and fresh as asked for', async () => {
    const startLogin = redirecting();
    const setting: Setting = {
      context: contextWith(loginOf(), { startLogin }),
      before: (_req, res) => void startLogin.mockImplementationOnce(() => { res.end('to the server'); return Promise.resolve(); }),
    };
    const { agent, passedOn } = failing(stepUpRequired, setting);
    expect((await asPage(agent.get('/pay?x=1'))).text).toBe('to the server');
    expect(startLogin.mock.calls).toEqual([[{ returnTo: 'https://app.example.com/pay?x=1', subject: 'alice', provider: 'default', acrValues: ['gold'], maxAgeSeconds: 60 }]]);
    expect(passedOn).toEqual([]);
  });

  it.each(['POST by a person', 'GET by a script', 'prefetch'])('%s starts none: 401', async (kind) => {
    const startLogin = redirecting();
    const { agent } = failing(stepUpRequired, { context: contextWith(loginOf(), { startLogin }) });
    const test = kind === 'GET by a script' ? asScript(agent.get('/pay')) : asPage(kind === 'prefetch' ? agent.get('/pay').set('Sec-Purpose', 'prefetch') : agent.post('/pay'));
    expect((await test).status).toBe(401);
    expect(startLogin).not.toHaveBeenCalled();
  });

  it('one that cannot begin gets the page of its own error, and is not tried again', async () => {
    const startLogin = jest.fn(() => Promise.reject(new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'x', { retryAfterSeconds: 7 })));
    const { status, headers, text } = await asPage(failing(stepUpRequired, { context: contextWith(loginOf(), { startLogin }) }).agent.get('/pay'));
    expect([status, headers['retry-after'], headers.location]).toEqual([504, '7', undefined]);
    expect(text).toContain('<a class="action" href="https://app.example.com/pay">Try again</a>');
    expect(startLogin).toHaveBeenCalledTimes(1);
  });

  it('one that fails with a demand for a login does not go round in circles', async () => {
    const startLogin = jest.fn(() => Promise.reject(loginRequired));
    const { status, headers } = await asPage(failing(stepUpRequired, { context: contextWith(loginOf(), { startLogin }) }).agent.get('/pay'));
    expect([status, headers.location]).toEqual([401, undefined]);
    expect(startLogin).toHaveBeenCalledTimes(1);
  });

  it.each<[string, unknown]>([
    ['a bug', new TypeError('bug')],
    ['a ConfigurationError', new ConfigurationError('ERR_CODE_FLOW_OPTION_INVALID', 'x')],
  ])('%s on the way is passed on', async (_, reason) => {
    const { agent, passedOn } = failing(stepUpRequired, { context: contextWith(loginOf(), { startLogin: () => Promise.reject(reason) }) });
    expect((await asPage(agent.get('/pay'))).status).toBe(599);
    expect(passedOn).toEqual([reason]);
  });

  it('an own page that throws is passed on', async () => {
    const bug = new Error('of the page');
    const { agent, passedOn } = failing(stepUpRequired, {
      context: contextWith(loginOf(), { startLogin: () => Promise.reject(storeDown) }),
      options: { renderPage: () => { throw bug; } },
    });
    await asPage(agent.get('/pay'));
    expect(passedOn).toEqual([bug]);
  });
});

describe('the store or the authorization server cannot answer', () => {
  const outages: CodeFlowError[] = [
    storeDown,
    new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'sentinel-message'),
    new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'sentinel-message', { retryAfterSeconds: 30 }),
    new ProviderError('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', 502, 'sentinel-message'),
    new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'sentinel-message', { retryAfterSeconds: 5 }),
  ];
  const unknown = contextWith({ kind: 'unknown', error: storeDown });

  it.each(outages)('$code: no redirect, no cookie, and when to come back', async (error) => {
    for (const as of [asPage, asScript]) {
      const { status, headers, text } = await as(failing(error, { context: unknown }).agent.get('/orders'));
      expect(status).toBe(error.status);
      expect([headers.location, headers['set-cookie']]).toEqual([undefined, undefined]);
      expect(headers['retry-after']).toBe(error.retryAfterSeconds === undefined ? undefined : String(error.retryAfterSeconds));
      expect(text).toContain(error.code);
      expect(text).not.toContain('sentinel');
      expect(text).not.toContain('/login');
    }
  });

  it('a person can try the same page again', async () => {
    const { text } = await asPage(failing(storeDown, { context: unknown }).agent.get('/orders?x=1&y=2'));
    expect(text).toContain('<a class="action" href="https://app.example.com/orders?x=1&amp;y=2">Try again</a>');
  });

  it('a callback is not tried again, since its code is spent: the login is', async () => {
    const { text } = await asPage(failing(outages[2]).agent.get('/callback?code=sentinel&state=sentinel'));
    expect(text).toContain('<a class="action" href="https://app.example.com/login">Sign in again</a>');
    expect(text).not.toContain('sentinel');
  });

  it('a logout that did not work leads back to the logout', async () => {
    const { status, text } = await asPage(failing(new StoreError('ERR_CODE_FLOW_LOGOUT_INCOMPLETE', 'x')).agent.post('/logout'));
    expect(status).toBe(503);
    expect(text).toContain('<a class="action" href="https://app.example.com/logout">Try again</a>');
    expect(text).toContain('you are still signed in');
  });
});

describe('a login that failed, a right that is missing', () => {
  it('a page says so and offers to start again, without a word of the provider (THREATS I1)', async () => {
    const target = '/callback?error=%3Cscript%3E&error_description=sentinel&state=sentinel';
    const { status, text, headers } = await asPage(failing(loginFailed).agent.get(target));
    expect(status).toBe(400);
    expect(text).toContain('<a class="action" href="https://app.example.com/login">Sign in again</a>');
    expect(text).not.toMatch(/<script|sentinel|access_denied/);
    expect(text).toContain(headers['x-request-id']!);
  });

  it('a program gets problem+json with the login address', async () => {
    const { status, text } = await asScript(failing(loginFailed).agent.get('/callback'));
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_REFUSED', login: 'https://app.example.com/login' });
  });

  it('403 leads nobody to the login', async () => {
    const page = await asPage(failing(denied, { context: contextWith(loginOf()) }).agent.get('/admin'));
    expect([page.status, page.headers.location]).toEqual([403, undefined]);
    expect(page.text).not.toContain('/login');
    const problem = await asScript(failing(denied, { context: contextWith(loginOf()) }).agent.get('/admin'));
    expect([problem.status, JSON.parse(problem.text).login]).toEqual([403, undefined]);
  });

  it('an error without codeFlow() before it still gets an answer', async () => {
    const handler = handleAuthErrors();
    const server = createServer((req, res) => handler(loginRequired, req, res, () => res.end('passed on')));
    const { status, text } = await asPage(supertest(server).get('/'));
    expect(status).toBe(401);
    expect(text).not.toContain('<a ');
  });
});

describe('passed on', () => {
  it.each<[string, unknown]>([
    ["an app's error", new Error('bug')],
    ['something with our words but not our class', { code: 'ERR_CODE_FLOW_LOGIN_REQUIRED', status: 401 }],
    ['a ConfigurationError, which has to be loud', new ConfigurationError('ERR_CODE_FLOW_NOT_MOUNTED', 'x')],
    ['a string', 'text'],
  ])('%s', async (_, error) => {
    const { agent, passedOn } = failing(error);
    const { status, headers } = await asPage(agent.get('/'));
    expect(status).toBe(599);
    expect(headers['x-request-id']).toBeUndefined();
    expect(passedOn).toEqual([error]);
  });

  it('an error that comes after the first byte', async () => {
    const { agent, passedOn } = failing(storeDown, { before: (_req, res) => void res.write('begun') });
    const { status, text } = await asPage(agent.get('/'));
    expect([status, text]).toEqual([200, 'begun']);
    expect(passedOn).toEqual([storeDown]);
  });

  it('Express and Connect see an error handler', () => {
    expect(handleAuthErrors()).toHaveLength(4);
  });
});

describe('renderPage', () => {
  it('gets the words of the built-in page and replaces its HTML', async () => {
    const renderPage = jest.fn(() => '<h1>Own</h1>');
    const { status, text, headers } = await asPage(failing(loginFailed, { options: { renderPage } }).agent.get('/callback?error=sentinel'));
    expect([status, text]).toEqual([400, '<h1>Own</h1>']);
    expect(headers['cache-control']).toBe('no-store');
    expect(renderPage.mock.calls).toEqual([
      [
        {
          status: 400,
          code: 'ERR_CODE_FLOW_LOGIN_REFUSED',
          ...explain('ERR_CODE_FLOW_LOGIN_REFUSED'),
          correlationId: headers['x-request-id'],
          action: { url: 'https://app.example.com/login', label: 'Sign in again' },
        },
      ],
    ]);
  });

  it('is checked when the handler is made', () => {
    expect(() => handleAuthErrors({ renderPages: 1 } as HandleAuthErrorsOptions)).toThrow('did you mean `handleAuthErrors.renderPage`?');
    expect(() => handleAuthErrors({ renderPage: '<h1>' } as unknown as HandleAuthErrorsOptions)).toThrow('must be a function that returns HTML');
  });
});

it('every code has words for people, none of which is a code', () => {
  const codes: CodeFlowErrorCode[] = ['ERR_CODE_FLOW_LOGIN_REQUIRED', 'ERR_CODE_FLOW_CLOSED', 'ERR_CODE_FLOW_ACR_NOT_MET', 'ERR_CODE_FLOW_OPTION_MISSING'];
  for (const code of codes) expect(`${explain(code).title} ${explain(code).detail}`).toMatch(/^[A-Z][^_]+\.$/);
});
