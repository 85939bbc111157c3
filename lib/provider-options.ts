/** How an authorization server and our registration there are described. Types only; types.ts hands them on. */
import type { KeyObject, webcrypto } from 'node:crypto';

/** What is known about the user: the validated ID Token's claims (OpenID Connect Core §5.1), or what `userInfo` or `identity` found. */
export interface Claims {
  /** The user's id at this authorization server. Only the pair of issuer and `sub` identifies a person, never an email address. */
  sub: string;
  name?: string;
  email?: string;
  [claim: string]: unknown;
}

/** How the app authenticates at the token endpoint (OpenID Connect Core §9, RFC 8705 §2.1). */
export type ClientAuthenticationMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'none';

/** A private key: PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted), a JWK, or a `CryptoKey` that may sign. */
export type PrivateKey = string | (webcrypto.JsonWebKey & { kid?: string }) | webcrypto.CryptoKey;

/** An authorization server's metadata, as in RFC 8414 §2. */
export interface ServerMetadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri?: string;
  userinfo_endpoint?: string;
  revocation_endpoint?: string;
  end_session_endpoint?: string;
  [metadata: string]: unknown;
}

/**
 * A private key that was read. `id`: its `kid`.
 * @internal
 */
export interface SigningKey {
  readonly key: KeyObject | webcrypto.CryptoKey;
  readonly algorithm: string;
  readonly id: string | undefined;
}

/** `fetch` with the login's access token, for calls to the authorization server. Follows no redirect; https, or loopback. */
export type BearerFetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

/** What `identity` may use besides the token response. */
export interface IdentityContext {
  /** For a server that tells about the user by an API of its own. Shares the deadline of the login, `httpTimeoutSeconds`. */
  readonly fetch: BearerFetch;
}

/** What `endSession` receives: the tokens of the login that ended. */
export interface EndSessionContext {
  readonly accessToken: string | undefined;
  readonly idToken: string | undefined;
  /** Rejects if there is no access token. Shares one deadline, `httpTimeoutSeconds`. */
  readonly fetch: BearerFetch;
}

