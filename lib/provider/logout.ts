/** Telling the authorization server that a login is over. */
import { buildEndSessionUrl, tokenRevocation } from 'openid-client';
import type { Connection } from './connection.js';
import { toProviderError } from './provider-errors.js';
import type { EndedTokens, Provider } from './provider.js';
import { runCall, startCall } from './server-call.js';

/** RFC 7009 §2.1. */
export async function revoke(connection: Connection, token: string, hint: 'refresh_token' | 'access_token'): Promise<boolean> {
  const call = startCall('revocation', connection.httpTimeoutSeconds);
  const configuration = await connection.configuration();
  if (configuration.serverMetadata().revocation_endpoint === undefined) return false;
  try {
    await runCall(call, () => tokenRevocation(configuration, token, { token_type_hint: hint }));
    return true;
  } catch (error) {
    throw toProviderError(error, connection.options.name);
  }
}

/** OpenID Connect RP-Initiated Logout §2; openid-client adds the `client_id`. */
export async function endSessionUrl(connection: Connection, request: Parameters<Provider['endSessionUrl']>[0]): Promise<URL | undefined> {
  const { idTokenHint, postLogoutRedirectUri } = request;
  const configuration = await connection.configuration();
  if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
  try {
    return buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: postLogoutRedirectUri,
      ...(idTokenHint === undefined ? {} : { id_token_hint: idTokenHint }),
    });
  } catch (error) {
    throw toProviderError(error, connection.options.name);
  }
}

export async function logout(connection: Connection, tokens: EndedTokens): Promise<void> {
  if (tokens.refreshToken !== undefined) await revoke(connection, tokens.refreshToken, 'refresh_token');
}
