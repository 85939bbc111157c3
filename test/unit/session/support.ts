/** Requests, answers and a clock without a network or a wall. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Clock } from '../../../lib/clock.js';
import type { LoginRecord } from '../../../lib/session/login-record.js';

export function exchange(cookie?: string): { req: IncomingMessage; res: ServerResponse; setCookies: () => string[] } {
  const req = new IncomingMessage(new Socket());
  req.method = 'GET';
  req.url = '/';
  if (cookie !== undefined) req.headers.cookie = cookie;
  const res = new ServerResponse(req);
  return { req, res, setCookies: () => [res.getHeader('Set-Cookie') ?? []].flat().map(String) };
}

/** `name=value` of a Set-Cookie line. */
export const pairOf = (line: string): string => line.split(';')[0]!;

/** A clock that moves when it is told to. */
export class HandClock implements Clock {
  #now = 1_750_000_000_000;
  now = (): number => this.#now;
  monotonic = (): number => this.#now;
  sleep = (): Promise<void> => Promise.resolve();
  forward(seconds: number): void {
    this.#now += seconds * 1000;
  }
  get seconds(): number {
    return this.#now / 1000;
  }
}

export const loginRecord = (changes: Partial<LoginRecord> = {}): LoginRecord => ({
  provider: 'default',
  subject: 'alice',
  claims: { sub: 'alice', name: 'Alice' },
  grantId: 'a-grant-id',
  loginAt: 1_750_000_000,
  expiresAt: 1_750_604_800,
  ...changes,
});
