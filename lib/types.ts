/** The shapes that more than one layer speaks of. No code. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cluster, Redis } from 'ioredis';

/** What is known about the user: the validated ID Token's claims (OpenID Connect Core §5.1). */
export interface Claims {
  /** The user's id at this authorization server. Only the pair of issuer and `sub` identifies a person, never an email address. */
  sub: string;
  name?: string;
  email?: string;
  [claim: string]: unknown;
}

/** How the app authenticates at the token endpoint (OpenID Connect Core §9). */
export type ClientAuthenticationMethod = 'client_secret_basic' | 'client_secret_post' | 'none';

/** An authorization server's metadata, as in RFC 8414 §2. */
export interface ServerMetadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri?: string;
  revocation_endpoint?: string;
  end_session_endpoint?: string;
  [metadata: string]: unknown;
}

interface ProviderBase {
  /** The app's id at the authorization server. */
  clientId: string;
  /** The app's secret there. Left out: a public client, which PKCE alone protects. */
  clientSecret?: string | undefined;
  /** Default: what the server's metadata allows, `client_secret_basic` first; `none` without a secret. */
  clientAuthentication?: ClientAuthenticationMethod | undefined;
  /**
   * Space-separated (RFC 6749 §3.3), with `openid`: the ID Token says who it is. Default `openid profile email`. Add `offline_access`
   * where the server gives refresh tokens only for it.
   */
  scope?: string | undefined;
  /** Sent with every authorization request; those of a request go before. Protocol parameters (`state`, `redirect_uri`, …) are refused. */
  authorizationParams?: Readonly<Record<string, string>> | undefined;
  /** Further registered client metadata, RFC 7591 §2 names, such as `id_token_signed_response_alg`. */
  clientMetadata?: Readonly<Record<string, unknown>> | undefined;
  /** Allows plain http for an authorization server off this machine. For closed test networks. Default `false`. */
  dangerouslyAllowHttp?: boolean | undefined;
}

/** The authorization server and our registration there: found by `issuer` (discovery) or described by hand in `server`. */
export type ProviderOptions =
  | (ProviderBase & { issuer: string; server?: undefined })
  | (ProviderBase & { server: ServerMetadata; issuer?: undefined });

/** One API that may receive the user's token. */
export interface ApiOptions {
  /** Same origin, and this path or below: `/v1` stands for `/v1/orders`, not for `/v10`. `http:` on loopback only. */
  url: string;
  /** RFC 8707 resource indicator: this API gets an access token of its own, by way of the refresh token. */
  resource?: string | undefined;
  /** Asked for when the resource's token is requested; only with `resource`. Default: what was granted at login. */
  scope?: string | undefined;
}

