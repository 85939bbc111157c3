import { describe, expect, it } from '@jest/globals';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { after, begin, clock, create, requestWith, secret, take, transaction } from './logins.js';
import { exchange } from './support.js';

type Spoiler = (state: string, cookies: string[]) => [string, string[]];

describe('a login under way', () => {
  it('comes back whole, and where it led to takes its place; a login that came to nothing leaves nothing', () => {
    const transactions = create();
    const started = transaction({ maxAgeSeconds: 0, subject: 'alice', acrValues: ['gold'] });
    const { cookies } = begin(transactions, started);
    const taken = take(transactions, started.state, cookies);
    expect(taken).toEqual({ kind: 'found', transaction: started, lines: taken.lines });
    expect(taken.lines).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=[\w-]{100,}; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/)]);
    expect(after(cookies, taken.lines)).toHaveLength(1);
    const { res, setCookies } = exchange();
    transactions.drop(res, started);
    expect(setCookies()).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=; Path=\/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/)]);
    expect(after(cookies, setCookies())).toEqual([]);
  });

  it('C11, C12: its cookie is Lax even where the session is Strict, and lives ten minutes', () => {
    const { lines } = begin(create(), transaction());
    expect(lines).toEqual([expect.stringMatching(/^__Host-session-login-[\w-]{16}=[\w-]{100,}; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/)]);
  });

  it('shows nothing of itself in its cookie', () => {
    const started = transaction({ state: 'sentinel-state', nonce: 'sentinel-nonce', codeVerifier: 'sentinel-verifier' });
    const { lines } = begin(create(), started);
    const decoded = lines.map((line) => line + Buffer.from(/=([\w-]+)/.exec(line)?.[1] ?? '', 'base64url').toString('latin1')).join();
    expect(decoded).not.toContain('sentinel');
  });

  it('A12: is claimed once, in whichever process, also with the cookies of before', async () => {
    const keys = memorySessionKeys();
    const [here, elsewhere] = [create([secret], 'session', keys), create([secret], 'session', keys)];
    const [started, other] = [transaction(), transaction()];
    expect(await Promise.all([here.claim(started), elsewhere.claim(started), here.claim(started)])).toEqual([true, false, false]);
    expect(await elsewhere.claim(other)).toBe(true);
  });

  it('A12: its claim is one small key for ten minutes, and only if nobody has it', async () => {
    const asked: unknown[] = [];
    const keys = { ...memorySessionKeys(), set: (...given: unknown[]) => Promise.resolve(asked.push(given) > 0) };
    await create([secret], 'session', keys).claim(transaction());
    expect(asked).toEqual([[expect.stringMatching(/^ecf:t:[\w-]{43}$/), expect.objectContaining({ length: 16 }), 600, 'NX']]);
  });

  it('E6: is ours where the claim was sent twice, and not where that of somebody else is over by now', async () => {
    const keys = memorySessionKeys();
    const twice = { ...keys, set: async (...given: Parameters<typeof keys.set>) => (await keys.set(...given), keys.set(...given)) };
    const started = transaction();
    expect(await create([secret], 'session', twice).claim(started)).toBe(true);
    expect(await create([secret], 'session', twice).claim(started)).toBe(false);
    const over = { set: () => Promise.resolve(false), peek: () => Promise.resolve(undefined) };
    expect(await create([secret], 'session', over).claim(transaction())).toBe(false);
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
    expect(transactions.endedLately(requestWith(cookies))).toHaveLength(4);
    clock.forward(6);
    expect(transactions.endedLately(requestWith(cookies))).toHaveLength(1);
    clock.forward(1);
    expect(transactions.endedLately(requestWith(cookies))).toHaveLength(0);
  });

  it('C10: the cookie that remembers the most logins counts, wherever it stands', () => {
    const transactions = create();
    const first = transaction();
    const { cookies: ofFirst } = begin(transactions, first);
    const finished = after(ofFirst, take(transactions, first.state, ofFirst).lines);
    const { cookies } = begin(transactions, transaction(), finished);
    const { cookies: unaware } = begin(transactions, transaction());
    const { cookies: broken } = begin(create(['another secret for tests only: 9pWzR3xL6vHbTq1F']), transaction());
    for (const sent of [[...cookies, ...unaware], [...unaware, ...cookies], [...broken, ...cookies, ...unaware], cookies.slice(1)]) {
      expect(transactions.endedLately(requestWith(sent))).toEqual([clock.seconds]);
    }
    expect(transactions.endedLately(requestWith([...unaware, ...broken]))).toEqual([]);
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

  it('C10: a logout that is answered already forgets nothing', () => {
    const transactions = create();
    const started = transaction();
    const { cookies } = begin(transactions, started);
    const { res, setCookies } = exchange(after(cookies, take(transactions, started.state, cookies).lines).join('; '));
    Object.defineProperty(res, 'headersSent', { value: true });
    transactions.forgetFinished(res);
    expect(setCookies()).toEqual([]);
  });

  it('a silent one is found without a state, if it is the only one of this browser', () => {
    const transactions = create();
    const [silent, other, loud] = [transaction({ silent: true }), transaction({ silent: true }), transaction()];
    const { cookies: ofSilent } = begin(transactions, silent);
    const { cookies } = begin(transactions, loud, ofSilent);
    expect(transactions.findSilent(requestWith(['theme=dark', '__Host-session-login-x=y', ...cookies]))).toEqual(silent);
    const { cookies: withTwo } = begin(transactions, other, cookies);
    expect(transactions.findSilent(requestWith(withTwo))).toBeUndefined();
    const finished = after(withTwo, take(transactions, other.state, withTwo).lines);
    expect(transactions.findSilent(requestWith(finished))).toEqual(silent);
    expect(transactions.findSilent(requestWith(begin(transactions, loud).cookies))).toBeUndefined();
    expect(transactions.findSilent(requestWith([]))).toBeUndefined();
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
