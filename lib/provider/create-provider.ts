/** Puts an authorization server together from its parts. */
import type { ResolvedProvider } from '../types.js';
import { authorizationUrl } from './authorization-url.js';
import { exchangeCode } from './code-exchange.js';
import { connect, type ProviderDependencies } from './connection.js';
import { verifyLogoutToken } from './logout-token.js';
import { endSessionUrl, logout, revoke } from './logout.js';
import type { Provider } from './provider.js';
import { refresh } from './refresh.js';

/** Sends nothing yet. Throws ConfigurationError for options that can never work. */
export function createProvider(options: ResolvedProvider, deps: ProviderDependencies): Provider {
  const connection = connect(options, deps);
  return {
    name: options.name,
    responseMode: options.responseMode,
    callbackPath: options.callbackPath,
    scope: options.scope,
    promisesIssuer: async () => (await connection.server()).authorization_response_iss_parameter_supported === true,
    authorizationUrl: (request) => authorizationUrl(connection, request),
    exchangeCode: (callback, checks) => exchangeCode(connection, callback, checks),
    refresh: (refreshToken, context) => refresh(connection, refreshToken, context),
    revoke: (token, hint) => revoke(connection, token, hint),
    logout: (tokens) => logout(connection, tokens),
    endSessionUrl: (request) => endSessionUrl(connection, request),
    mayBe: (issuer) => withoutSlash(issuer) === withoutSlash(options.issuer?.href ?? options.server?.issuer ?? ''),
    issuer: async () => (await connection.server()).issuer,
    verifyLogoutToken: (token) => verifyLogoutToken(connection, token),
  };
}

/** A URL object of an origin alone has a slash that servers do not write. */
const withoutSlash = (issuer: string): string => issuer.replace(/\/$/, '');
