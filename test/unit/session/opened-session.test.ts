/** The session of one request, from its login to its logout. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { hashId } from '../../../lib/seal.js';
import type { Sessions } from '../../../lib/session/session-middleware.js';
import { eventually } from '../../support/eventually.js';
import { down, MemorySessions } from './memory-sessions.js';
import { pairOf } from './support.js';

const cleared = expect.stringMatching(/^__Host-session=; Path=\/; Max-Age=0; .*SameSite=Lax$/);

let memory: MemorySessions;
beforeEach(() => {
  memory = new MemorySessions();
});
afterEach(() => void jest.useRealTimers());

/** The cookie of a session that an app began without a login. */
async function storeCart(sessions: Sessions): Promise<string> {
  const { req, res, setCookies } = await memory.visit(sessions);
  Object.assign((req as unknown as { session: object }).session, { cart: [1], role: 'admin' });
  res.end();
  await eventually(() => memory.asked.includes('set') && setCookies().length > 0);
  return pairOf(setCookies()[0]!);
}

describe('C1, C2: a login', () => {
  it('gets a new id, and the old one is dead', async () => {
    const sessions = memory.create();
    const [first] = [await memory.logIn(sessions)];
    const second = await memory.logIn(sessions, first);
    expect(second).not.toBe(first);
    expect([(await memory.stateOf(sessions, first)).kind, (await memory.stateOf(sessions, second)).kind]).toEqual(['anonymous', 'authenticated']);
  });

  it('takes along what the app named, and nothing else', async () => {
    const sessions = memory.create({ session: { keep: ['cart', 'missing', 'toString'] } });
    const { req: after } = await memory.visit(sessions, await memory.logIn(sessions, await storeCart(sessions)));
    const { session } = after as unknown as { session: Record<string, unknown> };
    expect([session['cart'], Object.keys(session)]).toEqual([[1], ['cookie', 'cart']]);
    expect(session['cookie']).toMatchObject({ originalMaxAge: null, path: '/', secure: true, httpOnly: true, sameSite: 'lax' });
  });

  it('takes nothing along where there was nothing', async () => {
    const sessions = memory.create({ session: { keep: ['cart'] } });
    const { req } = await memory.visit(sessions, await memory.logIn(sessions));
    expect(Object.keys((req as unknown as { session: object }).session)).toEqual(['cookie']);
  });

  it('is nobody\'s before, whatever the app stored: without a name and not watched', async () => {
    const sessions = memory.create();
    const anonymous = await storeCart(sessions);
    const { session, res } = await memory.visit(sessions, anonymous);
    expect(session).toMatchObject({ state: { kind: 'anonymous' }, handle: undefined, idleLeftSeconds: 28_800 });
    expect(session.watch(res)).toBeUndefined();
  });

  it('ends with its absolute time, whatever is used', async () => {
    const sessions = memory.create({ session: { absoluteTimeoutSeconds: 1000, idleTimeoutSeconds: 500 } });
    const cookie = await memory.logIn(sessions, undefined, memory.record({ expiresAt: memory.clock.seconds + 1000 }));
    for (const seconds of [450, 450, 99]) {
      memory.clock.forward(seconds);
      expect((await memory.stateOf(sessions, cookie)).kind).toBe('authenticated');
    }
    memory.clock.forward(1);
    expect((await memory.stateOf(sessions, cookie)).kind).toBe('anonymous');
  });

  it('C4, C5: sets no cookie, and leaves no session, where any step fails', async () => {
    for (const command of ['set', 'addMember', 'swap', 'take'] as const) {
      const sessions = memory.create();
      const cookie = await memory.logIn(sessions);
      const { session, setCookies } = await memory.visit(sessions, cookie);
      memory.broken.add(command);
      memory.asked = [];
      await expect(session.startLogin(memory.record())).rejects.toBe(down);
      expect(setCookies()).toEqual([]);
      expect(memory.asked.at(-1)).toBe('take'); // the new one is destroyed, as far as that works
      memory.broken.clear();
    }
  });
});

