/** Everything of ours that reads text from outside, each with inputs of any size that are bad for careless parsers (THREATS J8). */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { systemClock } from '../../lib/clock.js';
import { readCookies } from '../../lib/cookies.js';
import { isNavigation, isPrefetch } from '../../lib/http.js';
import { hasForeignAccessToken, readClaims } from '../../lib/provider/id-token.js';
import { parseRetryAfter } from '../../lib/provider/retry-after.js';
import { asJsonObject, parseTokenAnswer } from '../../lib/provider/token-answer.js';
import { createSealer } from '../../lib/seal.js';
import { createLoginTransactions } from '../../lib/session/login-transaction.js';
import { memorySessionKeys } from '../../lib/session/memory-session-keys.js';
import { createSessionCookie } from '../../lib/session/session-cookie.js';
import { callbackPathOf, findApi, matchRoute, queryOf, requestPath, safeReturnTo } from '../../lib/urls.js';
import { siteAt } from './site.js';

export interface Parser {
  readonly name: string;
  /** The text, about this long. */
  readonly input: (characters: number) => string;
  readonly read: (text: string) => unknown;
}

const site = { ...siteAt('https://app.example.com/shop'), callbackPaths: ['/callback', '/callback/*'] };
const apis = [{ url: new URL('https://api.example.com/v1/'), resource: undefined, scope: undefined, provider: undefined }];
/** server-fetch.ts reads no more. */
const mostOfAnAnswer = 256 * 1024;
const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
const flags = { secure: true, sameSite: 'lax', path: '/' } as const;
const sessionCookie = createSessionCookie('session', flags, ['key']);
const transactions = createLoginTransactions({ sealer, clock: systemClock, keys: memorySessionKeys(), sessionCookieName: 'session', flags });

const request = (headers: Record<string, string>, url = '/'): IncomingMessage => Object.assign(new IncomingMessage(new Socket()), { url, method: 'GET', headers });

/** What each kind of text is made of, over and over. */
const bad = {
  path: ['/', '//', '/..', '/.', '%2f', '%25', '%', ';', '\\', 'a', '/a;b', '%2e%2e/', '..;/'],
  query: ['&', '=', 'a=b&', '%', '+', '?', 'code=a&', '%25'],
  cookie: [';', '=', ' ', 'a=b;', 'session=;', '; ; ', '%', 'session-login-x=1.;', '"'],
  accept: [',', ';', ' ', 'text/html;q=0,', 'text/html;q=0.000', 'q=0.', 'a/b;', 'prefetch'],
  json: ['{"a":', '[', '{},', '"', '\\u0000', '1', ' '],
  token: ['.', 'a', 'a.', '=', '\u0000', 'eyJ'],
} as const;

function parsersOf(kind: keyof typeof bad, name: string, read: (text: string) => unknown, prefix = ''): Parser[] {
  return bad[kind].map((piece) => ({ name: `${name} of ${JSON.stringify(piece)}`, input: (characters) => prefix + piece.repeat(Math.ceil(characters / piece.length)), read }));
}

/** Parsed before, as findApi gets it: the time of Node's own parser is not ours. */
const parsed = new Map<string, URL>();
function long(path: string): URL {
  const known = parsed.get(path) ?? new URL(`https://api.example.com/v1/${path}`);
  parsed.clear();
  parsed.set(path, known);
  return known;
}

export const parsers: readonly Parser[] = [
  ...parsersOf('path', 'safeReturnTo', (text) => safeReturnTo(text, site, '/')),
  ...parsersOf('path', 'findApi', (text) => findApi(long(text), apis)),
  ...parsersOf('path', 'matchRoute', (text) => [matchRoute(request({}, `/${text}`), site), callbackPathOf(request({}, `/callback/${text}`), site), requestPath(request({}, text))]),
  ...parsersOf('query', 'queryOf', (text) => queryOf(request({}, `/callback?${text}`)).getAll('code')),
  ...parsersOf('query', 'matchRoute', (text) => matchRoute(request({}, `/login?${text}#${text}`), site)),
  ...parsersOf('cookie', 'readCookies', readCookies),
  ...parsersOf('cookie', 'the session cookie', (text) => sessionCookie.read(text), 'session=s:'),
  ...parsersOf('cookie', 'login transactions', (text) => [transactions.find(request({ cookie: text }), 'x'), transactions.findSilent(request({ cookie: text }))]),
  ...parsersOf('cookie', 'the start of a login', (cookie) => {
    const req = request({ cookie });
    const login = { state: 's', nonce: 'n', codeVerifier: 'v', provider: 'p', registration: 'r', redirectUri: 'u', returnTo: '/', startedAt: 0 };
    transactions.begin(req, new ServerResponse(req), login);
  }),
  ...parsersOf('accept', 'isNavigation', (accept) => isNavigation(request({ accept }))),
  ...parsersOf('accept', 'isPrefetch', (text) => isPrefetch(request({ 'sec-purpose': text }))),
  ...parsersOf('accept', 'Retry-After', (text) => parseRetryAfter(text, 0)),
  ...parsersOf('json', 'the token answer', (text) => parseTokenAnswer(asJsonObject(text.slice(0, mostOfAnAnswer)) ?? {})),
  ...parsersOf('json', 'its parts', (text) => parseTokenAnswer({ access_token: text, token_type: 'bearer', scope: text, expires_in: text })),
  ...parsersOf('token', 'readClaims', readClaims),
  ...parsersOf('token', 'at_hash', (text) => hasForeignAccessToken(text, { at_hash: text }, text)),
  ...parsersOf('token', 'unsealing', (text) => [Buffer.from(text), Buffer.from(text, 'base64url')].map((sealed) => [sealer.open('grant', 'id', sealed), sealer.mayBeOthers(sealed)])),
];

/** The shortest of some runs, in milliseconds: the one that nobody else disturbed. */
export function shortestMs({ input, read }: Parser, characters: number, runs: number): number {
  const text = input(characters);
  let shortest = Infinity;
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    read(text);
    shortest = Math.min(shortest, performance.now() - began);
  }
  return shortest;
}
