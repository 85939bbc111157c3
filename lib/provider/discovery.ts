/** Finding the authorization server's metadata: at the first use, once for all who wait, again after a failure. */
import { allowInsecureRequests, customFetch, discovery, type Configuration, type ServerMetadata } from 'openid-client';
import type { Clock } from '../clock.js';
import { ProviderError } from '../errors.js';
import type { ResolvedProvider } from '../types.js';
import { backOffMilliseconds } from '../back-off.js';
import { metadataProblem } from './metadata.js';
import { translateDiscoveryError } from './provider-errors.js';
import type { Registration } from './registration.js';
import { requestFailureIn } from './request-failure.js';
import { runCall, startCall } from './server-call.js';
import type { ServerFetch } from './server-fetch.js';

interface DiscoveryDependencies {
  readonly serverFetch: ServerFetch;
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
}

/** A failure is never kept as an answer (THREATS J1), but for the time of a back-off callers get it at once instead of asking again. */
export function createDiscovery(
  issuer: URL,
  options: ResolvedProvider,
  registration: Registration,
  dependencies: DiscoveryDependencies,
): () => Promise<Readonly<ServerMetadata>> {
  const { clock } = dependencies;
  let found: Readonly<ServerMetadata> | undefined;
  let inFlight: Promise<Readonly<ServerMetadata>> | undefined;
  let last: { failures: number; error: ProviderError; notBefore: number } | undefined;

  async function attempt(): Promise<Readonly<ServerMetadata>> {
    try {
      found = await discover(issuer, options, registration, dependencies);
      return found;
    } catch (cause) {
      const error = translateDiscoveryError(cause, options.name, issuer);
      const failures = (last?.failures ?? 0) + 1;
      last = { failures, error, notBefore: clock.monotonic() + backOffMilliseconds(failures) };
      throw error;
    } finally {
      inFlight = undefined;
    }
  }

  return async function serverMetadata() {
    if (found !== undefined) return found;
    if (inFlight !== undefined) return inFlight;
    const wait = last === undefined ? 0 : last.notBefore - clock.monotonic();
    if (last !== undefined && wait > 0) throw stillFailing(last.error, options.name, wait);
    inFlight = attempt();
    return inFlight;
  };
}

/** OpenID Connect Discovery §4; for a server without it, RFC 8414 §3. Both within one deadline. */
async function discover(
  issuer: URL,
  options: ResolvedProvider,
  registration: Registration,
  { serverFetch, httpTimeoutSeconds }: DiscoveryDependencies,
): Promise<Readonly<ServerMetadata>> {
  const { clientId, metadata, authentication } = registration;
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in registration.ts
  const execute = options.allowHttp ? [allowInsecureRequests] : [];
  const call = startCall('discovery', httpTimeoutSeconds);
  const ask = (algorithm: 'oidc' | 'oauth2'): Promise<Configuration> =>
    discovery(issuer, clientId, metadata, authentication, { algorithm, execute, [customFetch]: serverFetch(call) });

  const configuration = await runCall(call, () =>
    ask('oidc').catch((error: unknown) => {
      if (isNotFound(error)) return ask('oauth2');
      throw error;
    }),
  );
  const server = configuration.serverMetadata();
  const problem = metadataProblem(server, options.allowHttp);
  if (problem !== undefined) throw problem;
  return server;
}

function isNotFound(error: unknown): boolean {
  const reason = requestFailureIn(error)?.reason;
  return reason?.kind === 'refusal' && reason.status === 404;
}

/** A mistake in the configuration keeps its own words, so that reloading the page does not hide it. */
function stillFailing(error: ProviderError, name: string, waitMilliseconds: number): ProviderError {
  const retryAfterSeconds = Math.ceil(waitMilliseconds / 1000);
  if (error.code === 'ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID') return new ProviderError(error.code, 502, error.message, { retryAfterSeconds });
  return new ProviderError(
    'ERR_CODE_FLOW_PROVIDER_UNAVAILABLE',
    503,
    `The metadata of the authorization server "${name}" could not be fetched a moment ago. Trying again in ${retryAfterSeconds} s.`,
    { retryAfterSeconds },
  );
}
