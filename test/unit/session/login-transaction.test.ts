import { describe, expect, it } from '@jest/globals';
import { createSealer } from '../../../lib/seal.js';
import { createLoginTransactions, type FoundTransaction, type LoginTransaction, type LoginTransactions } from '../../../lib/session/login-transaction.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { exchange, HandClock, pairOf } from './support.js';

const secret = 'a secret for tests only: 4yVqD0sZ8nKcJm2T';
const clock = new HandClock();
const flags = { secure: true, sameSite: 'strict', path: '/' } as const;
const create = (secrets = [secret], sessionCookieName = '__Host-session', keys = memorySessionKeys()): LoginTransactions =>
  createLoginTransactions({ sealer: createSealer(secrets), clock, keys, sessionCookieName, flags });

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
  return { lines: setCookies(), cookies: after(cookies, setCookies()) };
}

/** As the callback route does: found, then finished. */
function take(transactions: LoginTransactions, state: string, cookies: readonly string[]): FoundTransaction & { lines: string[] } {
  const { req, res, setCookies } = exchange(cookies.join('; '));
  const found = transactions.find(req, state);
  if (found.kind === 'found') transactions.finish(res, found.transaction);
  return { ...found, lines: setCookies() };
}

/** What the browser has after such an answer. */
function after(cookies: readonly string[], lines: readonly string[]): string[] {
  const changed = new Set(lines.map((line) => line.split('=')[0]));
  return [...cookies.filter((cookie) => !changed.has(cookie.split('=')[0])), ...lines.filter((line) => !line.includes('Max-Age=0')).map(pairOf)];
}

type Spoiler = (state: string, cookies: string[]) => [string, string[]];

describe('a login under way', () => {
  it('comes back whole, and where it led to takes its place; a login that came to nothing leaves nothing', () => {
    const transactions = create();
    const started = transaction({ maxAgeSeconds: 0, subject: 'alice', acrValues: ['gold'] });
    const { cookies } = begin(transactions, started);
    const taken = take(transactions, started.state, cookies);
    expect(taken).toMatchObject({ kind: 'found', transaction: started });
    expect(taken.lines).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=1\.[\w-]+\.[\w-]+; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/)]);
    expect(after(cookies, taken.lines)).toHaveLength(1);
    const { res, setCookies } = exchange();
    transactions.drop(res, started);
    expect(setCookies()).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=; Path=\/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/)]);
    expect(after(cookies, setCookies())).toEqual([]);
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

  it('A12: is claimed once, in whichever process, also with the cookies of before', async () => {
    const keys = memorySessionKeys();
    const [here, elsewhere] = [create([secret], 'session', keys), create([secret], 'session', keys)];
    const [started, other] = [transaction(), transaction()];
    expect(await Promise.all([here.claim(started), elsewhere.claim(started), here.claim(started)])).toEqual([true, false, false]);
    expect(await elsewhere.claim(other)).toBe(true);
  });

  it('A12: once finished says where it led, to its own browser alone, in whichever process, for ten minutes', () => {
    const started = transaction({ returnTo: 'https://app.example.com/orders' });
    const { cookies } = begin(create(), started);
    const left = after(cookies, take(create(), started.state, cookies).lines);
    expect(take(create(), started.state, left)).toEqual({ kind: 'finished', returnTo: 'https://app.example.com/orders', lines: [] });
    expect(take(create(), started.state, [])).toEqual({ kind: 'unknown', lines: [] });
    expect(take(create(), 'another state', left)).toEqual({ kind: 'unknown', lines: [] });
    clock.forward(600);
    expect(take(create(), started.state, left).kind).toBe('unknown');
  });

  it('C10: a browser is known to go round in circles by what its last logins left, and no more a minute later', () => {
    const transactions = create();
    const seen: number[] = [];
    let cookies: string[] = [];
    for (let round = 0; round < 7; round += 1) {
      // So long a way back that no two cookies fit in beside each other.
      const started = transaction({ returnTo: `https://app.example.com/${'x'.repeat(1900)}` });
      seen.push(transactions.endedLately(exchange(cookies.join('; ')).req).length);
      ({ cookies } = begin(transactions, started, cookies));
      cookies = after(cookies, take(transactions, started.state, cookies).lines);
      clock.forward(2);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 5]);
    clock.forward(51);
    expect(transactions.endedLately(exchange(cookies.join('; ')).req)).toHaveLength(4);
    clock.forward(9);
    expect(transactions.endedLately(exchange(cookies.join('; ')).req)).toHaveLength(0);
  });

  it('C10: a logout forgets the logins that were finished, and none that is under way', () => {
    const transactions = create();
    const [one, other] = [transaction(), transaction()];
    let { cookies } = begin(transactions, other, begin(transactions, one).cookies);
    cookies = after(cookies, take(transactions, one.state, cookies).lines);
    const { res, setCookies } = exchange(cookies.join('; '));
    transactions.forgetFinished(res);
    cookies = after(cookies, setCookies());
    expect(cookies).toHaveLength(1);
    expect(take(transactions, other.state, cookies).kind).toBe('found');
  });

  it('A5: a finished login never opens as one under way, nor the reverse', () => {
    const transactions = create();
    const [one, other] = [transaction(), transaction()];
    let { cookies } = begin(transactions, other, begin(transactions, one).cookies);
    cookies = after(cookies, take(transactions, one.state, cookies).lines);
    const [pending, finished] = cookies as [string, string];
    const swapped = [`${pending.split('=')[0]!}=${finished.split('=')[1]!}`, `${finished.split('=')[0]!}=${pending.split('=')[1]!}`];
    for (const { state } of [one, other]) expect(take(transactions, state, swapped).kind).toBe('unknown');
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
    ['FAULTS 53: of a newer release', (value: string) => value.replace(/^1/, '2')],
    ['FAULTS 54: sealed with a secret that this process has not got yet', (value: string) => value.replace(/^1\.[\w-]{6}/, '1.other_')],
  ])('%s is left alone while there is room, and goes before what we can open', (_name, change) => {
    const transactions = create();
    const [name, value] = begin(transactions, transaction()).cookies[0]!.split('=') as [string, string];
    const theirs = `${name}=${change(value)}`;
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
