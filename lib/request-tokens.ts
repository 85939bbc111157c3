/** The tokens of the login of one request: bound to that login's grant, never to the session id or the process. */
import type { Clock } from './clock.js';
import { AuthenticationRequiredError } from './errors.js';
import type { Grant, TokenWish, UsableToken } from './grants/grant.js';
import { loginRequired, wrongProvider } from './grants/refresh-outcomes.js';
import type { TokenManager } from './grants/token-manager.js';
import { DEFAULT_RESOURCE } from './grants/token-set.js';
import type { Providers } from './provider-registry.js';
import type { SeenLogin } from './session/opened-session.js';

export interface RequestTokensSettings {
  tokens: TokenManager;
  providers: Providers;
  clock: Clock;
}

/** Until it is asked for a token it costs next to nothing: most requests never ask. */
export class RequestTokens {
  readonly #settings: RequestTokensSettings;
  readonly #session: SeenLogin;
  /** When the session vouched for the login. */
  readonly #confirmedAt: number;

  constructor(settings: RequestTokensSettings, session: SeenLogin) {
    this.#settings = settings;
    this.#session = session;
    this.#confirmedAt = settings.clock.monotonic();
    if (session.state.kind === 'authenticated') settings.tokens.keepAlive(session.state.login);
  }

  async accessToken(wish: TokenWish): Promise<UsableToken> {
    return this.#endingSession(this.#settings.tokens.accessToken(this.#ownGrant(wish.provider), wish));
  }

  /** `undefined`: the server never said, so it is what was requested (RFC 6749 §5.1). */
  async grantedScope(): Promise<string | undefined> {
    return (await this.#endingSession(this.#settings.tokens.current(this.#ownGrant()))).accessTokens[DEFAULT_RESOURCE]?.scope;
  }

  #ownGrant(wanted?: string): Grant {
    const { state } = this.#session;
    if (state.kind === 'unknown') throw state.error;
    const login = state.kind === 'authenticated' ? state.login : undefined;
    if (wanted !== undefined && login?.provider !== wanted) throw wrongProvider(wanted);
    if (login === undefined) throw loginRequired();
    const { grantId, provider, registration, subject, loginAt, expiresAt } = login;
    return { grantId, provider: this.#settings.providers.of(provider, registration), subject, loginAt, expiresAt, confirmedAt: this.#confirmedAt };
  }

  /** A login that the authorization server has ended ends here too, at once (THREATS E10). */
  async #endingSession<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof AuthenticationRequiredError && error.code === 'ERR_CODE_FLOW_LOGIN_ENDED') {
        // If the store fails now, the next request finds the grant ended and tries again.
        await this.#session.end().catch(() => undefined);
      }
      throw error;
    }
  }
}
