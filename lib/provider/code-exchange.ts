/** From the callback to tokens (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3). */
import { authorizationCodeGrant } from 'openid-client';
import { LoginError } from '../errors.js';
import type { TokenResponse } from '../types.js';
import type { Connection } from './connection.js';
import { translateLoginError } from './login-errors.js';
import type { CodeChecks } from './provider.js';
import { asksForIdToken } from './scope.js';
import { runCall, startCall } from './server-call.js';
import { verifiedTokens } from './verified-tokens.js';

export async function exchangeCode(connection: Connection, callback: URL, checks: CodeChecks): Promise<TokenResponse> {
  const { options, httpTimeoutSeconds } = connection;
  // openid-client takes an empty verifier for "no PKCE" (THREATS A13).
  if (checks.state === '' || checks.nonce === '' || checks.codeVerifier === '') {
    throw new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'The record of the login under way is incomplete. Start the login again.');
  }
  const call = startCall('login', httpTimeoutSeconds);
  const configuration = await connection.configuration();
  try {
    return await runCall(call, async () => {
      const answer = await authorizationCodeGrant(configuration, callback, openidChecks(options.scope, checks));
      return verifiedTokens(answer, call, options);
    });
  } catch (error) {
    throw translateLoginError(error, { name: options.name, call, server: configuration.serverMetadata(), callback, checks });
  }
}

function openidChecks(scope: string, { state, nonce, codeVerifier, maxAgeSeconds }: CodeChecks): Parameters<typeof authorizationCodeGrant>[2] {
  return {
    expectedState: state,
    pkceCodeVerifier: codeVerifier,
    ...(asksForIdToken(scope) ? { expectedNonce: nonce, idTokenExpected: true } : {}),
    ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
  };
}
