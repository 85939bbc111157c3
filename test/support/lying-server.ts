/**
 * An authorization server that is honest until a test makes it lie, in one way at a time: by an answer of its own for one
 * endpoint, by a changed token answer or claim, or by another signature. Everything secret that it makes is remembered, so that
 * a test can search for it.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import { listen, readBody, sendJson, type ListeningServer } from './http.js';

export type Endpoint = keyof typeof paths;
export type Answer = (res: ServerResponse, request: RecordedRequest) => void | Promise<void>;
export type Json = Record<string, unknown>;

export interface RecordedRequest {
  method: string;
  endpoint: Endpoint | undefined;
  url: URL;
  headers: IncomingMessage['headers'];
  body: URLSearchParams;
}

const paths = {
  discovery: '/.well-known/openid-configuration',
  oauthDiscovery: '/.well-known/oauth-authorization-server',
  authorize: '/authorize',
  token: '/token',
  keys: '/keys',
  revocation: '/revoke',
  endSession: '/end-session',
  userinfo: '/userinfo',
} as const;

/** Ways of answering that no honest server has. */
export const answers = {
  json: (body: unknown, status = 200, headers: Record<string, string> = {}): Answer => (res) => sendJson(res, status, body, headers),
  text: (text: string, status = 200, headers: Record<string, string> = {}): Answer => (res) => void res.writeHead(status, headers).end(text),
  redirect: (location: string, status = 307): Answer => (res) => void res.writeHead(status, { location }).end(),
  reset: (): Answer => (res) => void res.socket?.resetAndDestroy(),
  /** Not even headers. */
  silence: (): Answer => () => undefined,
  /** Headers, the beginning of a body, and no end. */
  stalledBody: (): Answer => (res) => void res.writeHead(200, { 'content-type': 'application/json' }).write('{"access_token":'),
  /** For ever, as fast as it is read. */
  endlessBody: (): Answer => (res) => {
    const more = (): void => {
      while (!res.destroyed && res.write(' '.repeat(16_384)));
    };
    res.writeHead(200, { 'content-type': 'application/json' }).on('drain', more);
    more();
  },
};

/** A form, or a JSON object of texts. */
function readParameters({ headers }: IncomingMessage, text: string): URLSearchParams {
  return new URLSearchParams(headers['content-type'] === 'application/json' ? (JSON.parse(text) as Record<string, string>) : text);
}

interface IssuedCode {
  nonce: string | undefined;
  codeChallenge: string;
  redirectUri: string;
  scope: string;
}

/** RSA keys are slow to make: one pair for all servers of a test file. */
let keyPair: ReturnType<typeof generateKeyPair> | undefined;

export async function startLyingServer(): Promise<LyingServer> {
  keyPair ??= generateKeyPair('RS256', { extractable: true });
  const { publicKey, privateKey } = await keyPair;
  const server = new LyingServer(privateKey, { ...(await exportJWK(publicKey)), kid: 'honest', alg: 'RS256', use: 'sig' });
  await server.start();
  return server;
}

export class LyingServer {
  readonly clientId = 'web';
  readonly clientSecret = 'sentinel-client-secret_with.marks~';
  readonly requests: RecordedRequest[] = [];
  /** Tokens, codes and whatever else must turn up nowhere. */
  readonly secrets = new Set<string>([this.clientSecret]);
  readonly answers: Partial<Record<Endpoint, Answer>> = {};
  changeMetadata: (metadata: Json) => Json = (metadata) => metadata;
  changeTokenAnswer: (answer: Json) => Json | Promise<Json> = (answer) => answer;
  /** Default: a JWT with these claims, signed with the honest key. */
  makeIdToken: (claims: Json) => Promise<string> | string = (claims) => this.sign(claims);
  /** The same for the ID Token of a hybrid authorization response. */
  makeFrontIdToken: (claims: Json) => Promise<string> | string = (claims) => this.sign(claims);
  keys: JWK[];
  issuer = '';
  readonly #privateKey: CryptoKey;
  readonly #codes = new Map<string, IssuedCode>();
  #listening: ListeningServer | undefined;

  constructor(privateKey: CryptoKey, publicKey: JWK) {
    this.#privateKey = privateKey;
    this.keys = [publicKey];
  }

