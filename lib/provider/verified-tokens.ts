/** The tokens of an answer that openid-client has accepted, after the one check that it leaves out. */
import type { authorizationCodeGrant } from 'openid-client';
import type { ResolvedProvider, TokenResponse } from '../types.js';
import { hasValidMac } from './id-token.js';
import { macAlgorithm } from './registration.js';
import type { ServerCall } from './server-call.js';

type Answer = Awaited<ReturnType<typeof authorizationCodeGrant>>;

/** Throws where the ID Token is signed with the client secret, and is not. */
export function verifiedTokens(answer: Answer, call: ServerCall, options: ResolvedProvider): TokenResponse {
  const { tokens } = call;
  if (tokens === undefined) throw new Error('openid-client accepted an answer that never came.');
  const claims = answer.claims();
  if (claims === undefined || tokens.idToken === undefined) return tokens;
  const algorithm = macAlgorithm(options);
  if (algorithm !== undefined && !hasValidMac(tokens.idToken, algorithm, options.clientSecret ?? '')) {
    throw new Error('The ID Token is not signed with the client secret.');
  }
  return { ...tokens, claims: { ...claims } };
}
