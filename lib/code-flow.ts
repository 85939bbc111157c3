/** Wires everything into one middleware. All work that can be done at start-up is done here. */
import type { IncomingMessage } from 'node:http';
import { keepAsDictionaries } from './as-dictionary.js';
import { authenticate } from './authenticate.js';
import type { ConnectionLogin } from './authenticate.js';
import { systemClock } from './clock.js';
import type { Clock } from './clock.js';
import { contextOf } from './context.js';
import { ConfigurationError } from './errors.js';
import { createDeploymentChecks } from './deployment-checks.js';
import type { DeploymentCheck } from './deployment-checks.js';
import { createEvents } from './events.js';
import type { CodeFlowEvents, Events } from './events.js';
import { createMemoryGrantStore } from './grants/memory-grant-store.js';
import { createRedisGrantStore } from './grants/redis-grant-store.js';
import { createTokenManager } from './grants/token-manager.js';
import type { TokenManager } from './grants/token-manager.js';
import { createOfflineGrant } from './offline-grant.js';
import type { OfflineGrant } from './offline-grant.js';
import { resolveOptions } from './options.js';
import { createProblemTeller } from './problems.js';
import { createProviders } from './provider-registry.js';
import type { Providers } from './provider-registry.js';
import { connectRedis } from './redis-connection.js';
import type { RedisConnection } from './redis-connection.js';
import { probeRedis } from './redis-probe.js';
import { attachParts } from './request-parts.js';
import { callbackRoute } from './routes/callback.js';
import { loginRoute } from './routes/login.js';
import { backchannelLogoutRoute } from './routes/backchannel-logout.js';
import { frontchannelLogoutRoute } from './routes/frontchannel-logout.js';
import { endSessions, finishLogout, listSessions, logoutRoute } from './routes/logout.js';
import { renewsSession, sessionRoute } from './routes/session.js';
import { createSealer } from './seal.js';
import { createLogoutReturns } from './session/logout-return.js';
import type { LogoutReturns } from './session/logout-return.js';
import type { EndedSessions, ListedSession } from './session/session-administration.js';
import { createUsedLogoutTokens } from './session/used-logout-tokens.js';
import type { UsedLogoutTokens } from './session/used-logout-tokens.js';
import { createLoginTransactions } from './session/login-transaction.js';
import type { LoginTransactions } from './session/login-transaction.js';
import { checkConnectRedis } from './session/sealed-session-store.js';
import { memorySessionKeys } from './session/memory-session-keys.js';
import { redisSessionKeys } from './session/session-keys.js';
import { createSessions } from './session/session-middleware.js';
import type { RequestSession } from './session/opened-session.js';
import type { Sessions } from './session/session-middleware.js';
import type { CodeFlowOptions, Middleware, Next, Request, ResolvedOptions, Response } from './types.js';
import { routeMatcher } from './urls.js';
import type { RouteName } from './urls.js';

/** What `codeFlow()` returns: an Express and Connect middleware with a few methods. */
export interface CodeFlow extends Middleware {
  /** Listens to what happens inside; see `CodeFlowEvents`. */
  on<K extends keyof CodeFlowEvents>(event: K, listener: (detail: CodeFlowEvents[K]) => void): CodeFlow;
  /**
   * Who opens a connection, for what Express does not answer: a WebSocket handshake (`upgrade`). It reads the session as any request does, and
   * resolves to `undefined` if nobody is logged in. Rejects with StoreError when the store cannot tell, and with AccessDeniedError if a page of
   * another origin than `baseUrl`'s opens a WebSocket (`trustedOrigins`); a client that names no origin is no browser, and is let through.
   * @example
   * ```ts
   * server.on('upgrade', (req, socket) => {
   *   auth.authenticate(req).then(
   *     (login) => socket.end(login === undefined ? 'HTTP/1.1 401 Unauthorized\r\n\r\n' : 'HTTP/1.1 501 Not Implemented\r\n\r\n'),
   *     () => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'),
   *   );
   * });
   * ```
   */
  authenticate(req: IncomingMessage): Promise<ConnectionLogin | undefined>;
  /** A user's tokens for a job that runs without them, by `req.oauth.grantId`. With `session.keepGrant` also after the session has ended by time. */
  grant(grantId: string): OfflineGrant;
  /**
   * Ends every login of this user, on every process: sessions and grants, kept ones too, and those that are under way. Or ends one session,
   * by a `sessionId` of `listSessions()`: look there first that it is the user's own. A token that a process holds in memory is used for one
   * second more at most. Rejects with StoreError if the store could not be asked: call it again. That a session has ended before is fine; for what
   * is no `sessionId` it rejects with AccessDeniedError.
   * @param whose.provider Where this subject is known; equal subjects of two providers are two users. Default: the first of `providers`.
   */
  endSessions(whose: EndedSessions): Promise<void>;
  /**
   * The sessions of a user that have not ended, newest first: for a page on which users see where they are signed in. `sessionId` opens nothing;
   * `req.oauth.sessionId` is that of the request's own. Rejects with StoreError.
   * @param options.provider Where this subject is known. Default: the first of `providers`.
   */
  listSessions(subject: string, options?: { provider?: string }): Promise<ListedSession[]>;
  /**
   * Starts no new refresh, waits for the running ones and their commits, then closes the connection to Redis. Call it after the server has closed.
   * @param limits.timeoutSeconds How long to wait at most. Default twice `httpTimeoutSeconds`.
   */
  close(limits?: { timeoutSeconds?: number }): Promise<void>;
}