/** `codeFlow(options)`. */
export interface CodeFlowOptions {
  /** The authorization server and our registration there. */
  provider: ProviderOptions;
  /**
   * The app's public URL, with path prefix if any. Every URL that is sent out is built from it, never from `Host` or
   * `X-Forwarded-*`. `https:` here is what makes cookies `Secure`, also behind a TLS-terminating proxy; in production it must
   * be `https:` off loopback.
   */
  baseUrl: string;
  /**
   * At least 32 characters each. The first seals and signs, all open and verify. To rotate while several processes run, first append
   * the new one everywhere, then put it in front.
   */
  secret: string | readonly string[] | undefined;
  /**
   * An ioredis `Redis` or `Cluster`, which is duplicated and left as it is, or a URL. Left out: memory, for one process, refused in
   * production.
   */
  redis?: Redis | Cluster | string | undefined;
  /** The only places that get a token: URL prefixes, or `ApiOptions`. Default none: `req.oauthFetch` then refuses every URL. */
  apis?: readonly (string | ApiOptions)[] | undefined;
  /** The session and its cookie. */
  session?: SessionOptions | undefined;
  /** Paths under `baseUrl`; `false` switches one off. Default `/login`, `/callback`, `/logout`. */
  routes?: { login?: string | false | undefined; callback?: string | undefined; logout?: string | false | undefined } | undefined;
  /** Where to go after a login that asked for no return path: a path under `baseUrl`, or a URL on its origin. Default `/`. */
  afterLogin?: string | undefined;
  /**
   * Where the browser comes back to after a logout at the authorization server, to be registered there
   * (`post_logout_redirect_uris`); where the server has no logout, only if no return path was asked for. Default `/`.
   */
  afterLogout?: string | undefined;
  /** Which query parameters of the login route are passed on. Default `login_hint`, `ui_locales`, `prompt`, `acr_values`, `max_age`. */
  loginParams?: readonly string[] | undefined;
  /** The whole of one call to the authorization server, and how long a request waits for a refresh, in seconds from 0.05 to 60. Default 5. */
  httpTimeoutSeconds?: number | undefined;
  /** One Redis operation, in seconds from 0.01 to 30. Default 0.5. */
  redisTimeoutSeconds?: number | undefined;
  /** Used for the authorization server and the APIs. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The session and its cookie. */
export interface SessionOptions {
  /** Default `__Host-session`; `__Secure-session` when `baseUrl` has a path; `session` when it is `http:`. */
  cookieName?: string | undefined;
  /** With `strict` the callback loads itself once more, and a link from another site leads through the login. Default `lax`. */
  sameSite?: 'lax' | 'strict' | undefined;
  /** A login ends after this time without a request. Default 28,800 (8 h), or `absoluteTimeoutSeconds` if that is shorter. */
  idleTimeoutSeconds?: number | undefined;
  /** A login ends after this time, whatever happens. Default 604,800 (7 d). */
  absoluteTimeoutSeconds?: number | undefined;
  /** The names of `req.session` properties that survive a login. Default none. */
  keep?: readonly string[] | undefined;
  /** The tokens outlive a session that ends by time, for background jobs with `codeFlow().grant(grantId)`. A logout still ends them. Default `false`. */
  keepGrant?: boolean | undefined;
  /** With `keepGrant`: tokens are kept this long after their last use. Default 2,592,000 (30 d). */
  grantIdleTimeoutSeconds?: number | undefined;
}

/** Options after checking: complete, frozen, never questioned again. */
export interface ResolvedOptions {
  readonly provider: ResolvedProvider;
  /** Without a trailing slash in its path. */
  readonly baseUrl: URL;
  /** `''` or a path that starts with and does not end in a slash. */
  readonly basePath: string;
  readonly secrets: readonly string[];
  readonly redis: Redis | Cluster | string | undefined;
  readonly apis: readonly ResolvedApi[];
  readonly session: {
    readonly cookieName: string;
    readonly sameSite: 'lax' | 'strict';
    readonly secure: boolean;
    readonly idleTimeoutSeconds: number;
    readonly absoluteTimeoutSeconds: number;
    readonly keep: readonly string[];
    /** `undefined`: grants end with their sessions. */
    readonly grantIdleTimeoutSeconds: number | undefined;
  };
  readonly routes: { readonly login: string | false; readonly callback: string; readonly logout: string | false };
  /** Absolute, on our origin. */
  readonly afterLogin: string;
  /** Absolute, on our origin. */
  readonly afterLogout: string;
  readonly loginParams: readonly string[];
  readonly httpTimeoutSeconds: number;
  readonly redisTimeoutSeconds: number;
  readonly fetch: typeof fetch;
}

export interface ResolvedProvider {
  /** The key under which logins remember it. */
  readonly name: string;
  readonly issuer: URL | undefined;
  readonly server: ServerMetadata | undefined;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly clientAuthentication: ClientAuthenticationMethod | undefined;
  readonly scope: string;
  readonly authorizationParams: Readonly<Record<string, string>>;
  readonly clientMetadata: Readonly<Record<string, unknown>>;
  /** Plain http is fine: the server is on loopback, or the user insists. */
  readonly allowHttp: boolean;
}

export interface ResolvedApi {
  readonly url: URL;
  readonly resource: string | undefined;
  readonly scope: string | undefined;
}

/** What a token endpoint answered, checked and in camelCase. */
export interface TokenResponse {
  accessToken: string;
  /** Seconds from the answer on; absent: the server did not say (RFC 6749 §5.1). */
  expiresInSeconds?: number;
  refreshToken?: string;
  idToken?: string;
  /** The validated claims of `idToken`. */
  claims?: Claims;
  /** Absent: as requested (RFC 6749 §5.1). The empty string means none. */
  scope?: string;
}

/** Express, Connect and plain `node:http` alike. */
export type Request = IncomingMessage & { originalUrl?: string | undefined };
export type Response = ServerResponse;
export type Next = (error?: unknown) => void;
export type Middleware = (req: Request, res: Response, next: Next) => void;
