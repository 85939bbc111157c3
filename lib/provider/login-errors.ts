/** Why a login did not come about, as an error of ours; see provider-errors.ts for what may be said. */
import { AuthorizationResponseError, type ServerMetadata } from 'openid-client';
import { LoginError, type CodeFlowError } from '../errors.js';
import type { ResolvedProvider } from '../types.js';
import { clockSkew } from './clock-skew.js';
import type { CodeChecks } from './provider.js';
import { codeOf, failureToProviderError, inBrackets, isMetadataError, toProviderError } from './provider-errors.js';
import { answersInFront } from './registration-options.js';
import { requestFailureIn, type RequestFailure } from './request-failure.js';
import type { ServerCall } from './server-call.js';

/** RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, RFC 8707 §2, Unmet Authentication Requirements §3. Nothing else is repeated (THREATS I1). */
const AUTHORIZATION_ERRORS = new Set([
  'invalid_request',
  'unauthorized_client',
  'access_denied',
  'unsupported_response_type',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'account_selection_required',
  'consent_required',
  'invalid_request_uri',
  'invalid_request_object',
  'request_not_supported',
  'request_uri_not_supported',
  'registration_not_supported',
  'invalid_target',
  'unmet_authentication_requirements',
]);

const CLAIMS = new Set(['iss', 'sub', 'aud', 'azp', 'exp', 'nbf', 'iat', 'auth_time', 'nonce', 'c_hash', 's_hash']);

interface FailedLogin {
  readonly options: ResolvedProvider;
  readonly call: ServerCall;
  readonly server: Readonly<ServerMetadata>;
  readonly callback: URL;
  readonly checks: CodeChecks;
}

export function translateLoginError(error: unknown, login: FailedLogin): CodeFlowError {
  const { name } = login.options;
  const failure = requestFailureIn(error);
  if (failure !== undefined) return refusedCode(failure, name) ?? failureToProviderError(failure, name);
  if (isMetadataError(error)) return toProviderError(error, name);
  const { tokens } = login.call;
  if (tokens === undefined) return callbackProblem(error, login);
  if (tokens.idToken === undefined) return noIdToken(name);
  const skew = codeOf(error) === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED' ? clockSkew(name, login.call.clockDifferenceSeconds) : undefined;
  return skew ?? idTokenProblem(error, name);
}

function refusedCode({ request, reason }: RequestFailure, name: string): LoginError | undefined {
  if (request !== 'token' || reason.kind !== 'refusal') return undefined;
  if (reason.verdict !== 'grant' && reason.verdict !== 'probably-grant') return undefined;
  return new LoginError(
    'ERR_CODE_FLOW_CODE_REFUSED',
    `The authorization server "${name}" refused the authorization code with HTTP ${reason.status}${inBrackets(reason.error)}. Start the login again.`,
  );
}

/** Nothing was sent yet. openid-client looks at `iss`, `state` and `error`, in this order, and then at an ID Token that came along. */
function callbackProblem(error: unknown, { options, server, callback, checks }: FailedLogin): CodeFlowError {
  const { name } = options;
  if (error instanceof AuthorizationResponseError) {
    const providerError = AUTHORIZATION_ERRORS.has(error.error) ? error.error : undefined;
    const message = `The authorization server "${name}" did not log the user in${inBrackets(providerError)}.`;
    return new LoginError('ERR_CODE_FLOW_LOGIN_REFUSED', message, providerError === undefined ? {} : { providerError });
  }
  const inFront = answersInFront(options);
  if (!inFront && codeOf(error) !== 'OAUTH_INVALID_RESPONSE' && codeOf(error) !== 'OAUTH_UNSUPPORTED_OPERATION') return toProviderError(error, name);
  const [issuers, states] = [callback.searchParams.getAll('iss'), callback.searchParams.getAll('state')];
  if (!isFrom(issuers, server, inFront)) {
    return new LoginError('ERR_CODE_FLOW_ISSUER_MISMATCH', `The callback does not come from the authorization server "${name}" (RFC 9207).`);
  }
  if (states.length === 1 && states[0] !== checks.state) {
    return new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'The callback answers another login than the one under way. Start the login again.');
  }
  if (inFront && ['state', 'code', 'id_token'].every((parameter) => isOnce(callback, parameter))) return idTokenProblem(error, name);
  return new LoginError('ERR_CODE_FLOW_CALLBACK_INVALID', 'The callback lacks a parameter, has one twice, or has one that does not belong there.');
}

function isOnce({ searchParams }: URL, name: string): boolean {
  return searchParams.getAll(name).length === 1 && searchParams.get(name) !== '';
}

/** RFC 9207 §2.4. The refusal is openid-client's; this only finds its name. More than one is another mistake. An ID Token says it in place of `iss`. */
function isFrom(issuers: readonly string[], server: Readonly<ServerMetadata>, inFront: boolean): boolean {
  const [issuer] = issuers;
  if (issuer === undefined || issuer === '') return inFront || server.authorization_response_iss_parameter_supported !== true;
  return issuers.length > 1 || issuer === server.issuer;
}

function noIdToken(name: string): LoginError {
  return new LoginError(
    'ERR_CODE_FLOW_ID_TOKEN_INVALID',
    `The authorization server "${name}" gave no ID Token, which \`openid\` in the scope and \`max_age\` ask for. If it never gives one, set provider.idToken to false.`,
  );
}

/** Tokens came and were usable, so that only the ID Token is left to be wrong. */
function idTokenProblem(error: unknown, name: string): LoginError {
  const problem = {
    OAUTH_JWT_TIMESTAMP_CHECK_FAILED: 'a time in it is out of range; are the clocks right?',
    OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'a claim is not as expected',
    OAUTH_KEY_SELECTION_FAILED: 'no key of the server fits its signature',
  }[codeOf(error) ?? ''];
  return new LoginError(
    'ERR_CODE_FLOW_ID_TOKEN_INVALID',
    `The ID Token of the authorization server "${name}" is not valid${problem === undefined ? '' : `: ${problem}`}${inBrackets(claimOf(error))}.`,
  );
}

/** The name of the claim that openid-client complains about, never its value. */
function claimOf(error: unknown): string | undefined {
  let current: unknown = error;
  while (typeof current === 'object' && current !== null) {
    const { claim, cause } = current as { claim?: unknown; cause?: unknown };
    if (typeof claim === 'string') return CLAIMS.has(claim) ? claim : undefined;
    current = cause;
  }
  return undefined;
}
