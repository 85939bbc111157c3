/** `codeFlow().authenticate(req)`: who opens a connection that is answered by something else than Express, such as a WebSocket. */
import type { Clock } from './clock.js';
import type { TokenWish, UsableToken } from './grants/grant.js';
import type { TokenManager } from './grants/token-manager.js';
import { crossOriginRefusal, handshakeRefusal } from './guards/cross-origin.js';
import { createOAuthFetch } from './oauth-fetch.js';
import type { OAuthFetch } from './oauth-fetch.js';
import type { Providers } from './provider-registry.js';
import type { AuthenticatedOAuth } from './request-oauth.js';
import { RequestTokens } from './request-tokens.js';
import type { LoginRecord } from './session/login-record.js';
import type { WatchedLogin } from './session/login-watch.js';
import type { Sessions } from './session/session-middleware.js';
import type { Request, ResolvedOptions } from './types.js';

/** A login on a connection of its own. Its facts are those of `req.oauth`. */
export interface ConnectionLogin extends Pick<AuthenticatedOAuth, 'claims' | 'subject' | 'provider' | 'grantId' | 'expiresAt' | 'scope'> {
  /**
   * Aborts about a second after the login has ended, in whichever process that was, with an AuthenticationRequiredError as its reason: close
   * the connection then. It watches until the connection closes or `release()`, at one Redis command per second and login; while Redis
   * cannot tell, it waits.
   */
  readonly signal: AbortSignal;
  /** As `req.oauth.getAccessToken()`. Rejects once `signal` has aborted. */
  getAccessToken(wish?: { resource?: string }): Promise<string>;
  /** As `req.oauthFetch`. Rejects once `signal` has aborted. */
  oauthFetch: OAuthFetch;
  /**
   * Watches no longer; `signal` stays silent. Done by itself when the connection closes: of a plain request, whose connection may carry many
   * more, call it when that is answered.
   */
  release(): void;
}

interface AuthenticateSettings {
  options: ResolvedOptions;
  sessions: Sessions;
  tokens: TokenManager;
  providers: Providers;
  clock: Clock;
}

/**
 * `undefined`: nobody is logged in. Rejects with AccessDeniedError for a handshake by a page of another site, and with StoreError.
 * @internal
 */
export async function authenticate(settings: AuthenticateSettings, req: Request): Promise<ConnectionLogin | undefined> {
  const refusal = (req.headers.upgrade === undefined ? crossOriginRefusal : handshakeRefusal)(req, settings.options);
  if (refusal !== undefined) throw refusal;
  const seen = await settings.sessions.see(req);
  if (seen.state.kind === 'unknown') throw seen.state.error;
  const watched = seen.watch(req.socket);
  if (seen.state.kind === 'anonymous' || watched === undefined) return undefined;
  const tokens = new RequestTokens(settings, seen);
  return loginOn(settings, seen.state.login, watched, (wish) => tokens.accessToken(wish));
}

function loginOn(
  { options: { apis, fetch } }: AuthenticateSettings,
  { claims, subject, provider, grantId, expiresAt, scope }: LoginRecord,
  watched: WatchedLogin,
  tokenOf: (wish: TokenWish) => Promise<UsableToken>,
): ConnectionLogin {
  const { signal } = watched;
  // The grant may outlive the session; a connection may not.
  async function accessToken(wish: TokenWish): Promise<UsableToken> {
    signal.throwIfAborted();
    return tokenOf(wish);
  }
  return {
    claims,
    subject,
    provider,
    grantId,
    expiresAt,
    scope,
    signal,
    release: () => watched.release(),
    getAccessToken: async (wish) => (await accessToken({ resource: wish?.resource })).token,
    oauthFetch: createOAuthFetch({ apis, fetch, accessToken }),
  };
}