export interface ProviderSettings {
  /** The app's id at the authorization server. */
  clientId: string;
  /** The app's secret there. Left out: a public client, which PKCE alone protects, unless there is a `privateKey` or `tls_client_auth`. */
  clientSecret?: string | undefined;
  /** For `private_key_jwt` (RFC 7523 §2.2). Goes without `clientSecret`. It signs with `token_endpoint_auth_signing_alg` of `clientMetadata`, or as the key suggests. */
  privateKey?: PrivateKey | undefined;
  /** The `kid` of `privateKey`, for servers that want it. Default: the `kid` of a JWK. */
  privateKeyId?: string | undefined;
  /**
   * Default: `private_key_jwt` with a private key, `none` without a secret, else what the server's metadata allows, `client_secret_basic` first.
   * With `tls_client_auth`, option `fetch` has to present the certificate.
   */
  clientAuthentication?: ClientAuthenticationMethod | undefined;
  /**
   * How id and secret are written for `client_secret_basic`. They differ only in characters other than letters, digits and `-._~`: `percent` (default)
   * suits every server for ordinary secrets; `form` is RFC 6749 §2.3.1 to the letter, for servers that take a space for `+`; `raw` is for those that decode nothing.
   */
  basicCredentialsEncoding?: 'percent' | 'form' | 'raw' | undefined;
  /**
   * Space-separated (RFC 6749 §3.3). Default `openid profile email`. Add `offline_access` where the server gives refresh tokens only for it.
   * `false`: no scope is sent.
   */
  scope?: string | false | undefined;
  /** Sent with every authorization request. Protocol parameters (`state`, `redirect_uri`, …) are refused. */
  authorizationParams?: Readonly<Record<string, string>> | undefined;
  /** Default `code`. `code id_token` is OpenID Connect's hybrid flow (Core §3.3); the code alone is redeemed in both. */
  responseType?: 'code' | 'code id_token' | undefined;
  /**
   * How the answer comes back. Default `query`; `form_post` with `code id_token`. `code id_token` with `query` is for servers that send the code
   * alone in the query, and the ID Token from the token endpoint.
   */
  responseMode?: 'query' | 'form_post' | undefined;
  /** How token requests are written. Default `form`, as RFC 6749 asks; `json` for servers that want that. */
  tokenRequestFormat?: 'form' | 'json' | undefined;
  /** Default `true` (RFC 6749 §4.1.3). `false` for servers whose token request knows no `redirect_uri`. */
  redirectUriInTokenRequest?: boolean | undefined;
  /**
   * Whether an ID Token is required. Default: `true` with `openid` in the scope (OpenID Connect Core §3.1.3.3). `false`, for servers that give none although
   * they are asked for `openid`: no nonce is sent, and an ID Token that comes is not looked at.
   */
  idToken?: boolean | undefined;
  /** Fetches the UserInfo claims at login (OpenID Connect Core §5.3). The ID Token's claims win over them. Default `false`. */
  userInfo?: boolean | undefined;
  /**
   * Makes claims of the token endpoint's answer, for servers without ID Tokens. The result needs a `sub`; `undefined` means that nobody knows who this is.
   * The ID Token's claims, if there is one, win over them. Goes without `userInfo`.
   */
  identity?:
    | ((tokenResponse: Readonly<Record<string, unknown>>, context: IdentityContext) => Claims | undefined | Promise<Claims | undefined>)
    | undefined;
  /** Which token the revocation endpoint takes (RFC 7009). Default `refresh_token`; `false`: nothing is revoked. */
  revocation?: 'refresh_token' | 'access_token' | false | undefined;
  /** The server's own way of ending its session, called at logout before anything is revoked. */
  endSession?: ((context: EndSessionContext) => Promise<void>) | undefined;
  /**
   * A callback route of this provider's own, under `baseUrl`. Tells several providers apart where a server does not send `iss` (RFC 9700 §4.4).
   * Default: `routes.callback`.
   */
  callbackPath?: string | undefined;
  /** Further registered client metadata, RFC 7591 §2 names, such as `id_token_signed_response_alg`. */
  clientMetadata?: Readonly<Record<string, unknown>> | undefined;
  /** Allows plain http for an authorization server off this machine. For closed test networks. Default `false`. */
  dangerouslyAllowHttp?: boolean | undefined;
}

/**
 * The authorization server and our registration there: found by `issuer` (discovery), where `server` may override single metadata, such as an address
 * inside the cluster; or described by hand in `server`.
 */
export type ProviderOptions =
  | (ProviderSettings & { issuer: string; server?: Partial<ServerMetadata> | undefined })
  | (ProviderSettings & { server: ServerMetadata; issuer?: undefined });

/**
 * `ProviderOptions` after checking.
 * @internal
 */
export interface ResolvedProvider {
  /** The key under which logins remember it. */
  readonly name: string;
  readonly issuer: URL | undefined;
  /** With an issuer: what takes the place of discovered metadata, without an issuer of its own. Without: the whole metadata. */
  readonly server: Partial<ServerMetadata> | undefined;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly signingKey: SigningKey | undefined;
  readonly clientAuthentication: ClientAuthenticationMethod | undefined;
  readonly basicCredentialsEncoding: 'percent' | 'form' | 'raw';
  /** `''`: none is sent. */
  readonly scope: string;
  readonly authorizationParams: Readonly<Record<string, string>>;
  readonly responseType: 'code' | 'code id_token';
  readonly responseMode: 'query' | 'form_post';
  readonly tokenRequestFormat: 'form' | 'json';
  readonly redirectUriInTokenRequest: boolean;
  /** `undefined`: none is needed, but one that comes is checked. */
  readonly idToken: boolean | undefined;
  readonly userInfo: boolean;
  readonly identity: ProviderSettings['identity'];
  readonly revocation: 'refresh_token' | 'access_token' | false;
  readonly endSession: ProviderSettings['endSession'];
  readonly callbackPath: string | undefined;
  readonly clientMetadata: Readonly<Record<string, unknown>>;
  /** Plain http is fine: the server is on loopback, or the user insists. */
  readonly allowHttp: boolean;
}
