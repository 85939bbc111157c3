/** What every operation at one authorization server needs. */
import { customFetch, type ClientAuth, type Configuration, type ServerMetadata } from 'openid-client';
import type { Clock } from '../clock.js';
import type { ResolvedProvider } from '../types.js';
import type { TellProblem } from '../problems.js';
import { watchClock } from './clock-skew.js';
import { createDiscovery } from './discovery.js';
import { entraIdConfiguration, isEntraId } from './entra-id.js';
import { createRegistration } from './registration.js';
import type { ServerCall } from './server-call.js';
import { createServerFetch } from './server-fetch.js';
import { createServerKeys, type FindServerKeys } from './server-keys.js';

export interface ProviderDependencies {
  readonly fetch: typeof fetch;
  /** The whole of one operation. */
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
  /** Hears of clocks that differ. */
  readonly tell?: TellProblem;
}

export interface Connection {
  readonly options: ResolvedProvider;
  readonly fetch: typeof fetch;
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
  /** What is known of the server. Throws ProviderError while it cannot be found, as do the next two. */
  readonly server: () => Promise<Readonly<ServerMetadata>>;
  /** openid-client's view of server and registration, for what sends nothing: all share it. */
  readonly configuration: () => Promise<Configuration>;
  /** One of the call's own, with which openid-client asks on its behalf. `authentication`: other than the registration's. */
  readonly configurationFor: (call: ServerCall, authentication?: ClientAuth) => Promise<Configuration>;
  /** Its public keys, kept for a while. */
  readonly findKeys: FindServerKeys;
}

/** Sends nothing. */
export function connect(options: ResolvedProvider, dependencies: ProviderDependencies): Connection {
  const { fetch, httpTimeoutSeconds, clock, tell } = dependencies;
  const serverFetch = createServerFetch(options, { fetch: watchClock(options.name, { fetch, clock, tell }), httpTimeoutSeconds, clock });
  const registration = createRegistration(options);
  const server = finder();
  let shared: Configuration | undefined;
  return {
    options,
    fetch,
    httpTimeoutSeconds,
    clock,
    server,
    configuration: async () => (shared ??= await newConfiguration()),
    async configurationFor(call, authentication) {
      const configuration = await newConfiguration(authentication);
      configuration[customFetch] = serverFetch(call);
      return configuration;
    },
    findKeys: createServerKeys({ name: options.name, serverFetch, httpTimeoutSeconds, clock }),
  };

  async function newConfiguration(authentication?: ClientAuth): Promise<Configuration> {
    const { issuer } = options;
    const found = await server();
    return issuer !== undefined && isEntraId(issuer)
      ? entraIdConfiguration(issuer, found, registration, authentication)
      : registration.configuration(found, authentication);
  }

  function finder(): () => Promise<Readonly<ServerMetadata>> {
    const { issuer } = options;
    if (issuer !== undefined) return createDiscovery(issuer, options, registration, { serverFetch, httpTimeoutSeconds, clock });
    if (options.server === undefined) throw new TypeError('A provider has either an issuer or a server.');
    const described = options.server as unknown as ServerMetadata; // checked by the options
    return () => Promise.resolve(described);
  }
}
