/** What every operation at one authorization server needs. */
import { Configuration, None } from 'openid-client';
import type { Clock } from '../clock.js';
import type { ResolvedProvider } from '../types.js';
import { createDiscovery } from './discovery.js';
import { configurationByHand, createRegistration } from './registration.js';
import { createServerFetch } from './server-fetch.js';
import { createServerKeys, type FindServerKeys } from './server-keys.js';

export interface ProviderDependencies {
  readonly fetch: typeof fetch;
  /** The whole of one operation. */
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
}

export interface Connection {
  readonly options: ResolvedProvider;
  readonly fetch: typeof fetch;
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
  /** openid-client's view of server and registration. Throws ProviderError while the server cannot be found. */
  readonly configuration: () => Promise<Configuration>;
  /** The same with our id alone, for an endpoint that takes no authentication. */
  readonly unauthenticated: (configuration: Configuration) => Configuration;
  /** Its public keys, kept for a while. */
  readonly findKeys: FindServerKeys;
}

/** Sends nothing: the app starts without its authorization server. Throws ConfigurationError. */
export function connect(options: ResolvedProvider, dependencies: ProviderDependencies): Connection {
  const { fetch, httpTimeoutSeconds, clock } = dependencies;
  const serverFetch = createServerFetch(options, dependencies);
  const registration = createRegistration(options, serverFetch);
  return {
    options,
    fetch,
    httpTimeoutSeconds,
    clock,
    configuration: finder(),
    unauthenticated(configuration) {
      const { clientId, metadata, prepare } = registration;
      return prepare(new Configuration(configuration.serverMetadata(), clientId, metadata, None()));
    },
    findKeys: createServerKeys({ name: options.name, serverFetch, httpTimeoutSeconds, clock }),
  };

  function finder(): () => Promise<Configuration> {
    const { issuer, server } = options;
    if (issuer !== undefined) return createDiscovery(issuer, options, registration, { serverFetch, httpTimeoutSeconds, clock });
    if (server === undefined) throw new TypeError('A provider has either an issuer or a server.');
    const configuration = configurationByHand(server as Parameters<typeof configurationByHand>[0], registration);
    return () => Promise.resolve(configuration);
  }
}
