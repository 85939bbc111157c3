/** The same small app on Express 5, Express 4 and Connect, so that one suite runs on all three. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { codeFlow, handleAuthErrors, requireAuth, type CodeFlow, type CodeFlowOptions, type CodeFlowRequest } from '../../lib/index.js';
import type { Next } from '../../lib/types.js';
import type { ApiServer } from './api-server.js';
import type { AuthorizationServer } from './authorization-server.js';
import { watch } from './disclosure/watch.js';
import { eventNames } from './event-names.js';
import { listen, readBody, sendJson } from './http.js';

export const frameworks = ['express5', 'express4', 'connect'] as const;
export type Framework = (typeof frameworks)[number];

/** What this app keeps in its session. */
export type AppRequest = CodeFlowRequest & { session: { counter?: number } };

export type Handler = (req: AppRequest, res: ServerResponse, next: Next) => unknown;

/** Handlers run one after the other, as in Express; a promise that rejects goes to the error handlers on every framework. */
export interface Route {
  method: 'GET' | 'POST';
  path: string;
  handlers: readonly Handler[];
}

export interface AppOptions {
  /** The app is registered here and uses it as its provider. */
  authorizationServer?: AuthorizationServer;
  /** What `/api` calls; it is listed in `apis`. */
  api?: ApiServer;
  /** Default: where the app really listens. */
  baseUrl?: string;
  /** Goes before everything that the test app sets by itself. */
  options?: Partial<CodeFlowOptions>;
  /** Beside the ones below; the first that matches wins. */
  routes?: readonly Route[];
}

export interface TestApp {
  /** Where it really listens, without a trailing slash. */
  readonly origin: string;
  readonly baseUrl: string;
  readonly port: number;
  readonly auth: CodeFlow;
  /** For what is no request to the app, such as WebSocket handshakes. */
  readonly server: Server;
  /** What nobody handled: the errors that came through to the app. */
  readonly errors: readonly unknown[];
  /** The start-up round trip to Redis is done: from here on every command is a request's. With the memory store at once. */
  readonly storeReady: Promise<void>;
  /** At once; requests under way are cut. */
  close(): Promise<void>;
  /** As in a rolling deploy: takes no new connection, answers the requests under way, then closes. */
  drain(): Promise<void>;
}

export const testSecret = 'a secret for tests only: 4yVqD0sZ8nKcJm2T';

export async function startApp(framework: Framework, app: AppOptions = {}): Promise<TestApp> {
  const errors: unknown[] = [];
  let storeIsReady = (): void => undefined;
  const storeReady = new Promise<void>((resolve) => (storeIsReady = resolve));
  let auth: CodeFlow | undefined;
  let baseUrl = '';
  const listening = await listen(async (port) => {
    baseUrl = app.baseUrl ?? `http://127.0.0.1:${port}`;
    await app.authorizationServer?.registerApp(baseUrl);
    const options = completeOptions(baseUrl, app);
    watch.learnOptions(options);
    auth = codeFlow(options).on('store.ready', storeIsReady);
    for (const event of eventNames) auth.on(event, (detail) => watch.tellValue(`the event ${event}`, detail));
    if (app.options?.redis === undefined) storeIsReady();
    const routes = [...(app.routes ?? []), ...standardRoutes(apiUrlOf(app))];
    return builders[framework](auth, routes, (error) => errors.push(error));
  });
  const { port } = listening;
  return {
    origin: `http://127.0.0.1:${port}`,
    baseUrl,
    port,
    server: listening.server,
    auth: auth!,
    errors,
    storeReady,
    async close() {
      await listening.close();
      await auth?.close();
    },
    async drain() {
      await new Promise((resolve) => {
        listening.server.close(resolve);
        listening.server.closeIdleConnections();
      });
      await auth?.close();
    },
  };
}

function completeOptions(baseUrl: string, { authorizationServer, api, options = {} }: AppOptions): CodeFlowOptions {
  // No connection is ever made to it: an app without an authorization server answers its public routes.
  const provider = authorizationServer?.provider ?? { issuer: 'http://127.0.0.1:9', clientId: 'web' };
  const common = { baseUrl, secret: testSecret, ...(api === undefined ? {} : { apis: [api.url] }) };
  const completed = options.providers === undefined ? { ...common, provider, ...options } : { ...common, ...options };
  return completed as CodeFlowOptions; // spreading loses that there is exactly one of `provider` and `providers`
}

/** In a child process the API is known by its URL alone. */
function apiUrlOf({ api, options }: AppOptions): string {
  const listed = api?.url ?? options?.apis?.[0] ?? 'http://127.0.0.1:9/v1/';
  return typeof listed === 'string' ? listed : listed.url;
}

