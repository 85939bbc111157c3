import { describe, expect, it } from '@jest/globals';
import session, { MemoryStore } from 'express-session';
import fc from 'fast-check';
import { createSealer, randomId } from '../../../lib/seal.js';
import { createSessionCookie } from '../../../lib/session/session-cookie.js';
import { exchange, pairOf } from './support.js';

const flags = { secure: false, sameSite: 'lax', path: '/' } as const;
const key = 'a key for tests only: 4yVqD0sZ8nKcJm2T';
const create = (...keys: [string, ...string[]]) => createSessionCookie('session', flags, keys);
const cookie = create(key);

describe('the format is express-session\'s own', () => {
  const store = new MemoryStore();
  const theirs = session({ store, name: 'session', secret: [key, 'an older one'], resave: false, saveUninitialized: true, genid: randomId, cookie: { sameSite: 'lax' } });

  /** One request through the real express-session; answers the session's id and what it told the browser. */
  async function visit(header?: string): Promise<{ id: string; lines: string[] }> {
    const { req, res, setCookies } = exchange(header);
    await new Promise((resolve) => theirs(req as never, res as never, resolve));
    res.end();
    return { id: (req as unknown as { sessionID: string }).sessionID, lines: setCookies() };
  }

  it('it writes what we write, to the letter', async () => {
    const { id, lines } = await visit();
    expect(lines).toEqual([cookie.write(id)]);
  });

  it('it accepts what we write', async () => {
    const { id } = await visit();
    expect(await visit(pairOf(cookie.write(id)))).toEqual({ id, lines: [] });
    expect((await visit(pairOf(create('an older one').write(id)))).id).toBe(id);
    expect((await visit(pairOf(create('a foreign one').write(id)))).id).not.toBe(id);
  });

  it('we accept what it writes', async () => {
    for (let time = 0; time < 20; time += 1) {
      const { id, lines } = await visit();
      expect(cookie.read(pairOf(lines[0]!))).toBe(id);
    }
  });
});

describe('reading', () => {
  it('gives the id that was written, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.base64String({ minLength: 4 }), (id) => {
        const pair = pairOf(cookie.write(id));
        expect([cookie.read(pair), cookie.read(`a=b; ${pair}; session2=x; xsession=y`)]).toEqual([id, id]);
      }),
    );
  });

  it('C19: believes no signature but one of its own keys', () => {
    const id = randomId();
    const [older, foreign] = [create('an older one'), create('a foreign one')];
    const both = create(key, 'an older one');
    expect([both.read(pairOf(cookie.write(id))), both.read(pairOf(older.write(id))), both.read(pairOf(foreign.write(id)))]).toEqual([id, id, undefined]);
    expect(both.write(id)).toBe(cookie.write(id)); // the first signs
  });

  it.each([undefined, '', 'session', 'session=', 'session=x', 'session=s:', 'session=s:.', 'session=s:a.', 'session=s:.a', 'session=s:a.b', 'session=s%3Aa.b', 'session=%', 'Session=s:a.b', 'xsession=s:a.b'])(
    'C15: finds no session in %j',
    (header) => {
      expect(cookie.read(header)).toBeUndefined();
    },
  );

  it('C15: takes any header without throwing', () => {
    fc.assert(fc.property(fc.string(), (text) => cookie.read(`session=${text}`) === undefined));
    fc.assert(fc.property(fc.string(), (text) => cookie.read(`session=s:${text}.${text}; ${text}`) === undefined));
  });

  it('C14: believes neither of two, not even if they are equal', () => {
    const [one, other] = [pairOf(cookie.write(randomId())), pairOf(cookie.write(randomId()))];
    for (const header of [`${one}; ${other}`, `${one}; ${one}`, `session=; ${one}`, `${one}; a=b; session=x`]) expect(cookie.read(header)).toBeUndefined();
  });

  it('C14: says each time that there are two, and never of one or none', () => {
    let told = 0;
    const counting = createSessionCookie('session', flags, [key], () => (told += 1));
    const pair = pairOf(cookie.write(randomId()));
    for (const header of [undefined, '', pair, `${pair}; session2=x; session-login-a=y`, 'session=x', 'a=session=; b=session=']) counting.read(header);
    expect(told).toBe(0);
    for (const header of [`${pair}; ${pair}`, 'session=x; session=', `${pair}; session=x; session=y`]) counting.read(header);
    expect(told).toBe(3);
  });

  it('C15: finds no session in what is signed rightly and lacks the prefix, or an id', () => {
    expect(cookie.read(pairOf(cookie.write('an-id')).replace('s%3A', 'x%3A'))).toBeUndefined();
    expect(cookie.read(pairOf(cookie.write('')))).toBeUndefined();
    expect(cookie.read(pairOf(cookie.write('a')))).toBe('a');
  });

  it.each(['before the right one was seen', 'after that'])('C19: refuses a signature in which one letter differs, or that is another session\'s, %s', (when) => {
    const pair = pairOf(cookie.write('an-id'));
    const other = pairOf(cookie.write('an-if'));
    if (when === 'after that') expect([cookie.read(pair), cookie.read(pair), cookie.read(other)]).toEqual(['an-id', 'an-id', 'an-if']);
    expect(cookie.read(pair.replace('an-id', 'an-if'))).toBeUndefined();
    const at = pair.indexOf('an-id');
    expect(cookie.read(pair.replace('an-id', 'an-ie'))).toBeUndefined();
    const last = pair[at + 8];
    expect(cookie.read(pair.slice(0, at + 8) + (last === 'A' ? 'B' : 'A') + pair.slice(at + 9))).toBeUndefined();
  });
});

describe('C11: writing', () => {
  const keys = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']).signingKeys as [string];
  it('sets and deletes with the same flags', () => {
    const secure = createSessionCookie('__Secure-session', { secure: true, sameSite: 'strict', path: '/app' }, keys);
    expect(secure.write('id')).toMatch(/^__Secure-session=s%3Aid\.[\w%]+; Path=\/app; HttpOnly; Secure; SameSite=Strict$/);
    expect(secure.clear()).toBe('__Secure-session=; Path=/app; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict');
  });
});
