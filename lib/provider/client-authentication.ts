/** How the app proves itself at the token and revocation endpoints (RFC 6749 §2.3.1, OpenID Connect Core §9). */
import { ClientSecretPost, None, type ClientAuth, type ServerMetadata } from 'openid-client';
import type { ClientAuthenticationMethod, ResolvedProvider } from '../types.js';

type Registration = Pick<ResolvedProvider, 'clientId' | 'clientSecret' | 'clientAuthentication'>;

/** The configured method, or else the one that the server's metadata allows, looked up when it is needed. */
export function createClientAuthentication(registration: Registration): ClientAuth {
  const { clientId, clientSecret } = registration;
  if (clientSecret === undefined) return None();
  const methods: Record<ClientAuthenticationMethod, ClientAuth> = {
    client_secret_basic: basic(clientId, clientSecret),
    client_secret_post: ClientSecretPost(clientSecret),
    none: None(),
  };
  return (server, client, body, headers) => {
    methods[registration.clientAuthentication ?? defaultMethod(server)](server, client, body, headers);
  };
}

/** RFC 8414 §2: a server that does not say takes `client_secret_basic`. */
export function defaultMethod(server: Pick<ServerMetadata, 'token_endpoint_auth_methods_supported'>): ClientAuthenticationMethod {
  const supported: unknown = server.token_endpoint_auth_methods_supported;
  if (!Array.isArray(supported) || supported.includes('client_secret_basic')) return 'client_secret_basic';
  return supported.includes('client_secret_post') ? 'client_secret_post' : 'client_secret_basic';
}

/**
 * openid-client form-encodes id and secret, as RFC 6749 §2.3.1 asks, and also encodes `-`, `_` and `.`. Half of the servers that
 * were tried do not decode at all, and so refuse every secret with a hyphen. encodeURIComponent leaves the unreserved characters
 * alone: its output is the same for both kinds of server as long as the secret is ordinary, and those that decode read it right in any case.
 */
function basic(clientId: string, clientSecret: string): ClientAuth {
  const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
  return (_server, _client, _body, headers) => headers.set('authorization', `Basic ${credentials}`);
}
