/** Contexts as codeFlow() makes them. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestContext } from '../../../lib/context.js';
import { resolveOptions } from '../../../lib/options.js';
import type { LoginRecord } from '../../../lib/session/login-record.js';
import type { LoginState } from '../../../lib/session/login-state.js';
import type { Claims, CodeFlowOptions, Request, Response } from '../../../lib/types.js';

/** A request with a response, as Node makes them. */
export function exchange(method = 'GET'): { req: Request; res: Response } {
  const req = Object.assign(new IncomingMessage(new Socket()), { method, url: '/' });
  return { req, res: new ServerResponse(req) };
}

export const epochSeconds = (): number => Math.floor(Date.now() / 1000);

export const optionsWith = (change: Partial<CodeFlowOptions> = {}) =>
  resolveOptions(
    {
      provider: { issuer: 'https://id.example.com', clientId: 'web', scope: 'openid orders:read' },
      baseUrl: 'https://app.example.com',
      secret: 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa',
      ...change,
    } as CodeFlowOptions,
    {},
  );

export function loginOf(claims: Partial<Claims> = {}, record: Partial<LoginRecord> = {}): LoginState {
  const loginAt = epochSeconds() - 60;
  const login = { provider: 'default', subject: 'alice', claims: { sub: 'alice', ...claims }, grantId: 'grant', loginAt, expiresAt: loginAt + 3600 };
  return { kind: 'authenticated', login: { ...login, ...record } };
}

/** Reject rather than be forgotten: a test says which of them it expects. */
export function contextWith(state: LoginState, change: Partial<RequestContext> = {}): RequestContext {
  const unexpected = (name: string) => () => Promise.reject(new Error(`${name} was not expected`));
  return {
    options: optionsWith(),
    state,
    ensureAccessToken: unexpected('ensureAccessToken'),
    grantedScope: unexpected('grantedScope'),
    startLogin: unexpected('startLogin'),
    ...change,
  };
}
