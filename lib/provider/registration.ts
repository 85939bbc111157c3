/** Our registration at the authorization server, as openid-client wants it. */
import {
  Configuration,
  allowInsecureRequests,
  customFetch,
  enableNonRepudiationChecks,
  useCodeIdTokenResponseType,
  type ClientAuth,
  type ClientMetadata,
  type CustomFetch,
  type ServerMetadata,
} from 'openid-client';
import type { ResolvedProvider } from '../types.js';
import { isLoopback } from '../urls.js';
import { createClientAuthentication } from './client-authentication.js';
import { answersInFront, macAlgorithm } from './registration-options.js';

export interface Registration {
  readonly clientId: string;
  readonly metadata: Partial<ClientMetadata>;
  readonly authentication: ClientAuth;
  /**
   * Each operation that sends has a new one, which gets the fetch of its call: openid-client then remembers no keys, and asks our fetch, which
   * knows when to renew them.
   */
  readonly configuration: (server: Readonly<ServerMetadata>, authentication?: ClientAuth) => Configuration;
  /** Tells a configuration that was made elsewhere what ours are told. */
  readonly prepare: (configuration: Configuration) => Configuration;
}

export function createRegistration(options: ResolvedProvider): Registration {
  const { clientId } = options;
  // Registered metadata is JSON (RFC 7591 §2). The id is the option's, and no secret lies about in the metadata.
  const metadata = {
    ...(options.clientMetadata as Partial<ClientMetadata>),
    client_id: clientId,
    // RFC 8705 §5: the endpoints that ask for a certificate may lie elsewhere.
    ...(options.clientAuthentication === 'tls_client_auth' ? { use_mtls_endpoint_aliases: true } : {}),
  };
  const own = createClientAuthentication(options);

  function prepare(configuration: Configuration): Configuration {
    configuration[customFetch] = onBehalfOfNobody;
    configuration.timeout = undefined; // the fetch of the call bounds the time

    // Marked as deprecated by openid-client to make it stand out; `allowHttp` says: loopback, or dangerouslyAllowHttp.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    if (options.allowHttp) allowInsecureRequests(configuration);
    if (macAlgorithm(options) === undefined && !isVouchedForByTls(options)) enableNonRepudiationChecks(configuration);
    if (answersInFront(options)) useCodeIdTokenResponseType(configuration);
    return configuration;
  }

  return {
    clientId,
    metadata,
    authentication: own,
    configuration: (server, authentication = own) => prepare(new Configuration(server, clientId, metadata, authentication)),
    prepare,
  };
}

/** A mistake of ours: without a call there is no deadline. */
const onBehalfOfNobody: CustomFetch = () => Promise.reject(new Error('A request to the authorization server outside of a call.'));

/**
 * A server that is described by hand without its keys: then its ID Tokens, which come from the token endpoint alone, are as good as the
 * connection that they come by (OpenID Connect Core §3.1.3.7, point 6). Discovered metadata always have keys.
 */
function isVouchedForByTls({ issuer, server }: ResolvedProvider): boolean {
  if (issuer !== undefined || server?.jwks_uri !== undefined || server?.token_endpoint === undefined) return false;
  const url = new URL(server.token_endpoint);
  return url.protocol === 'https:' || isLoopback(url);
}
