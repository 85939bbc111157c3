/** The tokens of the login of one request: bound to that login's grant, never to the session id or the process. */
import type { Clock } from './clock.js';
import { AuthenticationRequiredError } from './errors.js';
import type { Grant, TokenWish, UsableToken } from './grants/grant.js';
import { loginRequired, wrongProvider } from './grants/refresh-outcomes.js';
import type { TokenManager } from './grants/token-manager.js';
import { DEFAULT_RESOURCE } from './grants/token-set.js';
import type { Providers } from './provider-registry.js';
import type { LoginRecord } from './session/login-record.js';
import type { SeenLogin } from './session/session-middleware.js';

interface RequestTokens {
  accessToken: (wish: TokenWish) => Promise<UsableToken>;
  /** `undefined`: the server never said, so it is what was requested (RFC 6749 §5.1). */
  grantedScope: () => Promise<string | undefined>;
}

interface RequestTokensSettings {
  tokens: TokenManager;
  providers: Providers;
  clock: Clock;
}

export function createRequestTokens({ tokens, providers, clock }: RequestTokensSettings, session: SeenLogin): RequestTokens {
  const { state } = session;
  const grant = state.kind === 'authenticated' ? grantOf(state.login) : undefined;
  if (grant !== undefined) tokens.keepAlive(grant);

  function grantOf({ grantId, provider, registration, subject, loginAt, expiresAt }: LoginRecord): Grant {
    return { grantId, provider: providers.of(provider, registration), subject, loginAt, expiresAt, confirmedAt: clock.monotonic() };
  }

  function ownGrant(provider?: string): Grant {
    if (state.kind === 'unknown') throw state.error;
    if (provider !== undefined && grant?.provider.name !== provider) throw wrongProvider(provider);
    if (grant === undefined) throw loginRequired();
    return grant;
  }

  /** A login that the authorization server has ended ends here too, at once (THREATS E10). */
  async function endingSession<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof AuthenticationRequiredError && error.code === 'ERR_CODE_FLOW_LOGIN_ENDED') {
        // If the store fails now, the next request finds the grant ended and tries again.
        await session.end().catch(() => undefined);
      }
      throw error;
    }
  }

  return {
    accessToken: async (wish) => endingSession(tokens.accessToken(ownGrant(wish.provider), wish)),
    grantedScope: async () => (await endingSession(tokens.current(ownGrant()))).accessTokens[DEFAULT_RESOURCE]?.scope,
  };
}