describe('H6, C7: a login that is signed out while it finishes', () => {
  const signedOut = { name: 'LoginError', code: 'ERR_CODE_FLOW_SIGNED_OUT', message: expect.stringContaining('signed out') };

  it('because all sessions of its user were ended does not come up', async () => {
    const sessions = memory.create();
    const { session, setCookies } = await memory.visit(sessions);
    memory.clock.forward(1);
    await sessions.endAll({ provider: 'default', subject: 'alice' }, () => Promise.resolve());
    await expect(session.startLogin(memory.record())).rejects.toMatchObject(signedOut);
    expect(setCookies()).toEqual([]);
  });

  it('because the session that it replaces was ended does not come up; a session that was gone anyway is no hindrance', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    const { session, setCookies } = await memory.visit(sessions, cookie);
    await (await memory.visit(sessions, cookie)).session.end();
    await expect(session.startLogin(memory.record())).rejects.toMatchObject(signedOut);
    expect(setCookies()).toEqual([]);
    const { session: late } = await memory.visit(sessions, cookie);
    await late.startLogin(memory.record());
  });

  it('comes up in place of a session that had ended before its request began', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    await (await memory.visit(sessions, cookie)).session.end();
    const successor = await memory.logIn(sessions, cookie);
    expect((await memory.stateOf(sessions, successor)).kind).toBe('authenticated');
  });

  it('the other way about, a logout ends the login that took its session\'s place, and tells of its grant', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    const { session, setCookies } = await memory.visit(sessions, cookie);
    const successor = await memory.logIn(sessions, cookie, memory.record({ grantId: 'the new grant' }));
    expect(await session.end()).toMatchObject({ grant: hashId('the new grant') });
    expect((await memory.stateOf(sessions, successor)).kind).toBe('anonymous');
    expect(setCookies()).toEqual([cleared]);
  });
});

describe('a logout', () => {
  it('deletes the session, then the cookie', async () => {
    const sessions = memory.create();
    const cookie = await memory.logIn(sessions);
    const { session, setCookies } = await memory.visit(sessions, cookie);
    expect(await session.end()).toBeUndefined();
    expect(setCookies()).toEqual([cleared]);
    expect((await memory.stateOf(sessions, cookie)).kind).toBe('anonymous');
  });

  it('without a cookie does nothing, and after the answer sets none', async () => {
    const sessions = memory.create();
    const nobody = await memory.visit(sessions);
    expect([await nobody.session.end(), nobody.setCookies()]).toEqual([undefined, []]);
    const { session, res, setCookies } = await memory.visit(sessions, await memory.logIn(sessions));
    Object.defineProperty(res, 'headersSent', { value: true });
    await session.end();
    expect(setCookies()).toEqual([]);
  });

  it('H2: that the store does not take leaves the cookie', async () => {
    const sessions = memory.create();
    const { session, setCookies } = await memory.visit(sessions, await memory.logIn(sessions));
    memory.broken.add('take');
    await expect(session.end()).rejects.toBe(down);
    expect(setCookies()).toEqual([]);
  });
});

describe('the watch', () => {
  it('tells whoever is logged in when that ends, and nobody else', async () => {
    const sessions = memory.create();
    const { session, res } = await memory.visit(sessions, await memory.logIn(sessions));
    const watched = session.watch(res);
    expect(watched?.signal.aborted).toBe(false);
    await session.end();
    expect(watched?.signal.reason).toMatchObject({ code: 'ERR_CODE_FLOW_LOGIN_ENDED' });
    const nobody = await memory.visit(sessions);
    expect(nobody.session.watch(nobody.res)).toBeUndefined();
    sessions.close();
  });

  it('asks no more once the sessions are closed', async () => {
    jest.useFakeTimers();
    const sessions = memory.create();
    const { session, res } = await memory.visit(sessions, await memory.logIn(sessions));
    const before = jest.getTimerCount();
    session.watch(res);
    expect(jest.getTimerCount()).toBe(before + 1);
    sessions.close();
    expect(jest.getTimerCount()).toBe(before);
  });
});

describe('the name of a session in the list', () => {
  it.each([
    ['a browser', 'a browser'],
    [undefined, undefined],
    ['', undefined],
    ['a\u0007\u202eb', 'ab'],
    ['\u0007', undefined],
    ['x'.repeat(300), 'x'.repeat(200)],
    [`${'x'.repeat(199)}😀`, 'x'.repeat(199)],
  ])('shows what a browser called itself: %p', async (agent, label) => {
    const sessions = memory.create();
    await memory.logIn(sessions, undefined, memory.record(), agent === undefined ? {} : { 'user-agent': agent });
    expect(await sessions.list({ provider: 'default', subject: 'alice' })).toEqual([expect.objectContaining({ label, lastSeenAt: memory.clock.seconds })]);
  });
});
