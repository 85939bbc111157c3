/** The sessions of requests: what reading one costs and tells, and their cookie. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { hashId } from '../../../lib/seal.js';
import type { CodeFlowOptions } from '../../../lib/types.js';
import { down, MemorySessions } from './memory-sessions.js';
import { exchange } from './support.js';

let memory: MemorySessions;
beforeEach(() => {
  memory = new MemorySessions();
});

describe('the reading of a session', () => {
  it('costs nothing without a cookie, and is there at once', () => {
    const { req, res } = exchange('theme=dark');
    const session = memory.create().open(req, res);
    expect(session).toMatchObject({ state: { kind: 'anonymous' }, id: undefined, idleLeftSeconds: undefined, handle: undefined });
    expect(memory.asked).toEqual([]);
  });

  it('costs one command, and tells who it is, how long, and its name for the app', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    memory.asked = [];
    const { session } = await memory.visit(sessions, cookie);
    expect(memory.asked).toEqual(['getAndRenew']);
    expect(session).toMatchObject({ state: { kind: 'authenticated', login: memory.record() }, idleLeftSeconds: 28_800, handle: expect.stringMatching(/^[\w-]{43}\.[\w-]{43}\.[\w-]{43}$/) });
    expect(session.handle).toContain(hashId(session.id!));
  });

  it('renews nothing where it is only looked at', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    memory.asked = [];
    const { req, res } = exchange(cookie);
    expect(await sessions.open(req, res, false)).toMatchObject({ state: { kind: 'authenticated' }, idleLeftSeconds: 28_800 });
    expect(memory.asked).toEqual(['peek']);
  });

  it.each(['getAndRenew', 'peek'] as const)('promise 3: never says nobody while the store cannot tell: %s', async (command) => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    memory.broken.add(command);
    const { req, res, setCookies } = exchange(cookie);
    const session = await sessions.open(req, res, command === 'getAndRenew');
    expect(session).toMatchObject({ state: { kind: 'unknown', error: down }, idleLeftSeconds: undefined, handle: undefined });
    await expect(session.startLogin(memory.record())).rejects.toBe(down);
    await expect(session.end()).rejects.toBe(down);
    expect(() => (req as { session?: unknown }).session).toThrow(down);
    expect(session.watch(res)).toBeUndefined();
    expect(setCookies()).toEqual([]);
  });

  it('says of any other failure that the store cannot tell', async () => {
    const cookie = await memory.logIn(memory.create());
    memory.keys = { ...memory.keys, getAndRenew: () => Promise.reject(new TypeError('secret')) };
    const { state } = (await memory.visit(memory.create(), cookie)).session;
    expect(state).toMatchObject({ kind: 'unknown', error: { code: 'ERR_CODE_FLOW_STORE_UNAVAILABLE', message: 'the session could not be read' } });
  });

  it.each([true, false])('of a signed id that is not stored finds nobody, be it renewed or looked at: %p', async (renew) => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    await (await memory.visit(sessions, cookie)).session.end();
    const { req, res } = exchange(cookie);
    const session = await sessions.open(req, res, renew);
    expect(session).toMatchObject({ state: { kind: 'anonymous' }, idleLeftSeconds: undefined, handle: undefined });
    expect(cookie).toContain(`=s%3A${session.id}.`);
  });

  it('is the same without an answer, and by the id alone', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    memory.asked = [];
    const { req, res } = exchange(cookie);
    const seen = await sessions.see(req);
    expect([seen.state.kind, memory.asked]).toEqual(['authenticated', ['getAndRenew']]);
    const { id } = (await memory.visit(sessions, cookie)).session;
    expect((await sessions.openById(id!, exchange().req, res)).state.kind).toBe('authenticated');
    await seen.end();
    expect((await memory.stateOf(sessions, cookie)).kind).toBe('anonymous');
    expect((await sessions.see(exchange().req)).state.kind).toBe('anonymous');
  });
});

describe('C14: a request with two session cookies', () => {
  it('is nobody\'s, costs nothing, and is told of by the name of the cookie alone, with an answer and without', async () => {
    const sessions = memory.create();
    const [one, other] = [await memory.logIn(sessions), await memory.logIn(sessions)];
    memory.asked = [];
    expect((await memory.stateOf(sessions, `${one}; ${other}`)).kind).toBe('anonymous');
    expect((await sessions.see(exchange(`${other}; ${one}`).req)).state.kind).toBe('anonymous');
    expect(memory.asked).toEqual([]);
    const problem = 'a browser sent more than one cookie __Host-session, so that none of them counts and its user is not logged in';
    const advice = 'does another app under this host or a parent domain set one? `session.cookieName` gives this one a name of its own';
    const expected = { code: 'ERR_CODE_FLOW_COOKIE_AMBIGUOUS', message: `${problem}: ${advice}` };
    expect(memory.told).toEqual([expected, expected]);
  });
});

describe('C11: the cookie', () => {
  it.each<[string, Partial<CodeFlowOptions>, string]>([
    ['https', {}, '__Host-session=…; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['https with a path', { baseUrl: 'https://app.example.com/shop' }, '__Secure-session=…; Path=/shop; HttpOnly; Secure; SameSite=Lax'],
    ['http on loopback, Strict', { baseUrl: 'http://localhost:3000', session: { sameSite: 'strict' } }, 'session=…; Path=/; HttpOnly; SameSite=Strict'],
    ['a name of the app\'s own', { baseUrl: 'https://app.example.com/shop', session: { cookieName: 'id' } }, 'id=…; Path=/shop; HttpOnly; Secure; SameSite=Lax'],
  ])('has the flags that fit %s', async (_name, change, expected) => {
    const sessions = memory.create(change);
    const { session, setCookies } = await memory.visit(sessions);
    await session.startLogin(memory.record());
    expect(setCookies().map((line) => line.replace(/=[^;]+/, '=…'))).toEqual([expected]);
  });
});

describe('the list of sessions', () => {
  const alice = { provider: 'default', subject: 'alice' };
  it('knows a login as long as it can last; as long as a cookie, where its grant is kept', async () => {
    const until: unknown[] = [];
    const inner = memory.keys;
    memory.keys = { ...inner, addMember: (key, member, endsAt) => (until.push(endsAt), inner.addMember(key, member, endsAt)) };
    await memory.logIn(memory.create());
    await memory.logIn(memory.create({ session: { keepGrant: true } }));
    expect(until).toEqual([memory.clock.seconds + 604_800, memory.clock.seconds + 400 * 86_400]);
  });

  it.each([
    [false, []],
    [true, [hashId('a-grant-id')]],
  ])('forgets a login whose session is over, unless its grant is kept: %p', async (keepGrant, expected) => {
    const sessions = memory.create({ session: { keepGrant } });
    await (await memory.visit(sessions, await memory.logIn(sessions))).session.end();
    expect(await sessions.list(alice)).toEqual([]);
    const ended: string[] = [];
    await sessions.endAll(alice, (grants) => Promise.resolve(void ended.push(...grants)));
    expect(ended).toEqual(expected);
  });

  it('ends what it names', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    const [{ sessionId } = { sessionId: '' }] = await sessions.list(alice);
    expect((await memory.visit(sessions, cookie)).session.handle).toBe(sessionId);
    await sessions.endOne(sessionId, () => Promise.resolve());
    expect((await memory.stateOf(sessions, cookie)).kind).toBe('anonymous');
  });
});
