/** What is asked of one authorization server, with openid-client: put together from its parts, and loaded when it is first needed. */
import type { ResolvedProvider } from '../types.js';
import { authorizationUrl } from './authorization-url.js';
import { exchangeCode } from './code-exchange.js';
import { connect, type ProviderDependencies } from './connection.js';
import { verifyLogoutToken } from './logout-token.js';
import { endSessionUrl, logout, revoke } from './logout.js';
import type { AuthorizationServer } from './provider.js';
import { refresh } from './refresh.js';

/** Sends nothing yet. */
export function createAuthorizationServer(options: ResolvedProvider, dependencies: ProviderDependencies): AuthorizationServer {
  const connection = connect(options, dependencies);
  return {
    promisesIssuer: async () => (await connection.server()).authorization_response_iss_parameter_supported === true,
    authorizationUrl: (request) => authorizationUrl(connection, request),
    exchangeCode: (callback, checks) => exchangeCode(connection, callback, checks),
    refresh: (refreshToken, context) => refresh(connection, refreshToken, context),
    revoke: (token, hint) => revoke(connection, token, hint),
    logout: (tokens) => logout(connection, tokens),
    endSessionUrl: (request) => endSessionUrl(connection, request),
    issuer: async () => (await connection.server()).issuer,
    verifyLogoutToken: (token) => verifyLogoutToken(connection, token),
  };
}
