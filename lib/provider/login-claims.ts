/** Who logged in: the ID Token's claims, with what UserInfo or the option `identity` adds. */
import { fetchUserInfo, skipSubjectCheck } from 'openid-client';
import { CodeFlowError, LoginError } from '../errors.js';
import type { Claims, TokenResponse } from '../types.js';
import { createBearerFetch } from './bearer-fetch.js';
import type { Connection } from './connection.js';
import { codeOf, failureToProviderError, responseInvalid, toProviderError } from './provider-errors.js';
import { requestFailureIn } from './request-failure.js';
import { callWithin, runCall, type ServerCall } from './server-call.js';
import { isJsonObject } from './token-answer.js';

/** The same tokens, with claims as far as anybody knows them. The ID Token's own are proven and win. */
export async function withClaims(connection: Connection, call: ServerCall, tokens: TokenResponse): Promise<TokenResponse> {
  const { userInfo, identity } = connection.options;
  if (!userInfo && identity === undefined) return tokens;
  const found = userInfo ? await userInfoClaims(connection, call, tokens) : await identityClaims(connection, call, tokens);
  return found === undefined ? tokens : { ...tokens, claims: { ...found, ...tokens.claims } };
}

/** OpenID Connect Core §5.3.2: with an ID Token, both must name the same subject. */
async function userInfoClaims({ options, configurationFor }: Connection, call: ServerCall, { accessToken, claims }: TokenResponse): Promise<Claims> {
  try {
    // Marked as deprecated by openid-client to make it stand out: without an ID Token there is no subject to compare with.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const subject = claims?.sub ?? skipSubjectCheck;
    const asking = callWithin(call, 'userinfo');
    const configuration = await configurationFor(asking);
    return await runCall(asking, () => fetchUserInfo(configuration, accessToken, subject));
  } catch (error) {
    if (codeOf(error) === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
      throw new LoginError('ERR_CODE_FLOW_SUBJECT_MISMATCH', `The UserInfo endpoint of the authorization server "${options.name}" names another user than the ID Token.`);
    }
    throw toProviderError(error, options.name);
  }
}

async function identityClaims(connection: Connection, call: ServerCall, { accessToken }: TokenResponse): Promise<Claims | undefined> {
  const { identity, name } = connection.options;
  const context = { fetch: createBearerFetch(connection, call, accessToken) };
  const found: unknown = await runCall(call, async () => identity?.(call.answer ?? {}, context)).catch((error: unknown) => {
    throw functionFailed(error, name, 'identity');
  });
  if (found === undefined) return undefined;
  if (!isJsonObject(found) || typeof found['sub'] !== 'string' || found['sub'] === '') {
    throw responseInvalid(`The option provider.identity of "${name}" made claims without a \`sub\`, which has to be a string that is not empty. Return undefined for a user who is not known.`);
  }
  return found as Claims;
}

/** The app's own function. Its error may quote the tokens that it was given: only the kind of error is told. */
export function functionFailed(error: unknown, name: string, option: 'identity' | 'endSession'): CodeFlowError {
  if (error instanceof CodeFlowError) return error;
  const failure = requestFailureIn(error);
  if (failure !== undefined) return failureToProviderError(failure, name);
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  return responseInvalid(`The option provider.${option} of "${name}" threw (${kind}).`);
}
