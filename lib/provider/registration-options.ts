/** What the options say of our registration, by themselves: openid-client is not there yet when they are checked. */
import { ConfigurationError } from '../errors.js';
import type { ResolvedProvider } from '../types.js';
import { isMacAlgorithm } from './id-token.js';

/** The registered algorithm, if ID Tokens are signed with the client secret. */
export function macAlgorithm({ clientMetadata }: Pick<ResolvedProvider, 'clientMetadata'>): string | undefined {
  const algorithm = clientMetadata['id_token_signed_response_alg'];
  return isMacAlgorithm(algorithm) ? algorithm : undefined;
}

/** OpenID Connect Core §3.3: there is an ID Token in the authorization response already. */
export function answersInFront({ responseType, responseMode }: Pick<ResolvedProvider, 'responseType' | 'responseMode'>): boolean {
  return responseType === 'code id_token' && responseMode === 'form_post';
}

/** Throws ConfigurationError for what can never work. */
export function checkRegistration({ issuer, clientSecret, clientAuthentication, clientMetadata }: ResolvedProvider): void {
  const algorithm = clientMetadata['id_token_signed_response_alg'];
  if (algorithm !== undefined && (typeof algorithm !== 'string' || algorithm.toLowerCase() === 'none')) {
    throw new ConfigurationError(
      'ERR_CODE_FLOW_OPTION_INVALID',
      'provider.clientMetadata.id_token_signed_response_alg must name a signature algorithm, such as "RS256". Unsigned ID Tokens are never accepted.',
    );
  }
  const needsSecret = isMacAlgorithm(algorithm)
    ? `id_token_signed_response_alg "${algorithm}"`
    : clientAuthentication?.startsWith('client_secret_') === true && `clientAuthentication "${clientAuthentication}"`;
  if (needsSecret !== false && clientSecret === undefined) {
    throw new ConfigurationError('ERR_CODE_FLOW_OPTION_MISSING', `provider.clientSecret is missing: ${needsSecret} needs it.`);
  }
  if (issuer?.pathname.includes('/.well-known/') === true) {
    // openid-client would take the document's word for the issuer then.
    throw new ConfigurationError(
      'ERR_CODE_FLOW_OPTION_INVALID',
      `provider.issuer is "${issuer.href}", the address of a metadata document. Write the issuer itself: what stands before "/.well-known/".`,
    );
  }
}
