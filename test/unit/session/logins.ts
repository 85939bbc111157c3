/** A browser that logs in, as far as its cookies tell. */
import type { IncomingMessage } from 'node:http';
import { createSealer } from '../../../lib/seal.js';
import { createLoginTransactions, type FoundTransaction, type LoginTransaction, type LoginTransactions } from '../../../lib/session/login-transaction.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { exchange, HandClock, pairOf } from './support.js';

type Keys = Pick<SessionKeys, 'set' | 'peek'>;

export const secret = 'a secret for tests only: 4yVqD0sZ8nKcJm2T';
export const clock = new HandClock();
export const flags = { secure: true, sameSite: 'strict', path: '/' } as const;
export const create = (secrets = [secret], sessionCookieName = '__Host-session', keys: Keys = memorySessionKeys()): LoginTransactions =>
  createLoginTransactions({ sealer: createSealer(secrets), clock, keys, sessionCookieName, flags });

/** As a browser sends it back that has these cookies. */
export const requestWith = (cookies: readonly string[]): IncomingMessage => exchange(cookies.join('; ')).req;

let number = 0;
export function transaction(changes: Partial<LoginTransaction> = {}): LoginTransaction {
  number += 1;
  const base = { provider: 'default', registration: 'of the client web', redirectUri: 'https://app.example.com/callback', returnTo: 'https://app.example.com/' };
  return { state: `state-${number}`, nonce: 'nonce', codeVerifier: 'verifier', startedAt: clock.seconds, ...base, ...changes };
}

/** What a browser sends after this login start: what it had, less what was deleted, and the new one last. */
export function begin(transactions: LoginTransactions, started: LoginTransaction, cookies: readonly string[] = []): { cookies: string[]; lines: string[] } {
  const { req, res, setCookies } = exchange(cookies.join('; '));
  transactions.begin(req, res, started);
  return { lines: setCookies(), cookies: after(cookies, setCookies()) };
}

/** As the callback route does: found, then finished. */
export function take(transactions: LoginTransactions, state: string, cookies: readonly string[]): FoundTransaction & { lines: string[] } {
  const { req, res, setCookies } = exchange(cookies.join('; '));
  const found = transactions.find(req, state);
  if (found.kind === 'found') transactions.finish(res, found.transaction);
  return { ...found, lines: setCookies() };
}

/** What the browser has after such an answer. */
export function after(cookies: readonly string[], lines: readonly string[]): string[] {
  const changed = new Set(lines.map((line) => line.split('=')[0]));
  return [...cookies.filter((cookie) => !changed.has(cookie.split('=')[0])), ...lines.filter((line) => !line.includes('Max-Age=0')).map(pairOf)];
}
