import { describe, expect, it } from '@jest/globals';
import { createSealer } from '../../../lib/seal.js';
import { createLoginTransactions, type FoundTransaction, type LoginTransaction, type LoginTransactions } from '../../../lib/session/login-transaction.js';
import { exchange, HandClock, pairOf } from './support.js';

const secret = 'a secret for tests only: 4yVqD0sZ8nKcJm2T';
const clock = new HandClock();
const flags = { secure: true, sameSite: 'strict', path: '/' } as const;
const create = (secrets = [secret], name = '__Host-session'): LoginTransactions => createLoginTransactions(createSealer(secrets), clock, name, flags);

let number = 0;
function transaction(changes: Partial<LoginTransaction> = {}): LoginTransaction {
  number += 1;
  const base = { provider: 'default', registration: 'of the client web', redirectUri: 'https://app.example.com/callback', returnTo: 'https://app.example.com/' };
  return { state: `state-${number}`, nonce: 'nonce', codeVerifier: 'verifier', startedAt: clock.seconds, ...base, ...changes };
}

/** What a browser sends after this login start: what it had, less what was deleted, and the new one last. */
function begin(transactions: LoginTransactions, started: LoginTransaction, cookies: readonly string[] = []): { cookies: string[]; lines: string[] } {
  const { req, res, setCookies } = exchange(cookies.join('; '));
  transactions.begin(req, res, started);
  const lines = setCookies();
  const changed = new Map(lines.map((line) => [pairOf(line).split('=')[0]!, line]));
  const left = cookies.filter((cookie) => !changed.has(cookie.split('=')[0]!));
  return { lines, cookies: [...left, ...lines.filter((line) => !line.includes('Max-Age=0')).map(pairOf)] };
}

/** As the callback route does: found, then used up. */
function take(transactions: LoginTransactions, state: string, cookies: readonly string[]): FoundTransaction & { lines: string[] } {
  const { req, res, setCookies } = exchange(cookies.join('; '));
  const found = transactions.find(req, state);
  if (found.kind === 'found') expect(transactions.useUp(res, found.transaction)).toBe(true);
  return { ...found, lines: setCookies() };
}

type Spoiler = (state: string, cookies: string[]) => [string, string[]];

describe('a login under way', () => {
  it('comes back whole, and its cookie is deleted', () => {
    const transactions = create();
    const started = transaction({ maxAgeSeconds: 0, subject: 'alice', acrValues: ['gold'] });
    const { cookies } = begin(transactions, started);
    const taken = take(transactions, started.state, cookies);
    expect(taken).toMatchObject({ kind: 'found', transaction: started });
    expect(taken.lines).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=; Path=\/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/)]);
  });

  it('C11, C12: its cookie is Lax even where the session is Strict, and lives ten minutes', () => {
    const { lines } = begin(create(), transaction());
    expect(lines).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=1\.[\w-]+\.[\w-]+; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/)]);
  });

  it('shows nothing of itself in its cookie', () => {
    const started = transaction({ state: 'sentinel-state', nonce: 'sentinel-nonce', codeVerifier: 'sentinel-verifier' });
    const { lines } = begin(create(), started);
    const decoded = lines.map((line) => line + Buffer.from(line.split('.')[2] ?? '', 'base64url').toString('latin1')).join();
    expect(decoded).not.toContain('sentinel');
  });

  it('A12: is taken once, and says where it led', () => {
    const transactions = create();
    const started = transaction({ returnTo: 'https://app.example.com/orders' });
    const { cookies } = begin(transactions, started);
    expect(take(transactions, started.state, cookies).kind).toBe('found');
    expect(take(transactions, started.state, cookies)).toEqual({ kind: 'used', returnTo: 'https://app.example.com/orders', lines: [] });
    expect(take(transactions, started.state, [])).toEqual({ kind: 'used', returnTo: 'https://app.example.com/orders', lines: [] });
  });

  it('A12: ends after ten minutes by our clock, whatever the browser keeps', () => {
    const transactions = create();
    const [one, other] = [transaction(), transaction()];
    const { cookies } = begin(transactions, other, begin(transactions, one).cookies);
    clock.forward(599);
    expect(take(transactions, one.state, cookies).kind).toBe('found');
    clock.forward(1);
    expect(take(transactions, other.state, cookies)).toEqual({ kind: 'unknown', lines: [] });
  });

  const spoilers: [string, Spoiler][] = [
    ['without its cookie', (state) => [state, []]],
    ['with a state in other letters', (state, cookies) => [state.toUpperCase(), cookies]],
    ['with a longer state', (state, cookies) => [`${state} `, cookies]],
    ['with an empty state', (_state, cookies) => ['', cookies]],
    ['with its cookie twice', (state, cookies) => [state, [...cookies, ...cookies]]],
    ['with a changed cookie', (state, [cookie]) => [state, [cookie!.slice(0, 60) + (cookie![60] === 'A' ? 'B' : 'A') + cookie!.slice(61)]]],
    ['with an empty cookie', (state, [cookie]) => [state, [cookie!.replace(/=.*/, '=')]]],
    ['with its cookie under another name', (state, [cookie]) => [state, [cookie!.replace('-login-', '-login-x')]]],
  ];
  it.each(spoilers)('A3, A5: is unknown %s, and not used up', (_name, spoil) => {
    const transactions = create();
    const started = transaction();
    const { cookies } = begin(transactions, started);
    expect(take(transactions, ...spoil(started.state, cookies))).toEqual({ kind: 'unknown', lines: [] });
    expect(take(transactions, started.state, cookies).kind).toBe('found');
  });

  it('A5: is unknown under another secret, and known while the secret is still in the list', () => {
    const [started, again] = [transaction(), transaction()];
    const { cookies } = begin(create(), again, begin(create(), started).cookies);
    const other = 'another secret for tests only: 9pWzR3xL6vHbTq1F';
    expect(take(create([other]), started.state, cookies).kind).toBe('unknown');
    expect(take(create([other, secret]), started.state, cookies).kind).toBe('found');
    expect(take(create([secret], 'other'), again.state, cookies).kind).toBe('unknown');
  });
});

const sizeOf = (cookies: readonly string[]): number => cookies.join('').length;

describe('A9, A10: several at once', () => {
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
