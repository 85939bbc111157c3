/** `codeFlow().grant(grantId)`: a user's tokens for a background job, through the same lock as everybody's. */
import type { Clock } from './clock.js';
import type { Grant, TokenWish, UsableToken } from './grants/grant.js';
import { loginRequired, wrongProvider } from './grants/refresh-outcomes.js';
import type { TokenManager } from './grants/token-manager.js';
import { createOAuthFetch } from './oauth-fetch.js';
import type { OAuthFetch } from './oauth-fetch.js';
import type { Providers } from './provider-registry.js';
import type { ResolvedOptions } from './types.js';

export interface OfflineGrant {
  /** As `req.oauth.getAccessToken()`; rejects with AuthenticationRequiredError once the user has logged out or the grant was ended. */
  getAccessToken(wish?: { resource?: string }): Promise<string>;
  /** As `req.oauthFetch`. */
  fetch: OAuthFetch;
}

interface OfflineGrantSettings {
  options: ResolvedOptions;
  tokens: TokenManager;
  providers: Providers;
  clock: Clock;
}

/**
 * Nothing is read before it is asked for a token.
 * @internal
 */
export function createOfflineGrant({ options, tokens, providers, clock }: OfflineGrantSettings, grantId: string): OfflineGrant {
  async function grant(): Promise<Grant> {
    const login = await tokens.loginOf(grantId);
    if (login === undefined) throw loginRequired();
    const { provider, registration, subject, loginAt, expiresAt } = login;
    return { grantId, provider: providers.of(provider, registration), subject, loginAt, expiresAt, confirmedAt: clock.monotonic() };
  }

  async function accessToken(wish: TokenWish): Promise<UsableToken> {
    const found = await grant();
    if (wish.provider !== undefined && wish.provider !== found.provider.name) throw wrongProvider(wish.provider);
    tokens.keepAlive(found);
    return tokens.accessToken(found, wish);
  }

  return {
    getAccessToken: async (wish) => (await accessToken({ resource: wish?.resource })).token,
    fetch: createOAuthFetch({ apis: options.apis, fetch: options.fetch, accessToken }),
  };
}