/**
 * Logs users in with the authorization code flow (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1), keeps their tokens
 * on the server, and gives every request `req.oauth`, `req.oauthFetch` and `req.session`. The app also starts while the
 * authorization server or Redis is down.
 * @example
 * ```ts
 * app.use(codeFlow({
 *   provider: { issuer: 'https://id.example.com', clientId: 'web', clientSecret: process.env.CLIENT_SECRET },
 *   baseUrl: 'https://app.example.com',
 *   secret: process.env.SESSION_SECRET,
 * }));
 * ```
 * @throws ConfigurationError for options that cannot work, naming the option and what to write instead.
 */
export function codeFlow(input: CodeFlowOptions): CodeFlow {
  const options = resolveOptions(input);
  checkConnectRedis();
  const parts = assemble(options);
  const middleware: Middleware = (req, res, next) => handle(parts, req, res, next);
  const flow: CodeFlow = Object.assign(middleware, {
    on<K extends keyof CodeFlowEvents>(event: K, listener: (detail: CodeFlowEvents[K]) => void): CodeFlow {
      parts.events.on(event, listener);
      return flow;
    },
    authenticate: (req: IncomingMessage): Promise<ConnectionLogin | undefined> => authenticate(parts, req),
    grant: (grantId: string): OfflineGrant => createOfflineGrant(parts, grantId),
    endSessions: (whose: EndedSessions): Promise<void> => endSessions(parts, whose),
    listSessions: (subject: string, { provider }: { provider?: string } = {}): Promise<ListedSession[]> => listSessions(parts, subject, provider),
    async close({ timeoutSeconds = parts.options.httpTimeoutSeconds * 2 }: { timeoutSeconds?: number } = {}): Promise<void> {
      parts.sessions.close();
      await parts.tokens.close(timeoutSeconds * 1000);
      await parts.connection?.close();
    },
  });
  return flow;
}

/** What all requests share. */
interface Parts {
  options: ResolvedOptions;
  routeOf: (req: Request) => RouteName | undefined;
  events: Events;
  clock: Clock;
  connection: RedisConnection | undefined;
  providers: Providers;
  sessions: Sessions;
  tokens: TokenManager;
  transactions: LoginTransactions;
  logoutReturns: LogoutReturns;
  usedLogoutTokens: UsedLogoutTokens;
  checkDeployment: DeploymentCheck;
}

function assemble(options: ResolvedOptions): Parts {
  const events = createEvents();
  const clock = systemClock;
  const tell = createProblemTeller(events, () => clock.monotonic());
  const sealer = createSealer(options.secrets);
  const { redis, fetch, httpTimeoutSeconds, redisTimeoutSeconds, session } = options;
  const connection = redis === undefined ? undefined : connectRedis(redis, redisTimeoutSeconds, events, tell);
  const keys = connection === undefined ? memorySessionKeys() : redisSessionKeys(connection);
  const store = connection === undefined ? createMemoryGrantStore(clock) : createRedisGrantStore(connection, sealer);
  if (connection !== undefined) probeRedis({ connection, keys, grants: store, sealer, clock, events, tell });
  const providers = createProviders(options, { fetch, httpTimeoutSeconds, clock, tell });
  const sessions = createSessions({ options, keys, sealer, clock, events, tell });
  const { idleTimeoutSeconds, grantIdleTimeoutSeconds } = session;
  const timeouts = { httpTimeoutSeconds, redisTimeoutSeconds, idleTimeoutSeconds, grantIdleTimeoutSeconds };
  const tokens = createTokenManager({ store, clock, events, ...timeouts });
  const transactions = createLoginTransactions({ sealer, clock, keys, sessionCookieName: session.cookieName, flags: sessions.cookieFlags });
  const logoutReturns = createLogoutReturns(sealer, clock, options, sessions.cookieFlags);
  const usedLogoutTokens = createUsedLogoutTokens(keys);
  const checkDeployment = createDeploymentChecks(options, tell);
  const routeOf = routeMatcher(options);
  return { options, routeOf, events, clock, connection, providers, sessions, tokens, transactions, logoutReturns, usedLogoutTokens, checkDeployment };
}

function handle(parts: Parts, req: Request, res: Response, next: Next): void {
  if (contextOf(req) !== undefined) return next(mountedTwice());
  keepAsDictionaries(req, res);
  const route = parts.routeOf(req);
  const opened = parts.sessions.open(req, res, route !== 'session' || renewsSession(req));
  if (!(opened instanceof Promise)) return serve(parts, route, opened, req, res, next);
  // open() never rejects. A handler that throws is its framework's business: a catch after it would call next() twice (THREATS G7).
  opened.then((session) => serve(parts, route, session, req, res, next), next);
}

function mountedTwice(): ConfigurationError {
  return new ConfigurationError('ERR_CODE_FLOW_MOUNTED_TWICE', 'codeFlow() ran twice on one request: mount it once, before every route');
}

function serve(parts: Parts, route: RouteName | undefined, session: RequestSession, req: Request, res: Response, next: Next): void {
  attachParts(parts, session, req, res);
  if (route !== undefined) parts.checkDeployment(route, req);
  switch (route) {
    case undefined:
      return finishLogout(parts, req, res) ? undefined : next();
    case 'session':
      return sessionRoute(parts, req, res, session, next);
    case 'login':
      return answer(loginRoute(parts, req, res, session), next);
    case 'callback':
      return answer(callbackRoute(parts, req, res, session), next);
    case 'logout':
      return answer(logoutRoute(parts, req, res, session), next);
    case 'backchannelLogout':
      return answer(backchannelLogoutRoute(parts, req, res), next);
    case 'frontchannelLogout':
      return answer(frontchannelLogoutRoute(parts, req, res), next);
  }
}

/** A route of ours answers by itself; what it cannot answer goes to the error handlers. */
function answer(work: Promise<void>, next: Next): void {
  work.catch(next);
}
