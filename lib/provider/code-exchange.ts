/** From the callback to tokens (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3). */
import { authorizationCodeGrant, type IDToken } from 'openid-client';
import { LoginError } from '../errors.js';
import type { ResolvedProvider, TokenResponse } from '../types.js';
import { checkIssueTime } from './clock-skew.js';
import type { Connection } from './connection.js';
import { readClaims } from './id-token.js';
import { withClaims } from './login-claims.js';
import { translateLoginError } from './login-errors.js';
import type { CodeChecks } from './provider.js';
import { answersInFront } from './registration-options.js';
import { runCall, startCall } from './server-call.js';
import type { JsonObject } from './token-answer.js';
import { verifiedTokens } from './verified-tokens.js';

export async function exchangeCode(connection: Connection, callback: URL, checks: CodeChecks): Promise<TokenResponse> {
  const { options, httpTimeoutSeconds } = connection;
  // openid-client takes an empty or a missing verifier for "no PKCE" (THREATS A13).
  if ([checks.state, checks.nonce, checks.codeVerifier].some((value) => typeof value !== 'string' || value === '')) {
    throw new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'The record of the login under way is incomplete. Start the login again.');
  }
  const call = startCall('login', httpTimeoutSeconds);
  const server = await connection.server();
  const configuration = await connection.configurationFor(call);
  const inFront = answersInFront(options);
  const frontIdToken = inFront ? (callback.searchParams.get('id_token') ?? undefined) : undefined;
  if (frontIdToken !== undefined) call.frontIdToken = frontIdToken;
  const tokens = await runCall(call, async () => {
    const answer = await authorizationCodeGrant(configuration, inFront ? withFragment(callback) : callback, openidChecks(options, checks));
    if (inFront) checkSameUser(readClaims(frontIdToken), answer.claims());
    return verifiedTokens(answer, call, options);
  }).catch((error: unknown) => {
    throw translateLoginError(error, { options, call, server, callback, checks });
  });
  checkIssueTime(tokens.claims, options.name);
  return withClaims(connection, call, tokens);
}

/** openid-client reads a hybrid answer in the fragment, which is where it is when no form_post brings it. */
function withFragment(callback: URL): URL {
  const url = new URL(callback);
  url.hash = url.search.slice(1);
  url.search = '';
  return url;
}

/** OpenID Connect Core §3.3.3.6: the ID Token of the authorization response and that of the token response name one user. */
function checkSameUser(front: JsonObject | undefined, back: IDToken | undefined): void {
  if (front?.['iss'] !== back?.iss || front?.['sub'] !== back?.sub) throw new Error('The two ID Tokens are not of the same user.');
}

function openidChecks({ idToken }: ResolvedProvider, { state, nonce, codeVerifier, maxAgeSeconds }: CodeChecks): Parameters<typeof authorizationCodeGrant>[2] {
  return {
    expectedState: state,
    pkceCodeVerifier: codeVerifier,
    ...(idToken === true ? { expectedNonce: nonce, idTokenExpected: true } : {}),
    ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
  };
}
