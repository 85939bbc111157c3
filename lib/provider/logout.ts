/** Telling the authorization server that a login is over. */
import { None, buildEndSessionUrl, tokenRevocation } from 'openid-client';
import { createBearerFetch } from './bearer-fetch.js';
import type { Connection } from './connection.js';
import { functionFailed } from './login-claims.js';
import { toProviderError } from './provider-errors.js';
import type { EndedTokens, Provider } from './provider.js';
import { runCall, startCall } from './server-call.js';

/** RFC 7009 §2.1. */
export async function revoke(connection: Connection, token: string, hint: 'refresh_token' | 'access_token'): Promise<boolean> {
  if (connection.options.revocation !== hint) return false;
  const call = startCall('revocation', connection.httpTimeoutSeconds);
  const server = await connection.server();
  if (server.revocation_endpoint === undefined) return false;
  // Where no authentication is taken, our id alone says who asks.
  const authentication = takesNoAuthentication(server.revocation_endpoint_auth_methods_supported) ? None() : undefined;
  const configuration = await connection.configurationFor(call, authentication);
  try {
    await runCall(call, () => tokenRevocation(configuration, token, { token_type_hint: hint }));
    return true;
  } catch (error) {
    throw toProviderError(error, connection.options.name);
  }
}

/** Many servers and proxies refuse a request line of more than 8 KB. An ID Token full of groups makes one; the `client_id` then has to do. */
const LONGEST_URL = 8000;

/** OpenID Connect RP-Initiated Logout §2; openid-client adds the `client_id`. */
export async function endSessionUrl(connection: Connection, request: Parameters<Provider['endSessionUrl']>[0]): Promise<URL | undefined> {
  const { idTokenHint, postLogoutRedirectUri } = request;
  if ((await connection.server()).end_session_endpoint === undefined) return undefined;
  const configuration = await connection.configuration();
  try {
    const parameters = { post_logout_redirect_uri: postLogoutRedirectUri };
    const withoutHint = buildEndSessionUrl(configuration, parameters);
    if (idTokenHint === undefined) return withoutHint;
    const url = buildEndSessionUrl(configuration, { ...parameters, id_token_hint: idTokenHint });
    return url.href.length > LONGEST_URL ? withoutHint : url;
  } catch (error) {
    throw toProviderError(error, connection.options.name);
  }
}

/** The server's own logout call first: it needs an access token that has not been revoked. */
export async function logout(connection: Connection, tokens: EndedTokens): Promise<void> {
  const { endSession, revocation } = connection.options;
  const token = { refresh_token: tokens.refreshToken, access_token: tokens.accessToken };
  const failures: unknown[] = [];
  if (endSession !== undefined) await callEndSession(connection, tokens).catch((error: unknown) => failures.push(error));
  if (revocation !== false && token[revocation] !== undefined) {
    await revoke(connection, token[revocation], revocation).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function callEndSession(connection: Connection, { accessToken, idToken }: EndedTokens): Promise<void> {
  const { options, httpTimeoutSeconds } = connection;
  const call = startCall('end-session', httpTimeoutSeconds);
  const fetch = createBearerFetch(connection, call, accessToken);
  await runCall(call, async () => options.endSession?.({ accessToken, idToken, fetch })).catch((error: unknown) => {
    throw functionFailed(error, options.name, 'endSession');
  });
}

/** RFC 8414 §2: `revocation_endpoint_auth_methods_supported`. */
function takesNoAuthentication(methods: readonly string[] | undefined): boolean {
  return methods?.length === 1 && methods[0] === 'none';
}
