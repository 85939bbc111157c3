/** The guard is closed by itself: without the middleware before it, and for every method (THREATS G4, G8). */
import { once } from 'node:events';
import { request, type IncomingMessage, type OutgoingHttpHeaders, type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { codeFlow, handleAuthErrors, requireAuth } from '../../lib/index.js';
import type { Middleware, Next, Request, Response } from '../../lib/types.js';
import { frameworks, testSecret } from '../support/apps.js';
import { listen, type ListeningServer } from '../support/http.js';

type ErrorHandler = (error: unknown, req: Request, res: Response, next: Next) => void;
/** What the three have in common. */
type App = RequestListener & { use(path: string, handler: Middleware): unknown; use(handler: Middleware | ErrorHandler): unknown };

const makers = { express5: () => express(), express4: () => express4(), connect: () => connect() } as unknown as Record<(typeof frameworks)[number], () => App>;

let listening: ListeningServer | undefined;
afterEach(() => listening?.close());

describe.each(frameworks)('on %s', (framework) => {
  /** Whatever stands before the guard, and what came through it. */
  async function start(...before: Middleware[]) {
    const app = makers[framework]();
    const seen = { handled: 0, errors: [] as unknown[] };
    for (const middleware of before) app.use(middleware);
    app.use('/guarded', requireAuth());
    app.use('/guarded', (_req, res) => {
      seen.handled += 1;
      res.end('handled');
    });
    app.use(handleAuthErrors());
    const lastResort: ErrorHandler = (error, _req, res, _next) => {
      seen.errors.push(error);
      res.statusCode = 500;
      res.end();
    };
    app.use(lastResort);
    listening = await listen(() => app);
    const { port } = listening;
    async function send(method: string, headers: OutgoingHttpHeaders = {}): Promise<IncomingMessage> {
      const [answer] = (await once(request({ port, method, path: '/guarded', headers, agent: false }).end(), 'response')) as [IncomingMessage];
      answer.resume();
      return answer;
    }
    return { seen, send };
  }

  const auth = (): Middleware =>
    codeFlow({ provider: { issuer: 'http://127.0.0.1:9', clientId: 'web' }, baseUrl: 'http://127.0.0.1:9000', secret: testSecret });

  it('G4: without codeFlow() nobody gets in, by whatever method, and the error says what is missing', async () => {
    const { seen, send } = await start();
    for (const method of ['GET', 'OPTIONS', 'POST']) expect((await send(method)).statusCode).toBe(500);
    expect(seen.handled).toBe(0);
    expect(seen.errors).toHaveLength(3);
    for (const error of seen.errors) {
      expect(error).toMatchObject({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_NOT_MOUNTED', message: expect.stringContaining('app.use(codeFlow(') });
    }
  });

  it.each(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'])('G8: %s without a login is 401', async (method) => {
    const { seen, send } = await start(auth());
    const preflight = { origin: 'http://127.0.0.1:9000', 'access-control-request-method': 'PUT' };
    for (const headers of [{}, preflight, { 'x-http-method-override': 'OPTIONS' }, { 'sec-fetch-mode': 'cors' }]) {
      const answer = await send(method, headers);
      expect([answer.statusCode, answer.headers['set-cookie'], answer.headers['cache-control']]).toEqual([401, undefined, 'no-store']);
    }
    expect(seen).toEqual({ handled: 0, errors: [] });
  });

  it('G8: a preflight that the app answers before the guard is its own', async () => {
    const cors: Middleware = (req, res, next) => {
      if (req.method !== 'OPTIONS') return next();
      res.statusCode = 204;
      res.end();
    };
    const { seen, send } = await start(cors, auth());
    expect([(await send('OPTIONS')).statusCode, (await send('PUT')).statusCode, seen.handled]).toEqual([204, 401, 0]);
  });
});
