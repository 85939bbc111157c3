/** Redeeming a refresh token (RFC 6749 §6, OpenID Connect Core §12). */
import { refreshTokenGrant } from 'openid-client';
import type { ProviderError } from '../errors.js';
import type { TokenResponse } from '../types.js';
import type { Connection } from './connection.js';
import { isForeign, readClaims } from './id-token.js';
import { responseInvalid, toProviderError } from './provider-errors.js';
import type { RefreshContext, RefreshOutcome } from './provider.js';
import { isAboutResource } from './refusal.js';
import { requestFailureIn, type Refusal } from './request-failure.js';
import { runCall, startCall } from './server-call.js';
import { verifiedTokens } from './verified-tokens.js';

export async function refresh(connection: Connection, refreshToken: string, context: RefreshContext): Promise<RefreshOutcome> {
  const { options, httpTimeoutSeconds } = connection;
  const call = startCall('refresh', httpTimeoutSeconds, context.deadline);
  let issuer = '';
  try {
    ({ issuer } = await connection.server());
    const configuration = await connection.configurationFor(call);
    const tokens = await runCall(call, async () => {
      const answer = await refreshTokenGrant(configuration, refreshToken, grantParameters(context));
      return verifiedTokens(answer, call, options);
    });
    return foreign(tokens) ?? { kind: 'tokens', tokens };
  } catch (error) {
    if (call.tokens === undefined) return notRefreshed(error, options.name, context);
    return foreign(call.tokens) ?? unverified(call.tokens, error, options.name);
  }

  /** The outcome if the tokens are somebody else's: decided by the claims alone, whether or not the signature could be checked. */
  function foreign({ idToken, refreshToken: newRefreshToken }: TokenResponse): RefreshOutcome | undefined {
    const fresh = readClaims(idToken);
    if (fresh === undefined || !isForeign(fresh, readClaims(context.idToken), { issuer, clientId: options.clientId })) return undefined;
    return { kind: 'foreign', refreshToken: newRefreshToken };
  }
}

function grantParameters({ resource, scope }: RefreshContext): Record<string, string> {
  return { ...(resource === undefined ? {} : { resource }), ...(scope === undefined ? {} : { scope }) };
}

function notRefreshed(error: unknown, name: string, { resource }: RefreshContext): RefreshOutcome {
  const refusal = refusalIn(error);
  const verdict = refusal?.verdict;
  if (verdict === 'grant' || verdict === 'probably-grant') return { kind: 'refused', certain: verdict === 'grant' };
  const failed = { kind: 'failed', error: toProviderError(error, name), retryAfterSeconds: refusal?.retryAfterSeconds } as const;
  // A server that is busy is left alone, whatever it says besides.
  return resource !== undefined && verdict === 'client' && isAboutResource(refusal?.error) ? { ...failed, aboutResource: true } : failed;
}

/** The ID Token, which nobody vouches for, is left out; the rotated refresh token is kept (THREATS E17). */
function unverified({ idToken: _unchecked, ...tokens }: TokenResponse, error: unknown, name: string): RefreshOutcome {
  return { kind: 'unverified', tokens, error: idTokenError(error, name), retryAfterSeconds: refusalIn(error)?.retryAfterSeconds };
}

function refusalIn(error: unknown): Refusal | undefined {
  const reason = requestFailureIn(error)?.reason;
  return reason?.kind === 'refusal' ? reason : undefined;
}

function idTokenError(error: unknown, name: string): ProviderError {
  if (requestFailureIn(error) !== undefined) return toProviderError(error, name);
  return responseInvalid(`The refreshed ID Token of the authorization server "${name}" is not valid or cannot be checked.`);
}
