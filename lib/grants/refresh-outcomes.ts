/** What a caller is told when there is no token, and how long the next attempt has to wait. */
import { backOffMilliseconds } from '../back-off.js';
import { AuthenticationRequiredError, ProviderError } from '../errors.js';
import type { Failure } from './grant-store.js';
import { DEFAULT_RESOURCE } from './token-set.js';

/** Growing with failures in a row; never earlier than the server asked for. */
export function backOffMs(failures: number, retryAfterSeconds: number | undefined): number {
  return Math.round(Math.max(backOffMilliseconds(failures + 1), (retryAfterSeconds ?? 0) * 1000));
}

/** The authorization server refused the refresh token for good. */
export function loginEnded(): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_ENDED', 'the authorization server has ended the login: log in again');
}

/** The grant is not there, or holds nothing to renew the access token with. */
export function loginRequired(): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', 'there is no usable access token: log in again');
}

/** A token of another provider than the one that was asked for is none. */
export function wrongProvider(provider: string): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', `this needs a login at the provider "${provider}"`, { provider });
}

export function tokenUnavailable(leftMs: number): ProviderError {
  const retryAfterSeconds = Math.max(1, Math.ceil(leftMs / 1000));
  return new ProviderError('ERR_CODE_FLOW_TOKEN_UNAVAILABLE', 503, 'the access token has expired and cannot be renewed right now', {
    retryAfterSeconds,
  });
}

/** A doubtful refusal may be about the resource that was asked for: only without one does it count against the login. */
export function refusalOf(certain: boolean, resource: string): Failure {
  if (certain) return 'refused';
  return resource === DEFAULT_RESOURCE ? 'doubtful' : 'resource';
}

/** What is wrong with one resource holds up no token of another. */
export const failureOf = (aboutResource: boolean, resource: string): Failure => (aboutResource && resource !== DEFAULT_RESOURCE ? 'resource' : 'failed');
