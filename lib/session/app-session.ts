/**
 * `req.session`: express-session itself, brought to life only when the app touches it, from what was already read.
 *
 * express-session serialises and hashes the whole session several times a request; most requests never need it.
 */
import session, { Store } from 'express-session';
import type { Session, SessionData } from 'express-session';
import type { CookieFlags } from '../cookies.js';
import { StoreError } from '../errors.js';
import type { Events } from '../events.js';
import { hidden } from '../hidden.js';
import { keepCookiePrivate } from '../http.js';
import { randomId } from '../seal.js';
import type { Request, Response } from '../types.js';
import { maskExpressSessionDebug } from './masked-debug.js';
import type { SealedSessionStore, SessionContent } from './sealed-session-store.js';
import type { SessionCookie } from './session-cookie.js';

/** What the start of the request learnt about its session. */
export type SessionReading =
  | { readonly kind: 'found'; readonly id: string; readonly content: SessionContent; readonly idleLeftSeconds: number }
  /** `id`: what the browser presented, though nothing is stored under it. */
  | { readonly kind: 'none'; readonly id?: string | undefined }
  | { readonly kind: 'unknown'; readonly id: string; readonly error: StoreError };

/** express-session's view of a request: its own `session` and friends, and a connection that is as secure as `baseUrl` says. */
type View = Request & { session?: Session & Partial<SessionData>; sessionID?: string; sessionStore?: Store };

type Callback = (error?: unknown, data?: SessionData | null) => void;

/** express-session's store: callbacks and live Session objects on this side, promises and plain content on the other. */
class AppSessionStore extends Store {
  /** Handed over for one synchronous call, so that what was read is not read again. */
  handedOver: SessionReading | undefined;
  /** Sessions that the store knows, with the content that they came from. */
  readonly #known = new WeakMap<object, SessionContent>();
  readonly #read = new WeakMap<SessionData, SessionContent>();

  constructor(
    readonly sessions: SealedSessionStore,
    readonly cookie: object,
    readonly newExpiry: () => number,
  ) {
    super();
  }

