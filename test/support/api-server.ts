/** A real API: takes JWT access tokens of the authorization server (RFC 9068 style), answers as RFC 6750 §3 says, and records who called. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import { apiAudience } from './authorization-server.js';
import { listen, readBody, sendJson, type ListeningServer } from './http.js';

export interface ApiServerOptions {
  issuer: string;
  /** Default: `apiAudience`. */
  audience?: string;
}

/** What the API saw. Tokens are named by their `jti`, never kept. */
export interface ApiCall {
  method: string;
  /** With its query. */
  path: string;
  token: 'none' | 'valid' | 'expired' | 'invalid';
  subject?: string;
  jti?: string;
  /** What the API answered. */
  status: number;
}

/** How one call is disturbed, whatever its token. Plans are used up in order. */
export interface ApiPlan {
  status?: number;
  /** The `WWW-Authenticate` header. */
  challenge?: string;
  location?: string;
  delayMs?: number;
  /** Wait for this before anything else. */
  until?: Promise<unknown>;
}

export const invalidToken: ApiPlan = { status: 401, challenge: 'Bearer error="invalid_token"' };
export const insufficientScope: ApiPlan = { status: 403, challenge: 'Bearer error="insufficient_scope", scope="orders:write"' };

export async function startApi(options: ApiServerOptions): Promise<ApiServer> {
  const api = new ApiServer(options);
  await api.restart();
  return api;
}

export class ApiServer {
  readonly calls: ApiCall[] = [];
  readonly plan: ApiPlan[] = [];
  readonly #issuer: string;
  readonly #audience: string;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;
  #listening: ListeningServer | undefined;
  #port = 0;

  constructor({ issuer, audience = apiAudience }: ApiServerOptions) {
    this.#issuer = issuer;
    this.#audience = audience;
    this.#keys = createRemoteJWKSet(new URL('/jwks', issuer));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What belongs into `apis`. */
  get url(): string {
    return `${this.origin}/v1/`;
  }

  async stop(): Promise<void> {
    await this.#listening?.close();
    this.#listening = undefined;
  }

  /** On the same port. */
  async restart(): Promise<void> {
    await this.stop();
    this.#listening = await listen((port) => {
      this.#port = port;
      return (req, res) => void this.#answer(req, res).catch(() => res.destroy());
    }, this.#port);
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const call: ApiCall = { method: req.method!, path: req.url!, token: 'none', status: 0 };
    this.calls.push(call);
    res.once('close', () => (call.status = res.statusCode));
    const claims = await this.#verify(req, call);
    const planned = this.plan.shift() ?? {};
    if (planned.delayMs !== undefined) await setTimeout(planned.delayMs);
    await planned.until;
    if (planned.status !== undefined) disturb(res, planned.status, planned);
    else if (claims === undefined) refuse(res, call.token);
    else await serve(req, res, claims);
  }

  async #verify(req: IncomingMessage, call: ApiCall): Promise<JWTPayload | undefined> {
    const token = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, this.#keys, { issuer: this.#issuer, audience: this.#audience, algorithms: ['RS256'] });
      Object.assign(call, { token: 'valid', subject: payload.sub, jti: payload.jti });
      return payload;
    } catch (error) {
      call.token = error instanceof errors.JWTExpired ? 'expired' : 'invalid';
      return undefined;
    }
  }
}

function disturb(res: ServerResponse, status: number, { challenge, location }: ApiPlan): void {
  sendJson(res, status, { planned: status }, {
    ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
    ...(location === undefined ? {} : { Location: location }),
  });
}

/** RFC 6750 §3.1: no error code for whoever brought no token at all. */
function refuse(res: ServerResponse, token: ApiCall['token']): void {
  sendJson(res, 401, { error: 'invalid_token' }, { 'WWW-Authenticate': token === 'none' ? 'Bearer' : 'Bearer error="invalid_token"' });
}

async function serve(req: IncomingMessage, res: ServerResponse, { sub, jti, exp, iat, scope, aud }: JWTPayload): Promise<void> {
  const { pathname } = new URL(req.url!, 'http://api');
  const body = (await readBody(req)).toString();
  if (pathname === '/v1/whoami') sendJson(res, 200, { sub, jti, exp, iat, scope, aud });
  else if (pathname === '/v1/echo') sendJson(res, 200, { sub, method: req.method, contentType: req.headers['content-type'], body });
  else sendJson(res, 404, { error: 'not_found' });
}
