/** The parts that routes stand on, each of which says what it was asked for and answers what the test wants. */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { LoginState } from '../../../lib/session/login-state.js';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import type { CodeFlowEvents } from '../../../lib/events.js';
import { resolveOptions } from '../../../lib/options.js';
import type { TokenManager } from '../../../lib/grants/token-manager.js';
import type { Providers, RegisteredProvider } from '../../../lib/provider-registry.js';
import type { LoginRecord } from '../../../lib/session/login-record.js';
import type { LoginTransaction, LoginTransactions } from '../../../lib/session/login-transaction.js';
import type { LogoutReturns } from '../../../lib/session/logout-return.js';
import type { RequestSession, Sessions } from '../../../lib/session/session-middleware.js';
import type { UsedLogoutTokens } from '../../../lib/session/used-logout-tokens.js';
import type { CodeFlowOptions, Request, Response } from '../../../lib/types.js';
import { HandClock } from '../session/support.js';

export const app = 'https://app.example.com';
export const down = new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store is down');

const PARTS_OF_REQUEST = { method: 'GET', headers: {} as IncomingHttpHeaders, body: undefined as string | undefined };

export function visit(url: string, more: Partial<typeof PARTS_OF_REQUEST> = {}) {
  const { method, headers, body } = { ...PARTS_OF_REQUEST, ...more };
  const stream = body === undefined ? new IncomingMessage(new Socket()) : Readable.from([Buffer.from(body)]);
  const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const req = Object.assign(stream, { method, url, headers: { ...type, ...headers } }) as unknown as Request; // as much of one as routes look at
  const res = new ServerResponse(req);
  let text = '';
  res.end = ((chunk: string) => ((text = chunk), res)) as Response['end'];
  const answer = () => ({ status: res.statusCode, location: res.getHeader('Location'), text, cookies: [res.getHeader('Set-Cookie') ?? []].flat().map(String) });
  return { req, res, answer };
}

export const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };
export const fromElsewhere = { ...page, 'sec-fetch-site': 'cross-site' };

export const alice: LoginRecord = { provider: 'default', registration: 'of web', subject: 'alice', claims: { sub: 'alice' }, grantId: 'the grant', loginAt: 1_750_000_000, expiresAt: 1_750_604_800 };
export const loggedIn: LoginState = { kind: 'authenticated', login: alice };
export const nobody: LoginState = { kind: 'anonymous' };
export const unknown: LoginState = { kind: 'unknown', error: down };

export const optionsWith = (change: Partial<CodeFlowOptions> = {}) =>
  resolveOptions(
    { provider: { issuer: 'https://id.example.com', clientId: 'web' }, baseUrl: app, secret: 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa', afterLogin: '/home', afterLogout: '/bye', ...change } as CodeFlowOptions,
    {},
  );

type Answers = Record<string, unknown>;

/** `answers`: by the name of the method; a function is called, an error is thrown. Everything else answers `undefined`. */
function recorder(calls: unknown[][], answers: Answers) {
  return (name: string, isSync = false) =>
    (...given: unknown[]): unknown => {
      calls.push([name, ...given.filter((one) => !(one instanceof IncomingMessage) && !(one instanceof Readable) && !(one instanceof ServerResponse))]);
      const told = answers[name];
      const answer: unknown = typeof told === 'function' ? (told as (...all: unknown[]) => unknown)(...given) : told;
      if (isSync) return answer;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
}

const EVENTS = ['login.succeeded', 'login.failed', 'logout.completed', 'logout.revocation_failed', 'logout.received', 'logout.refused'] as const;

/** The casts: routes ask for nothing else of these parts. */
export function stage(change: Partial<CodeFlowOptions> = {}, answers: Answers = {}, about: Partial<RegisteredProvider> = {}) {
  const calls: unknown[][] = [];
  const say = recorder(calls, answers);
  const events = createEvents();
  const told: unknown[][] = [];
  for (const name of EVENTS) events.on(name, (detail: CodeFlowEvents[typeof name]) => told.push([name, detail]));
  const methods = ['promisesIssuer', 'authorizationUrl', 'exchangeCode', 'revoke', 'logout', 'endSessionUrl', 'issuer', 'verifyLogoutToken'];
  const provider = { name: 'default', responseMode: 'query', callbackPath: undefined, scope: 'openid', registration: 'of web', ...Object.fromEntries(methods.map((name) => [name, say(name)])), ...about } as unknown as RegisteredProvider;
  const get = (name: string | undefined) => (answers['get'] instanceof Error ? Promise.reject(answers['get']) : Promise.resolve({ ...provider, name: name ?? provider.name }));
  const serverOf = say('serverOf');
  const providers = {
    get,
    thatMayBe: (issuer: string) => (calls.push(['thatMayBe', issuer]), answers['thatMayBe'] ?? [provider]),
    serverOf: (login: { provider: string; registration?: string }) => (answers['serverOf'] === undefined ? Promise.resolve(provider) : serverOf(login)),
  } as unknown as Providers;
  const transactions = { endedLately: () => answers['endedLately'] ?? [], begin: say('begin', true), find: say('find', true), findSilent: say('findSilent', true), claim: say('claim'), finish: say('finish', true), drop: say('drop', true), forgetFinished: say('forgetFinished', true) } as unknown as LoginTransactions;
  const tokens = { create: say('create'), end: say('end'), endHashed: say('endHashed') } as unknown as TokenManager;
  const sessions = { openById: say('openById'), endAll: say('endAll'), endOne: say('endOne'), list: say('list') } as unknown as Sessions;
  const usedLogoutTokens = { has: say('has'), add: say('add') } as unknown as UsedLogoutTokens;
  const logoutReturns: LogoutReturns = { begin: () => 'a state', take: () => answers['take'] as string | undefined };
  const sessionOf = (state: LoginState, more: Partial<RequestSession> = {}): RequestSession =>
    ({ state, id: state.kind === 'anonymous' ? undefined : 'the session', idleLeftSeconds: undefined, handle: undefined, startLogin: say('startLogin'), end: say('endSession'), ...more }) as unknown as RequestSession;
  const settings = { options: optionsWith(change), providers, sessions, transactions, tokens, usedLogoutTokens, logoutReturns, clock: new HandClock(), events };
  const named = (name: string): unknown[][] => calls.filter(([one]) => one === name).map(([, ...given]) => given);
  return { settings, provider, calls, named, told, session: sessionOf };
}

export const transaction = (change: Partial<LoginTransaction> = {}): LoginTransaction => ({
  state: 'the state', nonce: 'the nonce', codeVerifier: 'the verifier', provider: 'default', registration: 'of web', redirectUri: `${app}/callback`, returnTo: `${app}/orders`, startedAt: 1_750_000_000, ...change,
});
