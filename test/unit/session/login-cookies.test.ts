/** The cookies of logins: how many there is room for, which go first, and their flags. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createSealer } from '../../../lib/seal.js';
import { createLoginTransactions } from '../../../lib/session/login-transaction.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { after, begin, clock, create, flags, requestWith, secret, take, transaction } from './logins.js';
import { exchange, pairOf } from './support.js';

const sizeOf = (cookies: readonly string[]): number => cookies.join('').length;
const nameOf = (state: string): string => `__Host-session-login-${createHash('sha256').update(state).digest('base64url').slice(0, 16)}=`;

describe('A9, A10: several at once', () => {
  it('J8: a header full of made-up ones is not opened one by one; the real one at its end counts', () => {
    const sealer = createSealer([secret]);
    let opened = 0;
    const counting = { ...sealer, open: (...given: Parameters<typeof sealer.open>) => ((opened += 1), sealer.open(...given)) };
    const transactions = createLoginTransactions({ sealer: counting, clock, keys: memorySessionKeys(), sessionCookieName: '__Host-session', flags });
    const real = begin(transactions, transaction());
    const value = `${real.cookies[0]!.split('=')[1]!.slice(0, 9)}${'A'.repeat(38)}`;
    const madeUp = Array.from({ length: 400 }, (_, index) => `__Host-session-login-${index}=${value}`);
    opened = 0;
    const next = begin(transactions, transaction(), [...madeUp, ...real.cookies]);
    expect(opened).toBeLessThan(100);
    expect(next.cookies.slice(0, -1)).toEqual(real.cookies);
  });

  it('J8: the last ten are opened', () => {
    const transactions = create();
    const real = transaction({ silent: true });
    const { cookies } = begin(transactions, real);
    const others = Array.from({ length: 10 }, (_, index) => `__Host-session-login-${index}=x`);
    expect(transactions.findSilent(requestWith([...cookies, ...others.slice(1)]))).toEqual(real);
    expect(transactions.findSilent(requestWith([...cookies, ...others]))).toBeUndefined();
    expect(transactions.find(requestWith([...cookies, ...others]), real.state).kind).toBe('found');
  });

  it('finish in any order', () => {
    const transactions = create();
    const all = Array.from({ length: 5 }, () => transaction());
    let cookies: string[] = [];
    for (const started of all) ({ cookies } = begin(transactions, started, cookies));
    for (const started of all.toReversed()) expect(take(transactions, started.state, cookies)).toMatchObject({ kind: 'found', transaction: started });
  });

  it.each([
    ['within one second', 0],
    ['seconds apart', 1],
  ])('the sixth takes the place of the oldest, %s', (_name, pause) => {
    const transactions = create();
    const all = Array.from({ length: 8 }, () => {
      clock.forward(pause);
      return transaction();
    });
    let cookies: string[] = [];
    for (const started of all) ({ cookies } = begin(transactions, started, cookies));
    expect(cookies).toHaveLength(5);
    expect(all.map(({ state }) => take(transactions, state, cookies).kind)).toEqual(['unknown', 'unknown', 'unknown', 'found', 'found', 'found', 'found', 'found']);
  });

  it('the sixth takes the place of the oldest, in whichever order they are sent', () => {
    const transactions = create();
    const all = Array.from({ length: 5 }, () => {
      clock.forward(1);
      return transaction();
    });
    let sent: string[] = [];
    for (const started of all) ({ cookies: sent } = begin(transactions, started, sent));
    const oldestLast = [3, 1, 4, 2, 0].map((index) => sent[index]!);
    const { cookies } = begin(transactions, transaction(), oldestLast);
    expect(cookies.slice(0, -1)).toEqual(oldestLast.slice(0, -1));
  });

  it('a finished one stays while there is room, the youngest for longest', () => {
    const transactions = create();
    const finished = [transaction(), transaction(), transaction()];
    let cookies: string[] = [];
    for (const started of finished) ({ cookies } = begin(transactions, started, cookies));
    for (const { state } of [finished[1]!, finished[2]!, finished[0]!]) {
      clock.forward(1);
      cookies = [...take(transactions, state, cookies).lines.map(pairOf), ...cookies.filter((cookie) => !cookie.startsWith(nameOf(state)))];
    }
    const kinds = (): string[] => finished.map(({ state }) => take(transactions, state, cookies).kind);
    for (let round = 0; round < 2; round += 1) ({ cookies } = begin(transactions, transaction(), cookies));
    expect(kinds()).toEqual(['finished', 'finished', 'finished']);
    ({ cookies } = begin(transactions, transaction(), cookies));
    expect(kinds()).toEqual(['finished', 'unknown', 'finished']);
    ({ cookies } = begin(transactions, transaction(), cookies));
    expect(kinds()).toEqual(['finished', 'unknown', 'unknown']);
  });

  it('have 4096 bytes to the last one', () => {
    const transactions = create();
    const started = transaction();
    const own = sizeOf(begin(transactions, started).cookies) - '='.length;
    const ofNewerRelease = (size: number): string => {
      const name = '__Host-session-login-'.padEnd(24 + (size % 4), 'x'); // what is left is of whole bytes
      return `${name}=${'Ag'.padEnd(size - name.length, 'A')}`;
    };
    for (const [size, count] of [[4096 - own, 2], [4097 - own, 1]] as const) {
      expect(begin(transactions, started, [ofNewerRelease(size)]).cookies).toHaveLength(count);
    }
  });

  it('together stay below 4 KB, the newest always among them', () => {
    const transactions = create();
    let cookies: string[] = [];
    for (const length of [100, 900, 1200, 30, 1900, 1900, 500, 1900]) {
      const started = transaction({ returnTo: `https://app.example.com/${'x'.repeat(length)}` });
      ({ cookies } = begin(transactions, started, cookies));
      expect(sizeOf(cookies)).toBeLessThan(4096);
      expect(cookies.length).toBeGreaterThan(0);
    }
  });

  it('what is finished makes room before what is under way', () => {
    const transactions = create();
    const all = Array.from({ length: 4 }, () => transaction());
    const last = transaction();
    let cookies: string[] = [];
    for (const started of all) ({ cookies } = begin(transactions, started, cookies));
    clock.forward(1);
    ({ cookies } = begin(transactions, last, cookies));
    cookies = after(cookies, take(transactions, last.state, cookies).lines);
    ({ cookies } = begin(transactions, transaction(), cookies));
    expect(cookies).toHaveLength(5);
    expect(all.map(({ state }) => take(transactions, state, cookies).kind)).toEqual(['found', 'found', 'found', 'found']);
    expect(take(transactions, last.state, cookies).kind).toBe('unknown');
  });

  it.each([
    ['FAULTS 53: of a newer release', (sealed: Buffer) => sealed.fill(2, 0, 1)],
    ['FAULTS 54: sealed with a secret that this process has not got yet', (sealed: Buffer) => sealed.fill(0, 1, 5)],
  ])('%s is left alone while there is room, and goes before what we can open', (_name, change) => {
    const transactions = create();
    const [name, value] = begin(transactions, transaction()).cookies[0]!.split('=') as [string, string];
    const theirs = `${name}=${change(Buffer.from(value, 'base64url')).toString('base64url')}`;
    let cookies = [theirs];
    for (let round = 0; round < 4; round += 1) ({ cookies } = begin(transactions, transaction(), cookies));
    expect([cookies.length, cookies[0]]).toEqual([5, theirs]);
    expect(begin(transactions, transaction(), cookies).cookies).not.toContain(theirs);
  });

  it('what is expired or cannot be opened makes room first; other cookies are left alone', () => {
    const transactions = create();
    const old = begin(transactions, transaction({ startedAt: clock.seconds - 601 })).cookies;
    const foreign = ['__Host-session-login-garbage=garbage', '__Host-session=mine', 'theme=dark'];
    const young = begin(transactions, transaction()).cookies;
    const { cookies, lines } = begin(transactions, transaction(), [...old, ...foreign, ...young]);
    expect(lines.filter((line) => line.includes('Max-Age=0')).map((line) => line.split('=')[0]).sort()).toEqual(
      [old[0]!.split('=')[0], '__Host-session-login-garbage'].sort(),
    );
    expect(cookies).toEqual(expect.arrayContaining(['__Host-session=mine', 'theme=dark', ...young]));
  });
});

describe('C12: the cookie of a login that comes back by a cross-site POST', () => {
  const ofName = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^__Host-session-login-[\w-]{16}=[^;]*/, '…'));
  const [set, cleared] = ['…; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=None', '…; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=None'];
  // No two of these fit in beside each other.
  const longWayBack = `https://app.example.com/${'x'.repeat(1900)}`;

  /** On loopback without https, where the others are not Secure. */
  function byPost() {
    const transactions = createLoginTransactions({ sealer: createSealer([secret]), clock, keys: memorySessionKeys(), sessionCookieName: '__Host-session', flags: { ...flags, secure: false } });
    const started = transaction({ byPost: true, returnTo: longWayBack });
    const { cookies, lines } = begin(transactions, started);
    const finished = take(transactions, started.state, cookies);
    return { transactions, started, cookies, lines, finished, left: after(cookies, finished.lines) };
  }

  it('is None and Secure from its beginning to its end', () => {
    const { lines, finished } = byPost();
    expect([ofName(lines), ofName(finished.lines)]).toEqual([[set], [set]]);
  });

  it('is deleted as such: dropped, forgotten, or to make room', () => {
    const { transactions, started, cookies, left } = byPost();
    const [dropped, forgotten] = [exchange(), exchange(left.join('; '))];
    transactions.drop(dropped.res, started);
    transactions.forgetFinished(forgotten.res);
    const next = transaction({ returnTo: longWayBack });
    const [forPending, forFinished] = [begin(transactions, next, cookies), begin(transactions, next, left)];
    const answers = [dropped.setCookies(), forgotten.setCookies(), forPending.lines.slice(0, -1), forFinished.lines.slice(0, -1)];
    expect(answers.map(ofName)).toEqual([[cleared], [cleared], [cleared], [cleared]]);
  });

  it('those of others are Lax', () => {
    expect(ofName(begin(byPost().transactions, transaction({ byPost: false })).lines)).toEqual(['…; Path=/; Max-Age=600; HttpOnly; SameSite=Lax']);
  });
});
