/** What a caller is told when there is no token, and how long the next attempt has to wait. */
import { AuthenticationRequiredError, ProviderError } from '../errors.js';

const MOST_BACK_OFF_MS = 30_000;

/** 1, 2, 4 … 30 s, give or take 20 %; never earlier than the server asked for. */
export function backOffMs(failures: number, retryAfterSeconds: number | undefined): number {
  const growing = Math.min(1000 * 2 ** Math.min(failures, 10), MOST_BACK_OFF_MS) * (0.8 + Math.random() * 0.4);
  return Math.round(Math.max(growing, (retryAfterSeconds ?? 0) * 1000));
}

/** The authorization server refused the refresh token for good. */
export function loginEnded(): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_ENDED', 'the authorization server has ended the login: log in again');
}

/** The grant is not there, or holds nothing to renew the access token with. */
export function loginRequired(): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', 'there is no usable access token: log in again');
}

export function tokenUnavailable(leftMs: number): ProviderError {
  const retryAfterSeconds = Math.max(1, Math.ceil(leftMs / 1000));
  return new ProviderError('ERR_CODE_FLOW_TOKEN_UNAVAILABLE', 503, 'the access token has expired and cannot be renewed right now', {
    retryAfterSeconds,
  });
}
