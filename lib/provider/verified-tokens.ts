/** The tokens of an answer that openid-client has accepted, after the checks that it leaves out. */
import type { authorizationCodeGrant } from 'openid-client';
import type { ResolvedProvider, TokenResponse } from '../types.js';
import { hasForeignAccessToken, hasValidMac } from './id-token.js';
import { macAlgorithm } from './registration-options.js';
import type { ServerCall } from './server-call.js';

type Answer = Awaited<ReturnType<typeof authorizationCodeGrant>>;

/** Throws where the ID Token should be signed with the client secret, and is not, and where the access token is not its own. */
export function verifiedTokens(answer: Answer, call: ServerCall, options: ResolvedProvider): TokenResponse {
  const { tokens } = call;
  if (tokens === undefined) throw new Error('openid-client accepted an answer that never came.');
  const claims = answer.claims();
  if (claims === undefined || tokens.idToken === undefined) return tokens;
  const algorithm = macAlgorithm(options);
  if (algorithm !== undefined && !hasValidMac(tokens.idToken, algorithm, options.clientSecret ?? '')) {
    throw new Error('The ID Token is not signed with the client secret.');
  }
  if (hasForeignAccessToken(tokens.idToken, claims, tokens.accessToken)) throw new Error('The ID Token was made for another access token.');
  return { ...tokens, claims: { ...claims } };
}
