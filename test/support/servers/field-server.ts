/**
 * Plays a server of the field, which lives at an https address of its own, behind the option `fetch`: discovery, keys, tokens, and an API that takes
 * them. Quirks are put on top, by address. No request leaves the process.
 */
import { randomUUID } from 'node:crypto';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

export type Answer = (request: Request) => Response | Promise<Response>;

export interface TokenAnswer {
  [field: string]: unknown;
}

let keyPair: ReturnType<typeof generateKeyPair> | undefined;

export class FieldServer {
  /** Where the app's API is. */
  readonly apiUrl = 'https://api.example.com/v1/';
  /** By method and address without its query; these win over the usual ones. */
  readonly answers: Record<string, Answer> = {};
  readonly requests: Request[] = [];
  /** The claims of ID Tokens, over the usual ones. */
  claims: Record<string, unknown> = {};
  /** What the token endpoint says beside the access token and, where `openid` was asked for, the ID Token. */
  tokenAnswer: TokenAnswer = { expires_in: 3600, refresh_token: 'a refresh token' };
  /** The one access token that the API takes. */
  #accessToken = '';
  #nonce: string | undefined;

  constructor(
    readonly issuer: string,
    readonly clientId: string,
  ) {}

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    this.requests.push(request);
    const { origin, pathname } = new URL(request.url);
    const answer = this.answers[`${request.method} ${origin}${pathname}`] ?? this.#usual(request.method, origin + pathname);
    return answer(request);
  };

  /** From now on the API refuses what was given out. */
  expireAccessToken(): void {
    this.#accessToken = '';
  }

  metadata(): Record<string, unknown> {
    const base = this.issuer.replace(/\/$/, '');
    return {
      issuer: this.issuer,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      jwks_uri: `${base}/keys`,
      userinfo_endpoint: `${base}/userinfo`,
      revocation_endpoint: `${base}/revoke`,
      end_session_endpoint: `${base}/logout`,
    };
  }

  /** What the browser would bring back from there. */
  callbackOf(authorizationUrl: string): string {
    const { searchParams } = new URL(authorizationUrl);
    this.#nonce = searchParams.get('nonce') ?? undefined;
    const callback = new URL(searchParams.get('redirect_uri') ?? '');
    callback.search = new URLSearchParams({ code: randomUUID(), state: searchParams.get('state') ?? '' }).toString();
    return callback.href;
  }

  async newTokens(): Promise<TokenAnswer> {
    this.#accessToken = randomUUID();
    const idToken = this.#nonce === undefined ? {} : { id_token: await this.#idToken() };
    return { access_token: this.#accessToken, token_type: 'Bearer', ...idToken, ...this.tokenAnswer };
  }

  #usual(method: string, address: string): Answer {
    const { token_endpoint: token, jwks_uri: keys, revocation_endpoint: revoke } = this.metadata();
    const base = this.issuer.replace(/\/$/, '');
    if (method === 'GET' && address === `${base}/.well-known/openid-configuration`) return () => Response.json(this.metadata());
    if (method === 'GET' && address === keys) return async () => Response.json(await keySet());
    if (method === 'POST' && address === token) return async () => Response.json(await this.newTokens());
    if (method === 'POST' && address === revoke) return () => new Response('');
    if (address.startsWith(this.apiUrl)) return (request) => this.#answerApi(request);
    return () => Response.json({ error: 'not_found' }, { status: 404 });
  }

  #answerApi({ headers }: Request): Response {
    if (headers.get('authorization') === `Bearer ${this.#accessToken}`) return Response.json({ called: true });
    return Response.json({ error: 'expired' }, { status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } });
  }

  async #idToken(): Promise<string> {
    keyPair ??= generateKeyPair('RS256');
    const { privateKey } = await keyPair;
    return new SignJWT({ iss: this.issuer, aud: this.clientId, sub: 'alice', nonce: this.#nonce, ...this.claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'test' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  }
}

async function keySet(): Promise<unknown> {
  keyPair ??= generateKeyPair('RS256');
  const { publicKey } = await keyPair;
  return { keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'RS256', use: 'sig' }] };
}
