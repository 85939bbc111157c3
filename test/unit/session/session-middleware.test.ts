/** The session of a request, from its reading to a login or a logout, over keys in memory. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import { resolveOptions } from '../../../lib/options.js';
import { createSealer, hashId } from '../../../lib/seal.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import type { RequestSession } from '../../../lib/session/opened-session.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { createSessions, type Sessions } from '../../../lib/session/session-middleware.js';
import type { CodeFlowOptions } from '../../../lib/types.js';
import { exchange, HandClock, loginRecord, pairOf } from './support.js';

const secret = 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa';
const sealer = createSealer([secret]);
const down = new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store is down');
const failing = (): Promise<never> => Promise.reject(down);
const cleared = expect.stringMatching(/^__Host-session=; Path=\/; Max-Age=0; .*SameSite=Lax$/);

let clock: HandClock;
let keys: SessionKeys;
/** Every command, in order. */
let asked: string[];
/** Commands that fail. */
let broken: Set<keyof SessionKeys>;
let told: { code: string; message: string }[];

function watched(inner: SessionKeys): SessionKeys {
  const all = Object.entries(inner).map(([name, command]) => [
    name,
    (...given: unknown[]) => {
      asked.push(name);
      return broken.has(name as keyof SessionKeys) ? failing() : (command as (...all: unknown[]) => unknown)(...given);
    },
  ]);
  return Object.fromEntries(all) as SessionKeys;
}

beforeEach(() => {
  clock = new HandClock();
  asked = [];
  broken = new Set();
  told = [];
  keys = watched(memorySessionKeys(clock));
});

function create(change: Partial<CodeFlowOptions> = {}): Sessions {
  const given = { provider: { issuer: 'https://id.example.com', clientId: 'web' }, baseUrl: 'https://app.example.com', secret, ...change } as CodeFlowOptions;
  return createSessions({ options: resolveOptions(given, {}), keys, sealer, clock, events: createEvents(), tell: (code, message) => told.push({ code, message }) });
}

async function visit(sessions: Sessions, cookie?: string, headers: Record<string, string> = {}) {
  const { req, res, setCookies } = exchange(cookie);
  Object.assign(req.headers, headers);
  const session = await sessions.open(req, res);
  return { req, res, setCookies, session };
}
const record = (change = {}) => loginRecord({ loginAt: clock.seconds, expiresAt: clock.seconds + 604_800, ...change });
async function logIn(sessions: Sessions, cookie?: string, login = record(), headers: Record<string, string> = {}): Promise<string> {
  const { session, setCookies } = await visit(sessions, cookie, headers);
  await session.startLogin(login);
  return pairOf(setCookies()[0]!);
}
const stateOf = async (sessions: Sessions, cookie: string): Promise<RequestSession['state']> => (await visit(sessions, cookie)).session.state;

describe('the reading of a session', () => {
  it('costs nothing without a cookie, and is there at once', () => {
    const { req, res } = exchange('theme=dark');
    const session = create().open(req, res);
    expect(session).toMatchObject({ state: { kind: 'anonymous' }, id: undefined, idleLeftSeconds: undefined, handle: undefined });
    expect(asked).toEqual([]);
  });

  it('costs one command, and tells who it is, how long, and its name for the app', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    asked = [];
    const { session } = await visit(sessions, cookie);
    expect(asked).toEqual(['getAndRenew']);
    expect(session).toMatchObject({ state: { kind: 'authenticated', login: record() }, idleLeftSeconds: 28_800, handle: expect.stringMatching(/^[\w-]{43}\.[\w-]{43}\.[\w-]{43}$/) });
    expect(session.handle).toContain(hashId(session.id!));
  });

  it('renews nothing where it is only looked at', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    asked = [];
    const { req, res } = exchange(cookie);
    expect(await sessions.open(req, res, false)).toMatchObject({ state: { kind: 'authenticated' }, idleLeftSeconds: 28_800 });
    expect(asked).toEqual(['peek']);
  });

  it.each(['getAndRenew', 'peek'] as const)('promise 3: never says nobody while the store cannot tell: %s', async (command) => {
    const sessions = create();
    const cookie = await logIn(sessions);
    broken.add(command);
    const { req, res, setCookies } = exchange(cookie);
    const session = await sessions.open(req, res, command === 'getAndRenew');
    expect(session).toMatchObject({ state: { kind: 'unknown', error: down }, idleLeftSeconds: undefined, handle: undefined });
    await expect(session.startLogin(record())).rejects.toBe(down);
    await expect(session.end()).rejects.toBe(down);
    expect(() => (req as { session?: unknown }).session).toThrow(down);
    expect(session.watch(res)).toBeUndefined();
    expect(setCookies()).toEqual([]);
  });

  it('says of any other failure that the store cannot tell', async () => {
    const cookie = await logIn(create());
    keys = { ...keys, getAndRenew: () => Promise.reject(new TypeError('secret')) };
    const { state } = (await visit(create(), cookie)).session;
    expect(state).toMatchObject({ kind: 'unknown', error: { code: 'ERR_CODE_FLOW_STORE_UNAVAILABLE', message: 'the session could not be read' } });
  });

  it('of a signed id that is not stored finds nobody', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    await (await visit(sessions, cookie)).session.end();
    const { session } = await visit(sessions, cookie);
    expect(session).toMatchObject({ state: { kind: 'anonymous' }, idleLeftSeconds: undefined, handle: undefined });
    expect(session.id).toEqual(expect.any(String));
  });

  it('is the same without an answer, and by the id alone', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    const { req, res } = exchange(cookie);
    const seen = await sessions.see(req);
    expect(seen.state.kind).toBe('authenticated');
    const { id } = (await visit(sessions, cookie)).session;
    expect((await sessions.openById(id!, exchange().req, res)).state.kind).toBe('authenticated');
    await seen.end();
    expect((await stateOf(sessions, cookie)).kind).toBe('anonymous');
    expect((await sessions.see(exchange().req)).state.kind).toBe('anonymous');
  });
});