  override get(sessionId: string, callback: Callback): void {
    const reading = this.handedOver;
    if (reading !== undefined) {
      callback(undefined, reading.kind === 'found' && reading.id === sessionId ? this.#load(reading.content) : undefined);
      return;
    }
    this.sessions.read(sessionId).then(
      (content) => callback(undefined, content === undefined ? undefined : this.#load(content)),
      (error: unknown) => callback(error),
    );
  }

  #load(content: SessionContent): SessionData {
    // express-session's own serialisation, see set(); a login that the app has not written to yet has none of its cookie settings.
    const data = structuredClone({ cookie: this.cookie, ...content.data }) as unknown as SessionData;
    this.#read.set(data, content);
    return data;
  }

  override createSession(req: Parameters<Store['createSession']>[0], data: SessionData): Session & SessionData {
    const content = this.#read.get(data);
    const created = super.createSession(req, data);
    if (content !== undefined) this.#known.set(created, content);
    return created;
  }

  override set(sessionId: string, live: SessionData, callback: Callback = () => undefined): void {
    const known = this.#known.get(live);
    const data = JSON.parse(JSON.stringify(live)) as Record<string, unknown>;
    const content = known === undefined ? { data, expiresAt: this.newExpiry() } : { ...known, data };
    this.#known.set(live, content);
    const written = known === undefined ? this.sessions.create(sessionId, content) : this.sessions.update(sessionId, content);
    written.then(() => callback(), (error: unknown) => callback(error));
  }

  override destroy(sessionId: string, callback: Callback = () => undefined): void {
    this.sessions.destroy(sessionId).then(() => callback(), (error: unknown) => callback(error));
  }
}

/**
 * With https in `baseUrl` the connection counts as encrypted, whatever a proxy in front forwards, and the path is the
 * cookie's own, whatever prefix that proxy strips: express-session would otherwise leave the cookie out in silence.
 */
function viewOf(req: Request, flags: CookieFlags): View {
  let current: View['session'];
  const shadow = Object.create(req, {
    connection: { value: { encrypted: flags.secure } },
    originalUrl: { value: flags.path },
    // Absent, lest the lazy members of the real request be asked: they ask the view.
    session: { writable: true },
    sessionID: { writable: true },
    sessionStore: { writable: true },
  }) as View;
  // Two ways to unset a session: express-session deletes the member here, an app may delete the one of the real request.
  return Object.create(shadow, {
    session: {
      configurable: true,
      get: () => (Object.hasOwn(req, 'session') ? current : undefined),
      set: (value: View['session']) => (current = value),
    },
  }) as View;
}

/** A request whose express-session sleeps, or its view once it is awake. */
interface Sleeper {
  view: View | undefined;
  readonly wake: () => View;
}

const sleepers = hidden<Sleeper>();

/** The first use of one of its members wakes it. */
function woken(req: object): View {
  const sleeper = sleepers.inherited(req);
  if (sleeper === undefined) throw new TypeError('the session belongs to another request');
  return (sleeper.view ??= sleeper.wake());
}

/** Made once: accessors that are the same for all requests let the engine give all of them the same shape. */
const lazyMembers: Record<'session' | 'sessionID' | 'sessionStore', PropertyDescriptor> & ThisType<Request> = {
  session: {
    configurable: true,
    get() {
      return woken(this).session;
    },
    set(value: View['session']) {
      Object.assign(woken(this), { session: value });
    },
  },
  // express-session's store sets it on whatever request an app hands it.
  sessionID: {
    configurable: true,
    get() {
      return woken(this).sessionID;
    },
    set(value: View['sessionID']) {
      Object.assign(woken(this), { sessionID: value });
    },
  },
  sessionStore: {
    configurable: true,
    get() {
      return woken(this).sessionStore;
    },
  },
};

/** Defines the members of express-session on the request. */
function defineLazily(req: Request, wake: () => View): void {
  sleepers.set(req, { view: undefined, wake });
  // One by one: a quarter of the time that Object.defineProperties() takes.
  Object.defineProperty(req, 'session', lazyMembers.session);
  Object.defineProperty(req, 'sessionID', lazyMembers.sessionID);
  Object.defineProperty(req, 'sessionStore', lazyMembers.sessionStore);
}

interface AppSessions {
  /** Defines `req.session`, which costs nothing until it is touched. Touching it throws StoreError when the store cannot tell. */
  attach(req: Request, res: Response, reading: SessionReading): void;
}

// Once for the process, like the module that it masks.
maskExpressSessionDebug();

interface AppSessionSettings {
  sessions: SealedSessionStore;
  cookie: SessionCookie;
  signingKeys: readonly string[];
  events: Events;
  /** The end of a session that starts now, epoch seconds. */
  newExpiry: () => number;
}

export function createAppSessions({ sessions, cookie, signingKeys, events, newExpiry }: AppSessionSettings): AppSessions {
  const cookieSettings = { path: cookie.flags.path, httpOnly: true, secure: cookie.flags.secure, sameSite: cookie.flags.sameSite };
  const store = new AppSessionStore(sessions, { originalMaxAge: null, expires: null, ...cookieSettings }, newExpiry);
  const middleware = session({
    store,
    name: cookie.name,
    secret: [...signingKeys],
    genid: randomId,
    resave: false,
    saveUninitialized: false,
    cookie: cookieSettings,
  });

  function wake(req: Request, res: Response, reading: SessionReading): View {
    if (reading.kind === 'unknown') throw reading.error;
    const view = viewOf(req, cookie.flags);
    keepCookiePrivate(res, cookie.name);
    // Synchronous from here to the end: the store answers from `handedOver`. Later calls of next() report a failed save.
    const next = (error?: unknown): void => {
      if (error instanceof StoreError) events.emit('store.failed', { operation: 'save the session', code: error.code });
    };
    store.handedOver = reading;
    try {
      // The types of express-session ask for Express' own request and response; its code uses node:http alone.
      middleware(view as unknown as Parameters<typeof middleware>[0], res as unknown as Parameters<typeof middleware>[1], next);
    } finally {
      store.handedOver = undefined;
    }
    return view;
  }

  return {
    attach(req, res, reading) {
      defineLazily(req, () => wake(req, res, reading));
    },
  };
}