  async start(): Promise<void> {
    this.#listening = await listen((port) => {
      this.issuer = `http://127.0.0.1:${port}`;
      return (req, res) => {
        this.#handle(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
      };
    });
  }

  async close(): Promise<void> {
    await this.#listening?.close();
  }

  count(endpoint: Endpoint): number {
    return this.requests.filter((request) => request.endpoint === endpoint).length;
  }

  last(endpoint: Endpoint): RecordedRequest | undefined {
    return this.requests.findLast((request) => request.endpoint === endpoint);
  }

  metadata(): Json {
    return this.changeMetadata({
      issuer: this.issuer,
      authorization_endpoint: this.issuer + paths.authorize,
      token_endpoint: this.issuer + paths.token,
      jwks_uri: this.issuer + paths.keys,
      revocation_endpoint: this.issuer + paths.revocation,
      end_session_endpoint: this.issuer + paths.endSession,
      userinfo_endpoint: this.issuer + paths.userinfo,
      authorization_response_iss_parameter_supported: true,
    });
  }

  async sign(claims: Json, header: Json = {}, key: CryptoKey = this.#privateKey): Promise<string> {
    const protectedHeader = { alg: 'RS256', kid: 'honest', ...header };
    return new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(protectedHeader).sign(key);
  }

  /** `none`, or an HMAC whose key the liar chooses. */
  signByHand(claims: Json, alg: string, key?: string): string {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${encode({ alg, kid: 'honest' })}.${encode(claims)}`;
    return `${input}.${key === undefined ? '' : createHmac('sha256', key).update(input).digest('base64url')}`;
  }

  secret(kind: string): string {
    const value = `sentinel-${kind}-${randomUUID()}`;
    this.secrets.add(value);
    return value;
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', this.issuer);
    const endpoint = (Object.keys(paths) as Endpoint[]).find((name) => paths[name] === url.pathname);
    const body = readParameters(req, (await readBody(req)).toString());
    const request: RecordedRequest = { method: req.method ?? '', endpoint, url, headers: req.headers, body };
    this.requests.push(request);
    const answer = endpoint === undefined ? answers.text('', 404) : (this.answers[endpoint] ?? this.#honest[endpoint]);
    await answer(res, request);
  }

  readonly #honest: Record<Endpoint, Answer> = {
    discovery: (res) => sendJson(res, 200, this.metadata()),
    oauthDiscovery: answers.text('', 404),
    keys: (res) => sendJson(res, 200, { keys: this.keys }),
    revocation: answers.text('', 200),
    endSession: answers.text('', 200),
    userinfo: (res) => sendJson(res, 200, { sub: 'alice', name: 'Alice at UserInfo', email: 'alice@example.com' }),
    authorize: async (res, { url }) => {
      const parameters = url.searchParams;
      const code = this.secret('code');
      this.#codes.set(code, {
        nonce: parameters.get('nonce') ?? undefined,
        codeChallenge: parameters.get('code_challenge') ?? '',
        redirectUri: parameters.get('redirect_uri') ?? '',
        scope: parameters.get('scope') ?? '',
      });
      const location = new URL(parameters.get('redirect_uri') ?? '');
      location.search = new URLSearchParams({ code, state: parameters.get('state') ?? '', iss: this.issuer, ...(await this.#inFront(parameters, code)) }).toString();
      res.writeHead(302, { location: location.href }).end();
    },
    token: async (res, { body }) => {
      if (body.get('grant_type') === 'refresh_token') return sendJson(res, 200, await this.#tokenAnswer({ scope: 'openid' }));
      const issued = this.#codes.get(body.get('code') ?? '');
      const challenge = createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url');
      if (issued?.codeChallenge !== challenge || issued.redirectUri !== body.get('redirect_uri')) return sendJson(res, 400, { error: 'invalid_grant' });
      sendJson(res, 200, await this.#tokenAnswer(issued));
    },
  };

  /** A hybrid answer, which a form_post would bring: here in the query, as the provider gets it from its callers. */
  async #inFront(parameters: URLSearchParams, code: string): Promise<{ id_token?: string }> {
    if (parameters.get('response_type') !== 'code id_token' || parameters.get('response_mode') !== 'form_post') return {};
    const halfHash = (text: string): string => createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
    const idToken = await this.makeFrontIdToken({ ...this.#claims(parameters.get('nonce') ?? undefined), c_hash: halfHash(code) });
    for (const part of idToken.split('.')) if (part !== '') this.secrets.add(part);
    return { id_token: idToken };
  }

  #claims(nonce: string | undefined): Json {
    const now = Math.floor(Date.now() / 1000);
    return { iss: this.issuer, aud: this.clientId, sub: 'alice', name: 'Alice', iat: now, exp: now + 300, auth_time: now, ...(nonce && { nonce }) };
  }

  async #tokenAnswer({ nonce, scope }: Partial<IssuedCode>): Promise<Json> {
    const claims = this.#claims(nonce);
    const idToken = scope?.split(' ').includes('openid') ? await this.makeIdToken(claims) : undefined;
    for (const part of idToken?.split('.') ?? []) if (part !== '') this.secrets.add(part);
    const answer = { access_token: this.secret('access-token'), token_type: 'Bearer', expires_in: 300, refresh_token: this.secret('refresh-token'), id_token: idToken };
    return this.changeTokenAnswer(answer);
  }
}