describe('C14: a request with two session cookies', () => {
  it('is nobody\'s, costs nothing, and is told of by the name of the cookie alone, with an answer and without', async () => {
    const sessions = create();
    const [one, other] = [await logIn(sessions), await logIn(sessions)];
    asked = [];
    expect((await stateOf(sessions, `${one}; ${other}`)).kind).toBe('anonymous');
    expect((await sessions.see(exchange(`${other}; ${one}`).req)).state.kind).toBe('anonymous');
    expect(asked).toEqual([]);
    const problem = 'a browser sent more than one cookie __Host-session, so that none of them counts and its user is not logged in';
    const advice = 'does another app under this host or a parent domain set one? `session.cookieName` gives this one a name of its own';
    const expected = { code: 'ERR_CODE_FLOW_COOKIE_AMBIGUOUS', message: `${problem}: ${advice}` };
    expect(told).toEqual([expected, expected]);
  });
});

describe('C11: the cookie', () => {
  it.each<[string, Partial<CodeFlowOptions>, string]>([
    ['https', {}, '__Host-session=…; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['https with a path', { baseUrl: 'https://app.example.com/shop' }, '__Secure-session=…; Path=/shop; HttpOnly; Secure; SameSite=Lax'],
    ['http on loopback, Strict', { baseUrl: 'http://localhost:3000', session: { sameSite: 'strict' } }, 'session=…; Path=/; HttpOnly; SameSite=Strict'],
    ['a name of the app\'s own', { baseUrl: 'https://app.example.com/shop', session: { cookieName: 'id' } }, 'id=…; Path=/shop; HttpOnly; Secure; SameSite=Lax'],
  ])('has the flags that fit %s', async (_name, change, expected) => {
    const sessions = create(change);
    const { session, setCookies } = await visit(sessions);
    await session.startLogin(record());
    expect(setCookies().map((line) => line.replace(/=[^;]+/, '=…'))).toEqual([expected]);
  });
});

describe('C1, C2: a login', () => {
  it('gets a new id, and the old one is dead', async () => {
    const sessions = create();
    const [first] = [await logIn(sessions)];
    const second = await logIn(sessions, first);
    expect(second).not.toBe(first);
    expect([(await stateOf(sessions, first)).kind, (await stateOf(sessions, second)).kind]).toEqual(['anonymous', 'authenticated']);
  });

  it('takes along what the app named, and nothing else', async () => {
    const sessions = create({ session: { keep: ['cart', 'missing', 'toString'] } });
    const { req, res } = await visit(sessions);
    Object.assign((req as unknown as { session: object }).session, { cart: [1], role: 'admin' });
    res.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const anonymous = pairOf([res.getHeader('Set-Cookie')].flat().map(String)[0]!);
    const { req: after } = await visit(sessions, await logIn(sessions, anonymous));
    const { session } = after as unknown as { session: Record<string, unknown> };
    expect([session['cart'], Object.keys(session)]).toEqual([[1], ['cookie', 'cart']]);
  });

  it('ends with its absolute time, whatever is used', async () => {
    const sessions = create({ session: { absoluteTimeoutSeconds: 1000, idleTimeoutSeconds: 500 } });
    const cookie = await logIn(sessions, undefined, record({ expiresAt: clock.seconds + 1000 }));
    clock.forward(999);
    expect((await stateOf(sessions, cookie)).kind).toBe('authenticated');
    clock.forward(1);
    expect((await stateOf(sessions, cookie)).kind).toBe('anonymous');
  });

  it('C4, C5: sets no cookie, and leaves no session, where any step fails', async () => {
    for (const command of ['set', 'addMember', 'swap', 'take'] as const) {
      const sessions = create();
      const cookie = await logIn(sessions);
      const { session, setCookies } = await visit(sessions, cookie);
      broken.add(command);
      asked = [];
      await expect(session.startLogin(record())).rejects.toBe(down);
      expect(setCookies()).toEqual([]);
      expect(asked.at(-1)).toBe('take'); // the new one is destroyed, as far as that works
      broken.clear();
    }
  });
});

describe('H6, C7: a login that is signed out while it finishes', () => {
  const signedOut = { name: 'LoginError', code: 'ERR_CODE_FLOW_SIGNED_OUT', message: expect.stringContaining('signed out') };

  it('because all sessions of its user were ended does not come up', async () => {
    const sessions = create();
    const { session, setCookies } = await visit(sessions);
    clock.forward(1);
    await sessions.endAll({ provider: 'default', subject: 'alice' }, () => Promise.resolve());
    await expect(session.startLogin(record())).rejects.toMatchObject(signedOut);
    expect(setCookies()).toEqual([]);
  });

  it('because the session that it replaces was ended does not come up; a session that was gone anyway is no hindrance', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    const { session, setCookies } = await visit(sessions, cookie);
    await (await visit(sessions, cookie)).session.end();
    await expect(session.startLogin(record())).rejects.toMatchObject(signedOut);
    expect(setCookies()).toEqual([]);
    const { session: late } = await visit(sessions, cookie);
    await late.startLogin(record());
  });

  it('the other way about, a logout ends the login that took its session\'s place, and tells of its grant', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    const { session, setCookies } = await visit(sessions, cookie);
    const successor = await logIn(sessions, cookie, record({ grantId: 'the new grant' }));
    expect(await session.end()).toMatchObject({ grant: hashId('the new grant') });
    expect((await stateOf(sessions, successor)).kind).toBe('anonymous');
    expect(setCookies()).toEqual([cleared]);
  });
});

