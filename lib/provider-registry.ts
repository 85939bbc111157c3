/** The providers of the options by name: listed ones from the start on, others found when they are asked for, and kept for a while. */
import { boundedMap } from './bounded-map.js';
import { CodeFlowError, LoginError, ProviderError } from './errors.js';
import { isProviderName, readFoundProvider } from './options/providers.js';
import type { ProviderDependencies } from './provider/connection.js';
import { createProvider } from './provider/create-provider.js';
import type { Provider, RefreshOutcome } from './provider/provider.js';
import { hashId } from './seal.js';
import type { FindProvider, ResolvedOptions, ResolvedProvider } from './types.js';

/** A provider with what a login under way is bound to: an answer must not be redeemed after the name came to mean another server. */
export interface RegisteredProvider extends Provider {
  /** Stands for the server and our client id there. */
  readonly registration: string;
}

/** What the tokens of a login need of its provider. */
export type GrantProvider = Pick<Provider, 'name' | 'refresh' | 'revoke'>;

export interface Providers {
  /**
   * Without a name: the default one. Rejects with LoginError for a name that nobody knows, ProviderError if the app's function
   * fails, ConfigurationError if what it found cannot work.
   */
  get(name: string | undefined): Promise<RegisteredProvider>;
  /** For a login that exists: looked up when it is used, so that pages that need no token need no provider. */
  of(name: string, registration: string | undefined): GrantProvider;
  /** Of the listed ones, without asking them: those whose issuer this may be. */
  thatMayBe(issuer: string): readonly RegisteredProvider[];
  /** The server that a login was made at. Rejects like `get()`, and with ProviderError if the name means another one by now. */
  serverOf(login: { readonly provider: string; readonly registration?: string | undefined }): Promise<RegisteredProvider>;
}

const MOST_FOUND = 500;
/** After this the function is asked again, so that a changed secret arrives. */
const FOUND_FOR_MS = 600_000;
const FAILED_FOR_MS = 5000;

type Settings = Pick<ResolvedOptions, 'providers' | 'routes' | 'baseUrl'>;

export function createProviders(options: Settings, dependencies: ProviderDependencies): Providers {
  const { listed, find } = options.providers;
  const register = (provider: ResolvedProvider): RegisteredProvider => ({ ...createProvider(provider, dependencies), registration: registrationOf(provider) });
  const known = new Map([...listed].map(([name, provider]) => [name, register(provider)]));
  const [first] = known.keys();
  const ask = find === undefined ? undefined : asking(find, dependencies);
  const found = ask === undefined ? undefined : foundProviders(ask, dependencies, (value, name) => register(readFoundProvider(value, name, options)));

  async function get(name = first): Promise<RegisteredProvider> {
    if (name === undefined) throw unknown('name one: with a function as `providers` there is no default');
    const provider = known.get(name) ?? (isProviderName(name) ? await found?.(name) : undefined);
    // A name that may come from a URL is not repeated.
    if (provider === undefined) throw unknown('there is none of this name');
    return provider;
  }

  async function serverOf({ provider: name, registration }: Parameters<Providers['serverOf']>[0]): Promise<RegisteredProvider> {
    const provider = await get(name);
    // A token goes to the server that gave it and to no other, whatever its name means today.
    if (registration !== undefined && registration !== provider.registration) throw anotherServer(name);
    return provider;
  }

  return {
    get,
    thatMayBe: (issuer) => [...known.values()].filter((provider) => provider.mayBe(issuer)),
    serverOf,
    of: (name, registration) => lazily(name, () => serverOf({ provider: name, registration })),
  };
}

interface Found {
  readonly provider: RegisteredProvider;
  /** On the monotonic clock; after it the function is asked again. */
  readonly goodUntil: number;
}

/** One call of the app's function for all who wait; unknown names are never kept, so that no flood of them pushes a known one out. */
function foundProviders(ask: ReturnType<typeof asking>, { clock }: ProviderDependencies, register: (value: unknown, name: string) => RegisteredProvider) {
  const kept = boundedMap<Found>(MOST_FOUND);
  const lookups = new Map<string, Promise<RegisteredProvider | undefined>>();

  function keep(name: string, provider: RegisteredProvider, forMs: number): RegisteredProvider {
    kept.set(name, { provider, goodUntil: clock.monotonic() + forMs });
    return provider;
  }

  async function lookUp(name: string, before: RegisteredProvider | undefined): Promise<RegisteredProvider | undefined> {
    const answer = await ask(name);
    if (answer instanceof ProviderError) {
      if (before === undefined) throw answer;
      return keep(name, before, FAILED_FOR_MS); // while the app's function fails, what it said last goes on to count
    }
    if (answer !== undefined) return keep(name, register(answer, name), FOUND_FOR_MS);
    kept.delete(name);
    return undefined;
  }

  return (name: string): Promise<RegisteredProvider | undefined> => {
    const found = kept.get(name);
    if (found !== undefined && found.goodUntil > clock.monotonic()) return Promise.resolve(found.provider);
    const underWay = lookups.get(name);
    if (underWay !== undefined) return underWay;
    const lookup = lookUp(name, found?.provider).finally(() => lookups.delete(name));
    lookups.set(name, lookup);
    return lookup;
  };
}

/** What the app's function says, or that it failed or took too long. */
function asking(find: FindProvider, { clock, httpTimeoutSeconds }: ProviderDependencies): (name: string) => Promise<unknown> {
  const failed = (how: string): ProviderError =>
    new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, `the function \`providers\` failed${how}`, { retryAfterSeconds: 5 });

  return async (name) => {
    const limit = new AbortController();
    const late = clock.sleep(httpTimeoutSeconds * 1000, limit.signal).then(() => failed(': it took too long'));
    try {
      return await Promise.race([find(name), late]);
    } catch (error) {
      // The app's own error may hold anything: its kind alone is told.
      return failed(` with ${error instanceof Error ? error.name : typeof error}`);
    } finally {
      limit.abort();
    }
  };
}

function lazily(name: string, get: () => Promise<Provider>): GrantProvider {
  return {
    name,
    async refresh(refreshToken, context): Promise<RefreshOutcome> {
      try {
        return await (await get()).refresh(refreshToken, context);
      } catch (error) {
        return { kind: 'failed', error: asProviderError(error, name) };
      }
    },
    revoke: async (token, hint) => (await get()).revoke(token, hint),
  };
}

/** A provider that is gone or set up wrongly signs out nobody: its logins wait until it is back. */
function asProviderError(error: unknown, name: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const reason = error instanceof CodeFlowError ? error.message : 'it could not be found';
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, `the provider "${name}" of this login cannot be used: ${reason}`);
}

function anotherServer(name: string): ProviderError {
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, `the provider "${name}" is no longer the server that this login was made at`);
}

function registrationOf({ issuer, server, clientId }: ResolvedProvider): string {
  return hashId(JSON.stringify([issuer?.href ?? server?.issuer, clientId])).slice(0, 16);
}

function unknown(problem: string): LoginError {
  return new LoginError('ERR_CODE_FLOW_PROVIDER_UNKNOWN', `this login names no provider of the option \`providers\`: ${problem}`);
}
