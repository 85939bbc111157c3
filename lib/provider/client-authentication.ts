/** How the app proves itself at the token and revocation endpoints (RFC 6749 §2.3.1, OpenID Connect Core §9). */
import { ClientSecretJwt, ClientSecretPost, None, TlsClientAuth, type ClientAuth, type ServerMetadata } from 'openid-client';
import type { ClientAuthenticationMethod, ResolvedProvider } from '../types.js';
import { privateKeyJwt } from './client-assertion.js';

type Registration = Pick<ResolvedProvider, 'clientId' | 'clientSecret' | 'signingKey' | 'clientAuthentication' | 'basicCredentialsEncoding'>;

/** The configured method, or else the one that the server's metadata allows, looked up when it is needed. */
export function createClientAuthentication(registration: Registration): ClientAuth {
  const { clientSecret, signingKey, clientAuthentication } = registration;
  if (signingKey !== undefined) return privateKeyJwt(signingKey);
  if (clientAuthentication === 'tls_client_auth') return TlsClientAuth();
  if (clientAuthentication === 'none' || clientSecret === undefined) return None();
  const methods: Partial<Record<ClientAuthenticationMethod, ClientAuth>> = {
    client_secret_basic: basic(registration, clientSecret),
    client_secret_post: ClientSecretPost(clientSecret),
    client_secret_jwt: ClientSecretJwt(clientSecret),
  };
  return (server, client, body, headers) => {
    const method = methods[clientAuthentication ?? defaultMethod(server)];
    return method?.(server, client, body, headers); // some are async, whatever their type says: openid-client waits for them
  };
}

/** RFC 8414 §2: a server that does not say takes `client_secret_basic`. */
export function defaultMethod(server: Pick<ServerMetadata, 'token_endpoint_auth_methods_supported'>): ClientAuthenticationMethod {
  const supported: unknown = server.token_endpoint_auth_methods_supported;
  const inOrder = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const;
  const allowed = Array.isArray(supported) ? inOrder.find((method) => supported.includes(method)) : undefined;
  return allowed ?? 'client_secret_basic';
}

/**
 * openid-client form-encodes id and secret, as RFC 6749 §2.3.1 asks, and also encodes `-`, `_` and `.`. Half of the servers that
 * were tried do not decode at all, and so refuse every secret with a hyphen. encodeURIComponent leaves the unreserved characters
 * alone: its output is the same for both kinds of server as long as the secret is ordinary, and those that decode read it right in any case.
 */
const encodings: Record<ResolvedProvider['basicCredentialsEncoding'], (text: string) => string> = {
  percent: encodeURIComponent,
  form: (text) => new URLSearchParams([['', text]]).toString().slice(1),
  raw: (text) => text,
};

function basic({ clientId, basicCredentialsEncoding }: Registration, clientSecret: string): ClientAuth {
  const encode = encodings[basicCredentialsEncoding];
  const credentials = Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64');
  return (_server, _client, _body, headers) => headers.set('authorization', `Basic ${credentials}`);
}
