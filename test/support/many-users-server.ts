/**
 * An authorization server and APIs for hundreds of users at once, where the real ones would take too long. Its tokens say in clear
 * whose they are and for which API; each API notes every token that is not its own, or not the user's whom the app named.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { importJWK, SignJWT, type JWK } from 'jose';
import type { CodeFlowOptions } from '../../lib/types.js';
import { testSigningKey } from './authorization-server/configuration.js';
import { listen, readBody, sendJson, type ListeningServer } from './http.js';

const resourceOf = (api: string): string => `https://${api}.example.test/`;

const slightDelay = (): Promise<void> => setTimeout(Math.random() * 20);

export async function startManyUsersServer(settings: { apis: number; accessTokenSeconds: number }): Promise<ManyUsersServer> {
  const server = new ManyUsersServer(settings);
  await server.start();
  return server;
}

export class ManyUsersServer {
  /** Their names. */
  readonly apis: readonly string[];
  readonly mistakes: string[] = [];
  apiCalls = 0;
  refreshes = 0;
  readonly #accessTokenSeconds: number;
  /** The number of the one refresh token of each login that is still good. */
  readonly #rounds = new Map<string, number>();
  #listening: ListeningServer | undefined;
  #origin = '';

  constructor({ apis, accessTokenSeconds }: { apis: number; accessTokenSeconds: number }) {
    this.apis = Array.from({ length: apis }, (_, index) => `api${index}`);
    this.#accessTokenSeconds = accessTokenSeconds;
  }

  #apiFor(resource: string | null): string {
    return this.apis.find((api) => resourceOf(api) === resource) ?? this.apis[0]!;
  }

  /** The first API takes the login's own token, every other one a token of its own. */
  get options(): Pick<CodeFlowOptions, 'provider' | 'apis'> {
    const issuer = this.#origin;
    const server = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` };
    const apis = this.apis.map((api, index) => ({ url: this.urlOf(api), ...(index === 0 ? {} : { resource: resourceOf(api) }) }));
    return { provider: { server, clientId: 'web', clientSecret: 'the secret of the client web, for tests' }, apis };
  }

  urlOf(api: string): string {
    return `${this.#origin}/${api}/`;
  }

  /** What the browser brings back for this user. */
  codeFor(user: string, authorizationUrl: URL): string {
    return `${user}~${authorizationUrl.searchParams.get('nonce') ?? ''}`;
  }

  async start(): Promise<void> {
    this.#listening = await listen((port) => {
      this.#origin = `http://127.0.0.1:${port}`;
      return (req, res) => void this.#handle(req, res).catch(() => res.destroy());
    });
  }

  async stop(): Promise<void> {
    await this.#listening?.close();
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? '/';
    const { kty, n, e } = testSigningKey();
    if (path === '/jwks') sendJson(res, 200, { keys: [{ kty, n, e, alg: 'RS256', use: 'sig' }] });
    else if (path === '/token') await this.#token(new URLSearchParams((await readBody(req)).toString()), res);
    else await this.#api(path.split('/')[1]!, req, res);
  }

  async #token(request: URLSearchParams, res: ServerResponse): Promise<void> {
    await slightDelay();
    const code = request.get('code');
    if (code !== null) {
      const [user = '', nonce = ''] = code.split('~');
      return sendJson(res, 200, { ...this.#tokens(user, this.#apiFor(null)), id_token: await this.#idToken(user, nonce) });
    }
    this.refreshes += 1;
    const [, user = '', round = ''] = (request.get('refresh_token') ?? '').split('.');
    if (this.#rounds.get(user) !== Number(round)) {
      this.mistakes.push(`a refresh token of ${user} came twice`);
      return sendJson(res, 400, { error: 'invalid_grant' });
    }
    sendJson(res, 200, this.#tokens(user, this.#apiFor(request.get('resource'))));
  }

  #tokens(user: string, api: string): Record<string, unknown> {
    const round = (this.#rounds.get(user) ?? 0) + 1;
    this.#rounds.set(user, round);
    return { access_token: `at.${user}.${api}.${round}`, refresh_token: `rt.${user}.${round}`, token_type: 'Bearer', expires_in: this.#accessTokenSeconds };
  }

  async #idToken(user: string, nonce: string): Promise<string> {
    const key = await importJWK(testSigningKey() as JWK, 'RS256');
    const token = new SignJWT({ nonce }).setProtectedHeader({ alg: 'RS256' }).setSubject(user).setIssuer(this.#origin);
    return token.setAudience('web').setIssuedAt().setExpirationTime('1h').sign(key);
  }

  async #api(api: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.apiCalls += 1;
    const [, user, audience] = (req.headers.authorization ?? '').split('.');
    const meant = req.headers['x-user'];
    if (user !== meant || audience !== api) this.mistakes.push(`${api} was called for ${String(meant)} with the token of ${user ?? 'nobody'} for ${audience ?? 'nothing'}`);
    await slightDelay();
    sendJson(res, 200, { user, api });
  }
}
