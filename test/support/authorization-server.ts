/** A real, certified, strict authorization server on loopback: oidc-provider with rotating refresh tokens. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import '../../example-app/quiet-oidc-provider.js';
import { Provider, type ClientMetadata, type JWK } from 'oidc-provider';
import { defaultSettings, providerConfiguration, testSigningKey, type Settings } from './authorization-server/configuration.js';
import { interact } from './authorization-server/interaction.js';
import { Store } from './authorization-server/store.js';
import { TokenEndpoint, type RequestProcessor, type TokenPlan } from './authorization-server/token-endpoint.js';
import { listen, type ListeningServer } from './http.js';

export { apiAudience } from './authorization-server/configuration.js';
export type { TokenPlan } from './authorization-server/token-endpoint.js';

export interface AuthorizationServerOptions extends Partial<Settings> {
  /** The name under which browsers and apps see the server. `localhost` makes it another site than an app on 127.0.0.1. Default `127.0.0.1`. */
  host?: '127.0.0.1' | 'localhost';
  /** Beside the confidential client `web`. */
  clients?: readonly ClientMetadata[];
  /** Callback URLs of the client `web`; `registerApp()` adds more. */
  redirectUris?: readonly string[];
  postLogoutRedirectUris?: readonly string[];
}

/** The confidential client of the tests. */
export const webClient = { clientId: 'web', clientSecret: 'the secret of the client web, for tests' } as const;

const countedPaths = {
  '/auth': 'authorizations',
  '/token/revocation': 'revocations',
  '/session/end': 'endSessions',
  '/me': 'userinfo',
  '/jwks': 'jwks',
  '/.well-known/openid-configuration': 'discoveries',
} as const;

export async function startAuthorizationServer(options: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const server = new AuthorizationServer(options);
  await server.restart();
  return server;
}

export class AuthorizationServer {
  /** May be changed while the server runs. */
  readonly settings: Settings;
  readonly counters = { authorizations: 0, revocations: 0, endSessions: 0, userinfo: 0, jwks: 0, discoveries: 0 };
  readonly tokenEndpoint = new TokenEndpoint();
  readonly store = new Store();
  /** Sees every request first; whoever returns `true` has answered it. */
  intercept: ((req: IncomingMessage, res: ServerResponse) => boolean | Promise<boolean>) | undefined;
  /** Errors inside oidc-provider: a test may want to see that there were none. */
  readonly serverErrors: Error[] = [];
  /** How the apps answered its logout tokens. */
  readonly logoutsTold: { readonly sub: string; readonly sid: string; readonly error?: string }[] = [];
  signingKeys: readonly JWK[] = [testSigningKey()];
  readonly #host: string;
  readonly #clients: readonly ClientMetadata[];
  readonly #redirectUris: Set<string>;
  readonly #postLogoutRedirectUris: Set<string>;
  #logoutUris: Pick<ClientMetadata, 'backchannel_logout_uri' | 'backchannel_logout_session_required'> = {};
  #listening: ListeningServer | undefined;
  #port = 0;

  constructor(options: AuthorizationServerOptions) {
    const { host = '127.0.0.1', clients = [], redirectUris = [], postLogoutRedirectUris = [], ...settings } = options;
    this.settings = { ...defaultSettings, ...settings };
    this.#host = host;
    this.#clients = clients;
    this.#redirectUris = new Set(redirectUris);
    this.#postLogoutRedirectUris = new Set(postLogoutRedirectUris);
  }

  get issuer(): string {
    return `http://${this.#host}:${this.#port}`;
  }

  /** How the next token requests are disturbed. */
  get plan(): TokenPlan[] {
    return this.tokenEndpoint.plan;
  }

  /** Token requests by grant type, counted when they arrive. */
  get tokenRequests(): Readonly<Record<'authorization_code' | 'refresh_token', number>> {
    return this.tokenEndpoint.requests;
  }

  /** The `provider` option of an app that is registered here. */
  get provider(): { issuer: string; clientId: string; clientSecret: string } {
    return { issuer: this.issuer, ...webClient };
  }

  /** Lets the client `web` also live under this base URL. */
  async registerApp(baseUrl: string, paths: { callback?: string; afterLogout?: string } = {}): Promise<void> {
    this.#redirectUris.add(baseUrl + (paths.callback ?? '/callback'));
    this.#postLogoutRedirectUris.add(baseUrl + (paths.afterLogout ?? '/'));
    await this.#saveWebClient();
  }

  /** From now on the client `web` gets a logout token there whenever a session ends. With `bySession` ID Tokens and logout tokens have a `sid`. */
  async tellLogoutsTo(uri: string | undefined, { bySession = true } = {}): Promise<void> {
    this.#logoutUris = uri === undefined ? {} : { backchannel_logout_uri: uri, backchannel_logout_session_required: bySession };
    await this.#saveWebClient();
  }

  /** Another client, or new metadata for one; it is found at the next request. */
  async registerClient(client: ClientMetadata): Promise<void> {
    await this.store.adapter('Client').upsert(client.client_id, client);
  }

  /** What an administrator does who withdraws every consent of a user: refresh tokens and grants are gone. */
  revokeGrantsOf(account: string): void {
    this.store.revokeGrantsOf(account);
  }

  /** Connections are refused until `restart()`; nothing is forgotten. */
  async stop(): Promise<void> {
    await this.#listening?.close();
    this.#listening = undefined;
  }

  /** The same address, keys and memory. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#saveWebClient();
    for (const client of this.#clients) await this.registerClient(client);
    this.#listening = await listen((port) => {
      this.#port = port;
      return this.#handler();
    }, this.#port);
  }

  async #saveWebClient(): Promise<void> {
    // oidc-provider takes no client without a callback URL.
    const redirectUris = this.#redirectUris.size === 0 ? ['https://app.example.test/callback'] : [...this.#redirectUris];
    await this.registerClient({
      client_id: webClient.clientId,
      client_secret: webClient.clientSecret,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: redirectUris,
      post_logout_redirect_uris: [...this.#postLogoutRedirectUris],
      ...this.#logoutUris,
    });
  }

  #handler(): RequestListener {
    const provider = new Provider(this.issuer, providerConfiguration(this.settings, this.store, this.signingKeys));
    provider.on('server_error', (_ctx, error: Error) => void this.serverErrors.push(error));
    provider.on('backchannel.success', (_ctx, _client, sub: string, sid: string) => void this.logoutsTold.push({ sub, sid }));
    provider.on('backchannel.error', (_ctx, error: Error, _client, sub: string, sid: string) => void this.logoutsTold.push({ sub, sid, error: error.message }));
    const standard = provider.callback();
    return (req, res) => {
      this.#route(provider, standard, req, res).catch((error: unknown) => {
        this.serverErrors.push(error as Error);
        if (!res.headersSent) res.writeHead(500).end();
      });
    };
  }

  async #route(provider: Provider, standard: RequestProcessor, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname } = new URL(req.url ?? '/', this.issuer);
    if (isCounted(pathname)) this.counters[countedPaths[pathname]] += 1;
    if ((await this.intercept?.(req, res)) === true) return;
    if (pathname === '/token') return this.tokenEndpoint.handle(req, res, standard);
    if (pathname.startsWith('/interaction/')) return interact(provider, this.settings, req, res);
    return standard(req, res);
  }
}

function isCounted(path: string): path is keyof typeof countedPaths {
  return path in countedPaths;
}