function standardRoutes(apiUrl: string): Route[] {
  return [
    { method: 'GET', path: '/public', handlers: [(_req, res) => sendJson(res, 200, { public: true })] },
    { method: 'GET', path: '/', handlers: [({ oauth }, res) => sendJson(res, 200, { isAuthenticated: oauth.isAuthenticated, claims: oauth.claims })] },
    { method: 'GET', path: '/private', handlers: [requireAuth(), ({ oauth }, res) => sendJson(res, 200, oauth.claims)] },
    { method: 'GET', path: '/private-token', handlers: [requireAuth({ token: true }), ({ oauth }, res) => sendJson(res, 200, oauth.claims)] },
    { method: 'GET', path: '/api', handlers: [requireAuth(), async (req, res) => passOn(res, await req.oauthFetch(`${apiUrl}whoami`))] },
    {
      method: 'POST',
      path: '/api',
      handlers: [requireAuth(), async (req, res) => passOn(res, await req.oauthFetch(`${apiUrl}echo`, { method: 'POST', body: (await readBody(req)).toString() }))],
    },
    { method: 'GET', path: '/session', handlers: [({ session }, res) => sendJson(res, 200, { counter: session.counter })] },
    { method: 'POST', path: '/session', handlers: [countUp] },
    {
      method: 'GET',
      path: '/boom',
      handlers: [
        () => {
          throw new Error('the app has a bug');
        },
      ],
    },
  ];
}

function countUp({ session }: AppRequest, res: ServerResponse): void {
  session.counter = (session.counter ?? 0) + 1;
  sendJson(res, 200, { counter: session.counter });
}

async function passOn(res: ServerResponse, answer: Response): Promise<void> {
  res.writeHead(answer.status, { 'Content-Type': answer.headers.get('content-type') ?? 'text/plain' });
  res.end(await answer.text());
}

type Recorder = (error: unknown) => void;

const builders: Record<Framework, (auth: CodeFlow, routes: readonly Route[], record: Recorder) => RequestListener> = {
  express5: (auth, routes, record) => buildExpress(express(), auth, routes, record),
  express4: (auth, routes, record) => buildExpress(express4(), auth, routes, record),
  connect: buildConnect,
};

function buildExpress(app: express.Express, auth: CodeFlow, routes: readonly Route[], record: Recorder): RequestListener {
  app.use(auth);
  for (const { method, path, handlers } of routes) app[method === 'GET' ? 'get' : 'post'](path, ...handlers.map(safely));
  app.use(watchErrors);
  app.use(handleAuthErrors());
  app.use(lastResort(record));
  return app;
}

function buildConnect(auth: CodeFlow, routes: readonly Route[], record: Recorder): RequestListener {
  const app = connect();
  app.use(auth);
  for (const { method, path, handlers } of routes) {
    for (const handler of handlers.map(safely)) {
      app.use((req: IncomingMessage, res: ServerResponse, next: Next) => {
        const pathname = new URL(req.url ?? '/', 'http://app').pathname;
        if (req.method === method && pathname === path) handler(req, res, next);
        else next();
      });
    }
  }
  app.use(watchErrors);
  app.use(handleAuthErrors());
  app.use(lastResort(record));
  return app;
}

/** Only Express 5 looks at the promise of a handler. */
function safely(handler: Handler) {
  return (req: IncomingMessage, res: ServerResponse, next: Next): void => {
    Promise.resolve()
      // codeFlow() ran before it.
      .then(() => {
        watchRequest(req as AppRequest);
        watch.answersByApp(res);
        return handler(req as AppRequest, res, next);
      })
      .catch(next);
  };
}

/** THREATS I4: what a handler can print of its request without asking for a token; but the grant id, which is its to use. */
function watchRequest({ oauth, oauthFetch }: AppRequest): void {
  watch.tellValue('req.oauth', oauth);
  watch.tellValue('req.oauthFetch', oauthFetch);
  try {
    const { isAuthenticated, claims, subject, provider, expiresAt, scope } = oauth;
    watch.tellValue('the facts of req.oauth', { isAuthenticated, claims, subject, provider, expiresAt, scope });
  } catch (error) {
    watch.tellValue('an error of req.oauth', error);
  }
}

function watchErrors(error: unknown, _req: IncomingMessage, _res: ServerResponse, next: Next): void {
  watch.tellValue('an error', error);
  next(error);
}

/** Express knows an error handler by its four parameters. */
function lastResort(record: Recorder) {
  return (error: unknown, _req: IncomingMessage, res: ServerResponse, next: Next): void => {
    record(error);
    if (res.headersSent) next(error);
    else sendJson(res, 500, { error: 'nobody handled it', code: (error as { code?: unknown } | undefined)?.code });
  };
}
