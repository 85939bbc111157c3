/** `req.session`, over keys in memory: what it costs, what it stores, and how an app may hold on to it. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import { createSealer, hashId, randomId } from '../../../lib/seal.js';
import { createAppSessions, type SessionReading } from '../../../lib/session/app-session.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import { createSealedSessionStore, type SealedSessionStore, type SessionContent } from '../../../lib/session/sealed-session-store.js';
import { createSessionCookie } from '../../../lib/session/session-cookie.js';
import { exchange, HandClock, loginRecord, pairOf } from './support.js';

const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
const cookie = createSessionCookie('__Host-session', { secure: true, sameSite: 'lax', path: '/' }, [sealer.signingKeys[0]!]);
const down = new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store is down');
const until = 1_750_001_000;

type AppRequest = IncomingMessage & {
  session: Record<string, unknown> & { save(done: (error?: unknown) => void): void; reload(done: (error?: unknown) => void): void; regenerate(done: (error?: unknown) => void): void; destroy(done: (error?: unknown) => void): void };
  sessionID: string | undefined;
  sessionStore: { createSession(req: unknown, data: unknown): unknown } | undefined;
};

let store: SealedSessionStore;
let asked: string[];
let sessions: ReturnType<typeof createAppSessions>;
let failed: unknown[];

beforeEach(() => {
  const clock = new HandClock();
  const inner = createSealedSessionStore(memorySessionKeys(clock), sealer, clock, 100);
  asked = [];
  failed = [];
  const named = Object.entries(inner).map(([name, step]) => [name, (...given: unknown[]): unknown => (asked.push(name), (step as (...all: unknown[]) => unknown)(...given))]);
  store = Object.fromEntries(named) as SealedSessionStore;
  const events = createEvents();
  events.on('store.failed', (detail) => failed.push(detail));
  sessions = createAppSessions({ sessions: { ...store, update: (...given) => store.update(...given), create: (...given) => store.create(...given) }, cookie, signingKeys: sealer.signingKeys, events, newExpiry: () => until });
});

function begin(reading: SessionReading = { kind: 'none' }): { req: AppRequest; res: ServerResponse; lines: () => string[] } {
  const { req, res, setCookies } = exchange(reading.id === undefined ? undefined : pairOf(cookie.write(reading.id)));
  sessions.attach(req, res, reading);
  return { req: req as AppRequest, res, lines: setCookies };
}
/** Ends the answer, and waits until everything is stored. */
async function end(res: ServerResponse): Promise<void> {
  res.end();
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
async function stored(data: Record<string, unknown> = { theme: 'dark' }): Promise<SessionReading & { kind: 'found' }> {
  const id = randomId();
  const content: SessionContent = { login: loginRecord(), data: { cookie: { originalMaxAge: null, httpOnly: true, path: '/' }, ...data }, expiresAt: until };
  await store.create(id, content);
  asked.length = 0;
  return { kind: 'found', id, content, idleLeftSeconds: 100 };
}
const call = (step: (done: (error?: unknown) => void) => void): Promise<unknown> => new Promise((resolve) => step(resolve));

describe('a session that the app does not touch', () => {
  it('costs nothing, sets nothing, and is not asked for', async () => {
    const { res, lines } = begin(await stored());
    await end(res);
    expect([asked, lines()]).toEqual([[], []]);
  });

  it('promise 3: does not come up while the store cannot tell', () => {
    const { req } = begin({ kind: 'unknown', id: 'x', error: down });
    expect(() => req.session).toThrow(down);
  });
});

describe('a session that the app touches', () => {
  it('is what was read, with no second command, and writes nothing where nothing changed', async () => {
    const reading = await stored();
    const { req, res, lines } = begin(reading);
    expect([req.session['theme'], req.sessionID]).toEqual(['dark', reading.id]);
    expect(req.session).toBe(req.session);
    await end(res);
    expect([asked, lines()]).toEqual([[], []]);
  });

  it('stores the app\'s data beside the login and its end, which stay as they were', async () => {
    const reading = await stored();
    const { req, res, lines } = begin(reading);
    req.session['theme'] = 'light';
    req.session['deep'] = { list: [1] };
    await end(res);
    expect([asked, lines()]).toEqual([['update'], []]);
    expect(await store.read(reading.id)).toMatchObject({ login: loginRecord(), expiresAt: until, data: { theme: 'light', deep: { list: [1] } } });
  });

  it('changes nothing of what was read for others', async () => {
    const reading = await stored({ deep: { list: [1] } });
    (begin(reading).req.session['deep'] as { list: number[] }).list.push(2);
    expect(reading.content.data['deep']).toEqual({ list: [1] });
  });

  it('C13: that is new gets a cookie, which no cache may keep, and an end', async () => {
    const { req, res, lines } = begin();
    req.session['cart'] = [1];
    const { sessionID } = req;
    await end(res);
    expect(asked).toEqual(['create']);
    expect(lines().map(pairOf)).toEqual([pairOf(cookie.write(sessionID!))]);
    expect([res.getHeader('Cache-Control'), res.getHeader('Vary')]).toEqual(['no-store', 'Cookie']);
    expect(await store.read(sessionID!)).toEqual({ expiresAt: until, data: { cart: [1], cookie: { originalMaxAge: null, expires: null, secure: true, httpOnly: true, path: '/', sameSite: 'lax' } } });
  });

  it('is saved twice as one: created, then updated', async () => {
    const { req, res } = begin();
    req.session['cart'] = [1];
    expect(await call((done) => req.session.save(done))).toBeUndefined();
    req.session['cart'] = [1, 2];
    await end(res);
    expect(asked).toEqual(['create', 'update']);
  });

  it('C1: is what was read under its own id alone', async () => {
    const reading = await stored();
    const { req } = exchange(pairOf(cookie.write(randomId())));
    sessions.attach(req, exchange().res, reading);
    const { session, sessionID } = req as AppRequest;
    expect(session['theme']).toBeUndefined();
    expect(sessionID).not.toBe(reading.id);
    expect(asked).toEqual([]);
  });

  it('C1: under an id that nothing is stored under gets another', async () => {
    const { req } = begin({ kind: 'none', id: 'presented' });
    expect(req.session).toBeDefined();
    expect(req.sessionID).toMatch(/^[\w-]{43}$/);
  });

  it('is empty and not stored where the app only looked', async () => {
    const { req, res, lines } = begin();
    expect(Object.keys(req.session)).toEqual(['cookie']);
    await end(res);
    expect([asked, lines()]).toEqual([[], []]);
  });
});

describe('express-session\'s own methods', () => {
  it('reload() reads again, and a later save is an update', async () => {
    const reading = await stored();
    const { req, res } = begin(reading);
    expect(req.session['theme']).toBe('dark');
    await store.update(reading.id, { ...reading.content, data: { ...reading.content.data, theme: 'changed elsewhere' } });
    asked.length = 0;
    expect(await call((done) => req.session.reload(done))).toBeUndefined();
    expect(req.session['theme']).toBe('changed elsewhere');
    req.session['more'] = 1;
    await end(res);
    expect(asked).toEqual(['read', 'update']);
    expect(await store.read(reading.id)).toMatchObject({ login: loginRecord(), data: { theme: 'changed elsewhere', more: 1 } });
  });

  it('reload() of a session that is gone, or cannot be read, fails', async () => {
    const reading = await stored();
    const { req } = begin(reading);
    const { session } = req;
    await store.destroy(reading.id);
    expect(await call((done) => session.reload(done))).toBeInstanceOf(Error);
    store.read = () => Promise.reject(down);
    sessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events: createEvents(), newExpiry: () => until });
    const { session: other } = begin(reading).req;
    expect(await call((done) => other.reload(done))).toBe(down);
  });

  it('regenerate() ends the session and begins another', async () => {
    const reading = await stored();
    const { req, res } = begin(reading);
    expect(await call((done) => req.session.regenerate(done))).toBeUndefined();
    expect(req.session['theme']).toBeUndefined();
    req.session['new'] = true;
    await end(res);
    expect(asked).toEqual(['destroy', 'create']);
    expect(await store.read(reading.id)).toBeUndefined();
  });

  it('destroy() ends it, and tells where that does not work', async () => {
    const reading = await stored();
    const { req } = begin(reading);
    expect(await call((done) => req.session.destroy(done))).toBeUndefined();
    expect([req.session, await store.read(reading.id)]).toEqual([undefined, undefined]);
    store.destroy = () => Promise.reject(down);
    sessions = createAppSessions({ sessions: store, cookie, signingKeys: sealer.signingKeys, events: createEvents(), newExpiry: () => until });
    const { req: other } = begin(await stored());
    expect(await call((done) => other.session.destroy(done))).toBe(down);
  });

  it('an app may take the session away, or set one', async () => {
    const { req } = begin(await stored());
    const { session } = req;
    (req as Partial<AppRequest>).session = undefined as never;
    expect(req.session).toBeUndefined();
    req.session = session;
    expect(req.session).toBe(session);
    delete (req as Partial<AppRequest>).session;
    expect(req.session).toBeUndefined();
  });

  it('the store may be asked by the app, which may set the id', async () => {
    const { req } = begin(await stored());
    expect(req.sessionStore).toBeDefined();
    req.sessionID = 'set by the app';
    expect(req.sessionID).toBe('set by the app');
  });

  it('a request that inherits from ours has the same session; another\'s getter has none', async () => {
    const { req } = begin(await stored());
    const wrapped = Object.create(req) as AppRequest;
    expect(wrapped.session).toBe(req.session);
    const elsewhere = Object.defineProperty({}, 'session', Object.getOwnPropertyDescriptor(req, 'session')!) as unknown as AppRequest;
    expect(() => elsewhere.session).toThrow('another request');
  });
});

describe('a session that cannot be saved', () => {
  it('is told as an event', async () => {
    store.update = () => Promise.reject(down);
    const { req, res } = begin(await stored());
    req.session['theme'] = 'light';
    await end(res);
    expect(failed).toEqual([{ operation: 'save the session', code: 'ERR_CODE_FLOW_STORE_TIMEOUT' }]);
  });

  it('is told to the app that saves it itself', async () => {
    store.update = () => Promise.reject(down);
    const { req } = begin(await stored());
    expect(await call((done) => req.session.save(done))).toBe(down);
  });

  it('says nothing of what is no failure of the store', async () => {
    store.create = () => Promise.reject(new TypeError(hashId('a mistake')));
    const { req, res } = begin();
    req.session['theme'] = 'light';
    await end(res);
    expect(failed).toEqual([]);
  });
});
