/** The shapes that more than one layer speaks of. No code. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cluster, Redis } from 'ioredis';
import type { Claims, ProviderOptions, ResolvedProvider } from './provider-options.js';

export type {
  BearerFetch,
  Claims,
  ClientAuthenticationMethod,
  EndSessionContext,
  IdentityContext,
  PrivateKey,
  ProviderOptions,
  ProviderSettings,
  ServerMetadata,
} from './provider-options.js';
/** @internal */
export type { ResolvedProvider, SigningKey } from './provider-options.js';

/** One API that may receive the user's token. */
export interface ApiOptions {
  /** Same origin, and this path or below: `/v1` stands for `/v1/orders`, not for `/v10`. `http:` on loopback only. */
  url: string;
  /** RFC 8707 resource indicator: this API gets an access token of its own, by way of the refresh token. */
  resource?: string | undefined;
  /** Asked for when the resource's token is requested; only with `resource`. Default: what was granted at login. */
  scope?: string | undefined;
  /** The name of the provider whose logins alone may call this API. Default: any. */
  provider?: string | undefined;
}

/** Finds a provider by its name, for more of them than one would list. May be asked about any name: it comes from a URL. */
export type FindProvider = (name: string) => ProviderOptions | undefined | Promise<ProviderOptions | undefined>;

/** One authorization server, or several: exactly one of both. */
type ProviderChoice =
  | {
      /** The authorization server and our registration there. */
      provider: ProviderOptions;
      providers?: undefined;
    }
  | {
      /** Several servers or tenants, by name: `/login?provider=name`. The first is the default; a function has none. */
      providers: Readonly<Record<string, ProviderOptions>> | FindProvider;
      provider?: undefined;
    };

/** `codeFlow(options)`. */
export type CodeFlowOptions = ProviderChoice & CommonOptions;

interface CommonOptions {
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
  /** Paths under `baseUrl`; `false` switches one off. */
  routes?: RouteOptions | undefined;
  /** The claims that `routes.session` tells. Default: those with which one greets a user. */
  sessionClaims?: readonly string[] | undefined;
  /**
   * Further origins, such as `https://admin.example.com`, whose pages may send the app what changes something: they can do whatever the
   * user can. Default none: `requireAuth()`, the logout and `authenticate()` refuse it from everywhere but `baseUrl`'s own. This is no CORS.
   */
  trustedOrigins?: readonly string[] | undefined;
  /** Where to go after a login that asked for no return path: a path under `baseUrl`, or a URL on its origin. Default `/`. */
  afterLogin?: string | undefined;
  /**
   * Where the browser comes back to after a logout at the authorization server, to be registered there (`post_logout_redirect_uris`). From
   * there we lead it on, if a return path was asked for. Default `/`.
   */
  afterLogout?: string | undefined;
  /**
   * What the browser drops of the app's data with the answer of a logout (`Clear-Site-Data`): its cache, its storage and service workers.
   * Works with https alone. Default none.
   */
  clearSiteData?: readonly ('cache' | 'storage')[] | undefined;
  /** Which query parameters of the login route are passed on. Default `login_hint`, `ui_locales`, `prompt`, `acr_values`, `max_age`. */
  loginParams?: readonly string[] | undefined;
  /** The whole of one call to the authorization server, and how long a request waits for a refresh, in seconds from 0.05 to 60. Default 5. */
  httpTimeoutSeconds?: number | undefined;
  /** One Redis operation, in seconds from 0.01 to 30. Default 0.5. */
  redisTimeoutSeconds?: number | undefined;
  /** Used for the authorization server and the APIs. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** Our own paths under `baseUrl`. */
export interface RouteOptions {
  /** Default `/login`. */
  login?: string | false | undefined;
  /** Default `/callback`. */
  callback?: string | undefined;
  /** Default `/logout`. */
  logout?: string | false | undefined;
  /**
   * OpenID Connect Back-Channel Logout: register this address as the `backchannel_logout_uri`. With a function as `providers` it is followed by
   * `/` and the provider's name. Default `/backchannel-logout`.
   */
  backchannelLogout?: string | false | undefined;
  /**
   * OpenID Connect Front-Channel Logout, for servers without the other: register it as the `frontchannel_logout_uri`, with
   * `frontchannel_logout_session_required`. Whoever knows a login's `sid` can end that login. Default `false`.
   */
  frontchannelLogout?: string | false | undefined;
  /** Tells the scripts of a single-page app who is logged in: see `docs/spa.md`. Default `false`. */
  session?: string | false | undefined;
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

/**
 * Options after checking: complete, frozen, never questioned again.
 * @internal
 */
export interface ResolvedOptions {
  /** That of logins that name none; `undefined`: `providers` is a function. */
  readonly provider: ResolvedProvider | undefined;
  readonly providers: ResolvedProviders;
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
  readonly routes: {
    readonly login: string | false;
    readonly callback: string;
    readonly logout: string | false;
    readonly backchannelLogout: string | false;
    readonly frontchannelLogout: string | false;
    readonly session: string | false;
  };
  readonly sessionClaims: readonly string[];
  /** Every path under `baseUrl` where an authorization server's answer may arrive. One that ends in `/*` stands for one more segment. */
  readonly callbackPaths: readonly string[];
  /** As browsers write them in `Origin`. */
  readonly trustedOrigins: readonly string[];
  /** Absolute, on our origin. */
  readonly afterLogin: string;
  /** Absolute, on our origin. */
  readonly afterLogout: string;
  readonly clearSiteData: readonly ('cache' | 'storage')[];
  readonly loginParams: readonly string[];
  readonly httpTimeoutSeconds: number;
  readonly redisTimeoutSeconds: number;
  readonly fetch: typeof fetch;
}

/** @internal */
export interface ResolvedProviders {
  /** By name; the first is the default. Empty if they are found. */
  readonly listed: ReadonlyMap<string, ResolvedProvider>;
  readonly find: FindProvider | undefined;
  /** Whether there is, or may be, more than one: an answer must then tell whose it is (RFC 9700 §4.4). */
  readonly several: boolean;
}

/** @internal */
export interface ResolvedApi {
  readonly url: URL;
  readonly resource: string | undefined;
  readonly scope: string | undefined;
  readonly provider: string | undefined;
}

/**
 * What a token endpoint answered, checked and in camelCase.
 * @internal
 */
export interface TokenResponse {
  accessToken: string;
  /** Seconds from the answer on; absent: the server did not say (RFC 6749 §5.1). */
  expiresInSeconds?: number;
  refreshToken?: string;
  idToken?: string;
  /** Who logged in: the validated claims of `idToken`, with those of `userInfo` or `identity`. At a refresh: of `idToken` alone. Absent: nobody knows. */
  claims?: Claims;
  /** Absent: as requested (RFC 6749 §5.1). The empty string means none. */
  scope?: string;
}

/** Express, Connect and plain `node:http` alike. */
export type Request = IncomingMessage & { originalUrl?: string | undefined };
export type Response = ServerResponse;
export type Next = (error?: unknown) => void;
export type Middleware = (req: Request, res: Response, next: Next) => void;
