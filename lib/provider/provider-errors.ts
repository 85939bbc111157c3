/**
 * From what went wrong to an error of ours. The errors of openid-client carry whole token answers in their `cause`, so they end
 * here: only the name of the provider, the request, the HTTP status, registered error codes and names of claims go on.
 */
import { ProviderError } from '../errors.js';
import { requestFailureIn, type RequestFailure, type RequestKind } from './request-failure.js';

const RETRY_AFTER_SECONDS = 5;

const REQUEST_NAMES: Record<RequestKind, string> = {
  discovery: 'the request for its metadata',
  token: 'the token request',
  keys: 'the request for its signing keys',
  userinfo: 'the UserInfo request',
  identity: 'the request of the option provider.identity',
  revocation: 'the revocation request',
  'end-session': 'the request of the option provider.endSession',
};

/** What openid-client says of metadata that lacks an endpoint or has one that must not be used. */
const METADATA_CODES = new Set([
  'OAUTH_MISSING_SERVER_METADATA',
  'OAUTH_INVALID_SERVER_METADATA',
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_REQUEST_PROTOCOL_FORBIDDEN',
]);

export function failureToProviderError(failure: RequestFailure, name: string): ProviderError {
  const request = REQUEST_NAMES[failure.request];
  const { reason } = failure;
  switch (reason.kind) {
    case 'timeout':
      return new ProviderError(
        'ERR_CODE_FLOW_PROVIDER_TIMEOUT',
        504,
        `The authorization server "${name}" did not answer ${request} in time (option httpTimeoutSeconds).`,
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    case 'network':
      return unavailable(`The authorization server "${name}" could not be reached for ${request}, or hung up.`);
    case 'unusable':
      return responseInvalid(`The authorization server "${name}" answered ${request} with ${reason.what}.`);
    case 'refusal': {
      const answer = `The authorization server "${name}" answered ${request} with HTTP ${reason.status}${inBrackets(reason.error)}.`;
      if (reason.verdict === 'unavailable') return unavailable(answer, reason.retryAfterSeconds);
      return reason.verdict === 'client'
        ? new ProviderError('ERR_CODE_FLOW_CLIENT_REFUSED', 502, `${answer} ${adviceFor(reason.error)}`)
        : responseInvalid(answer);
    }
  }
}

function adviceFor(error: string | undefined): string {
  // RFC 8707 §2
  if (error === 'invalid_target') return 'Check apis[].resource.';
  return 'Check clientId, clientSecret, clientAuthentication and scope.';
}

/** For operations that know no user's mistakes: every error is the server's. */
export function toProviderError(error: unknown, name: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const failure = requestFailureIn(error);
  if (failure !== undefined) return failureToProviderError(failure, name);
  if (isMetadataError(error)) {
    return responseInvalid(
      `The metadata of the authorization server "${name}" lacks an endpoint that is needed here, or has one that is no https URL.`,
    );
  }
  return responseInvalid(`The answer of the authorization server "${name}" could not be understood.`);
}

export function translateDiscoveryError(error: unknown, name: string, issuer: URL): ProviderError {
  if (codeOf(error) === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
    return responseInvalid(
      `The metadata of the authorization server "${name}" is for another issuer: "${issuer.href}" was expected. ` +
        'Write provider.issuer as the server writes it, to the last slash.',
    );
  }
  const reason = requestFailureIn(error)?.reason;
  if (reason?.kind === 'refusal' && reason.status === 404) {
    return responseInvalid(
      `The authorization server "${name}" has no metadata for the issuer "${issuer.href}" (HTTP 404). ` +
        'Check provider.issuer, or describe the server in provider.server.',
    );
  }
  return toProviderError(error, name);
}

export function responseInvalid(message: string): ProviderError {
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', 502, message);
}

export function isMetadataError(error: unknown): boolean {
  return METADATA_CODES.has(codeOf(error) ?? '');
}

export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

export function inBrackets(text: string | undefined): string {
  return text === undefined ? '' : ` (${text})`;
}

function unavailable(message: string, retryAfterSeconds = RETRY_AFTER_SECONDS): ProviderError {
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, message, { retryAfterSeconds });
}