describe('a logout', () => {
  it('deletes the session, then the cookie', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    const { session, setCookies } = await visit(sessions, cookie);
    expect(await session.end()).toBeUndefined();
    expect(setCookies()).toEqual([cleared]);
    expect((await stateOf(sessions, cookie)).kind).toBe('anonymous');
  });

  it('without a cookie does nothing, and after the answer sets none', async () => {
    const sessions = create();
    const nobody = await visit(sessions);
    expect([await nobody.session.end(), nobody.setCookies()]).toEqual([undefined, []]);
    const { session, res, setCookies } = await visit(sessions, await logIn(sessions));
    Object.defineProperty(res, 'headersSent', { value: true });
    await session.end();
    expect(setCookies()).toEqual([]);
  });

  it('H2: that the store does not take leaves the cookie', async () => {
    const sessions = create();
    const { session, setCookies } = await visit(sessions, await logIn(sessions));
    broken.add('take');
    await expect(session.end()).rejects.toBe(down);
    expect(setCookies()).toEqual([]);
  });
});

describe('the watch', () => {
  it('tells whoever is logged in when that ends, and nobody else', async () => {
    const sessions = create();
    const { session, res } = await visit(sessions, await logIn(sessions));
    const watched = session.watch(res);
    expect(watched?.signal.aborted).toBe(false);
    await session.end();
    expect(watched?.signal.reason).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    const nobody = await visit(sessions);
    expect(nobody.session.watch(nobody.res)).toBeUndefined();
    sessions.close();
  });
});

describe('the list of sessions', () => {
  const alice = { provider: 'default', subject: 'alice' };
  it.each([
    ['a browser', 'a browser'],
    [undefined, undefined],
    ['', undefined],
    ['a\u0007\u202eb', 'ab'],
    ['\u0007', undefined],
    ['x'.repeat(300), 'x'.repeat(200)],
    [`${'x'.repeat(199)}😀`, 'x'.repeat(199)],
  ])('shows what a browser called itself: %p', async (agent, label) => {
    const sessions = create();
    await logIn(sessions, undefined, record(), agent === undefined ? {} : { 'user-agent': agent });
    expect(await sessions.list(alice)).toEqual([expect.objectContaining({ label, lastSeenAt: clock.seconds })]);
  });

  it('knows a login as long as it can last; as long as a cookie, where its grant is kept', async () => {
    const until: unknown[] = [];
    const inner = keys;
    keys = { ...inner, addMember: (key, member, endsAt) => (until.push(endsAt), inner.addMember(key, member, endsAt)) };
    await logIn(create());
    await logIn(create({ session: { keepGrant: true } }));
    expect(until).toEqual([clock.seconds + 604_800, clock.seconds + 400 * 86_400]);
  });

  it('ends what it names', async () => {
    const sessions = create();
    const cookie = await logIn(sessions);
    const [{ sessionId } = { sessionId: '' }] = await sessions.list(alice);
    expect((await visit(sessions, cookie)).session.handle).toBe(sessionId);
    await sessions.endOne(sessionId, () => Promise.resolve());
    expect((await stateOf(sessions, cookie)).kind).toBe('anonymous');
  });
});
