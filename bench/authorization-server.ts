/**
 * An authorization server that says yes to everybody and costs little: bare node:http, code with PKCE, ID Tokens by RS256, refresh tokens that rotate,
 * and reuse detection. Also the API that the contestants call. A process of its own; the bench asks and tells it by messages.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { listen, readBody, sendJson } from '../test/support/http.js';

/** What the bench may change while the server runs. */
export interface ServerSettings {
  lifetimeSeconds: number;
  /** What the token endpoint takes for a refresh, beside what it has to do. */
  latencyMs: number;
  rotate: boolean;
}

/** Since the last question. */
export interface ServerFacts {
  readonly refreshes: number;
  readonly refused: number;
  /** Logins that ended because an old refresh token came again. */
  readonly ended: number;
  /** Of refreshes, from arrival to answer. */
  readonly latencies: readonly number[];
}

interface Login {
  readonly subject: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly nonce: string | undefined;
  refreshToken: string;
  revoked: boolean;
}

const settings: ServerSettings = { lifetimeSeconds: 3600, latencyMs: 0, rotate: true };
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const codes = new Map<string, { login: Login; challenge: string | undefined }>();
const logins = new Map<string, Login>();
let facts = { refreshes: 0, refused: 0, ended: 0, latencies: [] as number[] };
let users = 0;
let origin = '';

const random = (bytes = 32): string => randomBytes(bytes).toString('base64url');

/** About as long as a JWT with a handful of claims. */
const accessToken = (): string => `at.${random(600)}`;

/** `/p7/token` is the token endpoint of the issuer `/p7`: a thousand providers on one port. */
function place(path: string): { issuer: string; endpoint: string } {
  const prefix = /^\/p\d+(?=\/)/.exec(path)?.[0] ?? '';
  return { issuer: origin + prefix, endpoint: path.slice(prefix.length) };
}

function metadata(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    revocation_endpoint: `${issuer}/revoke`,
    userinfo_endpoint: `${issuer}/userinfo`, // Auth.js asks for one, and then does not ask it
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    authorization_response_iss_parameter_supported: true,
  };
}

function authorize(issuer: string, query: URLSearchParams, res: ServerResponse): void {
  const code = random();
  const login: Login = {
    subject: query.get('login_hint') ?? `user${(users += 1)}`,
    issuer,
    clientId: query.get('client_id') ?? '',
    nonce: query.get('nonce') ?? undefined,
    refreshToken: '',
    revoked: false,
  };
  codes.set(code, { login, challenge: query.get('code_challenge') ?? undefined });
  const back = new URL(query.get('redirect_uri') ?? '');
  back.searchParams.set('code', code);
  back.searchParams.set('iss', issuer);
  const state = query.get('state');
  if (state !== null) back.searchParams.set('state', state);
  res.writeHead(302, { Location: back.href }).end();
}

async function token(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const arrivedAt = performance.now();
  const body = new URLSearchParams((await readBody(req)).toString());
  const refreshing = body.get('grant_type') === 'refresh_token';
  if (refreshing) facts.refreshes += 1;
  if (refreshing && settings.latencyMs > 0) await setTimeout(settings.latencyMs);
  const login = refreshing ? redeemed(body.get('refresh_token') ?? '') : exchanged(body);
  if (login === undefined) {
    facts.refused += 1;
    return sendJson(res, 400, { error: 'invalid_grant' });
  }
  sendJson(res, 200, answerFor(login), { 'Cache-Control': 'no-store' });
  if (refreshing) facts.latencies.push(performance.now() - arrivedAt);
}

/** RFC 7636 §4.6. A code is good for once. */
function exchanged(body: URLSearchParams): Login | undefined {
  const code = body.get('code') ?? '';
  const known = codes.get(code);
  codes.delete(code);
  if (known === undefined) return undefined;
  const challenge = createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url');
  if (known.challenge !== undefined && known.challenge !== challenge) return undefined;
  known.login.refreshToken = newRefreshToken(known.login);
  return known.login;
}

/** RFC 9700 §4.14.2: who comes with a refresh token that was replaced ends the whole login. */
function redeemed(refreshToken: string): Login | undefined {
  const login = logins.get(refreshToken);
  if (login === undefined || login.revoked) return undefined;
  if (login.refreshToken !== refreshToken) {
    login.revoked = true;
    facts.ended += 1;
    return undefined;
  }
  if (settings.rotate) login.refreshToken = newRefreshToken(login);
  return login;
}

function newRefreshToken(login: Login): string {
  const refreshToken = `rt.${random()}`;
  logins.set(refreshToken, login);
  return refreshToken;
}

function answerFor(login: Login): object {
  const scope = 'openid profile email offline_access';
  return { access_token: accessToken(), token_type: 'Bearer', expires_in: settings.lifetimeSeconds, refresh_token: login.refreshToken, scope, id_token: idToken(login) };
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function idToken({ subject, issuer, clientId, nonce }: Login): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: subject,
    aud: clientId,
    iat: now,
    auth_time: now,
    exp: now + 3600,
    ...(nonce !== undefined && { nonce }),
    name: `The Person Known as ${subject}`,
    email: `${subject}@example.com`,
    email_verified: true,
    picture: `https://img.example.com/people/${subject}/portrait-large.png`,
    locale: 'en-GB',
    groups: ['staff', 'engineering', 'on-call', 'readers-of-reports'],
  };
  const input = `${encoded({ alg: 'RS256', typ: 'JWT', kid: 'bench' })}.${encoded(claims)}`;
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), privateKey).toString('base64url')}`;
}

async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? '/', origin);
  const { issuer, endpoint } = place(url.pathname);
  switch (endpoint) {
    case '/.well-known/openid-configuration':
      return sendJson(res, 200, metadata(issuer));
    case '/jwks':
      return sendJson(res, 200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }] });
    case '/auth':
      return authorize(issuer, url.searchParams, res);
    case '/token':
      return token(req, res);
    case '/revoke':
      req.resume();
      return sendJson(res, 200, {});
    case '/v1/orders':
      return /^Bearer \S/i.test(req.headers.authorization ?? '') ? sendJson(res, 200, { orders: [1, 2, 3] }) : sendJson(res, 401, {});
    default:
      return sendJson(res, 404, { error: 'not found' });
  }
}

const { port, server } = await listen((actualPort) => {
  origin = `http://127.0.0.1:${actualPort}`;
  return (req, res) => {
    handle(req, res).catch((error: unknown) => res.destroy(error as Error));
  };
});
server.keepAliveTimeout = 600_000;
process.on('message', ({ id, change }: { id: number; change: Partial<ServerSettings> }) => {
  Object.assign(settings, change);
  process.send?.({ id, facts });
  facts = { refreshes: 0, refused: 0, ended: 0, latencies: [] };
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port });
