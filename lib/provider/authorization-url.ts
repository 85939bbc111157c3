/** The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1). */
import { hash } from 'node:crypto';
import { buildAuthorizationUrl } from 'openid-client';
import type { Connection } from './connection.js';
import { PROTOCOL_PARAMETERS } from '../protocol-parameters.js';
import { toProviderError } from './provider-errors.js';
import type { Provider } from './provider.js';

export async function authorizationUrl(
  { options, configuration }: Connection,
  request: Parameters<Provider['authorizationUrl']>[0],
): Promise<URL> {
  const server = await configuration();
  const parameters = new URLSearchParams({ ...options.authorizationParams, ...request.parameters });
  // Ours win over any request's and any option's: state, PKCE and redirect_uri are what holds the login together (THREATS A16).
  for (const name of PROTOCOL_PARAMETERS.keys()) parameters.delete(name);
  parameters.set('response_type', options.responseType);
  // The default is not written out: servers without response modes may refuse the word.
  if (options.responseMode === 'form_post') parameters.set('response_mode', 'form_post');
  parameters.set('client_id', options.clientId);
  parameters.set('redirect_uri', request.redirectUri);
  if (options.scope !== '') parameters.set('scope', options.scope);
  parameters.set('state', request.state);
  if (options.idToken === true) parameters.set('nonce', request.nonce);
  // openid-client's own goes by way of another thread, which takes longer than the hash.
  parameters.set('code_challenge', hash('sha256', request.codeVerifier, 'base64url'));
  parameters.set('code_challenge_method', 'S256');
  try {
    return buildAuthorizationUrl(server, parameters);
  } catch (error) {
    throw toProviderError(error, options.name);
  }
}
