/** What every operation at one authorization server needs. */
import { None, customFetch, type Configuration, type ServerMetadata } from 'openid-client';
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
  /** openid-client's view of server and registration. Throws ProviderError while the server cannot be found. */
  readonly configuration: () => Promise<Configuration>;
  /** The same with our id alone, for an endpoint that takes no authentication. */
  readonly unauthenticated: (configuration: Configuration) => Configuration;
  /** Lets openid-client ask with this configuration on behalf of the call: one call at a time. */
  readonly ask: (configuration: Configuration, call: ServerCall) => Configuration;
  /** Its public keys, kept for a while. */
  readonly findKeys: FindServerKeys;
}

/** Sends nothing. */
export function connect(options: ResolvedProvider, dependencies: ProviderDependencies): Connection {
  const { fetch, httpTimeoutSeconds, clock, tell } = dependencies;
  const serverFetch = createServerFetch(options, { fetch: watchClock(options.name, { fetch, clock, tell }), httpTimeoutSeconds, clock });
  const registration = createRegistration(options);
  const findServer = finder();
  return {
    options,
    fetch,
    httpTimeoutSeconds,
    clock,
    configuration,
    ask(configuration, call) {
      configuration[customFetch] = serverFetch(call);
      return configuration;
    },
    unauthenticated: (configuration) => registration.configuration(configuration.serverMetadata(), None()),
    findKeys: createServerKeys({ name: options.name, serverFetch, httpTimeoutSeconds, clock }),
  };

  async function configuration(): Promise<Configuration> {
    const server = await findServer();
    const { issuer } = options;
    return issuer !== undefined && isEntraId(issuer) ? entraIdConfiguration(issuer, server, registration) : registration.configuration(server);
  }

  function finder(): () => Promise<Readonly<ServerMetadata>> {
    const { issuer, server } = options;
    if (issuer !== undefined) return createDiscovery(issuer, options, registration, { serverFetch, httpTimeoutSeconds, clock });
    if (server === undefined) throw new TypeError('A provider has either an issuer or a server.');
    const described = server as unknown as ServerMetadata; // checked by the options
    return () => Promise.resolve(described);
  }
}
