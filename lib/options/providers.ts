/** `provider` and `providers`: exactly one of both, and where their answers arrive. */
import type { FindProvider, ResolvedApi, ResolvedOptions, ResolvedProvider, ResolvedProviders } from '../types.js';
import { isLoopback } from '../urls.js';
import { type Check, isObject, refuse, refuseMissing, show } from './check.js';
import { nearest } from './nearest.js';
import { readProvider } from './provider.js';
import { readRoute } from './site.js';

/** Goes into URLs, paths, cookies, messages and events as it is. */
const nameSyntax = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;

export const isProviderName = (name: string): boolean => nameSyntax.test(name);

export const readProviderName: Check<string> = (value, path) => {
  if (typeof value === 'string' && isProviderName(value)) return value;
  return refuse(path, `must be the name of a provider: up to 64 letters, digits and -._~, the first no punctuation; got ${show(value)}`);
};

export const readNamedProvider = (value: unknown, name: string, path: string): ResolvedProvider => {
  const provider = { ...readProvider(value, path), name };
  if (provider.callbackPath !== undefined) readRoute(provider.callbackPath, `${path}.callbackPath`);
  if (provider.authorizationParams['prompt']?.split(' ').includes('none') === true) {
    const problem = "must not be 'none' for every login, which would never show a login page: visit the login route with `?prompt=none` instead";
    refuse(`${path}.authorizationParams.prompt`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return provider;
};

export const readProviders: Check<ReadonlyMap<string, ResolvedProvider> | FindProvider> = (value, path) => {
  if (typeof value === 'function') return value as FindProvider; // no more can be seen from here
  if (!isObject(value)) return refuse(path, `must be an object of providers by name, or a function that finds one; got ${show(value)}`);
  const names = Object.keys(value);
  if (names.length === 0) refuseMissing(path, 'it is empty, and the first provider is the default');
  return new Map(names.map((name) => [readProviderName(name, path), readNamedProvider(value[name], name, `${path}.${name}`)]));
};

/** @throws ConfigurationError unless there is exactly one of both */
export function resolveProviders(provider: ResolvedProvider | undefined, providers: ReturnType<typeof readProviders> | undefined): ResolvedProviders {
  if (provider !== undefined && providers !== undefined) {
    refuse('providers', 'cannot go with `provider`: move that one into `providers`, under a name', 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  if (provider !== undefined) return { listed: new Map([[provider.name, provider]]), find: undefined, several: false };
  if (providers === undefined) refuseMissing('provider', 'pass an object, or several of them by name in `providers`');
  if (typeof providers === 'function') return { listed: new Map(), find: providers, several: true };
  return { listed: providers, find: undefined, several: true };
}

type Place = Pick<ResolvedOptions, 'routes' | 'baseUrl'>;

/** The callback route of a provider that has none of its own, and whose server does not tell who it is. */
export const namedCallbackPath = (name: string, { routes }: Pick<Place, 'routes'>): string => `${routes.callback.replace(/\/$/, '')}/${name}`;

/** @throws ConfigurationError if two answers could not be told apart, or one would not arrive */
export function resolveCallbackPaths({ listed, find, several }: ResolvedProviders, place: Place): readonly string[] {
  const common = place.routes.callback;
  if (find !== undefined) return [common, namedCallbackPath('*', place)];
  const paths = new Map<string, string>();
  for (const [name, provider] of listed) {
    const option = several ? `providers.${name}` : 'provider';
    checkSite(provider, option, place);
    const byDefault = several ? [common, namedCallbackPath(name, place)] : [common];
    for (const path of provider.callbackPath === undefined ? byDefault : [provider.callbackPath]) {
      const other = paths.get(path);
      if (other !== undefined && path !== common) {
        refuse(`${option}.callbackPath`, `is the same path as that of \`${other}\`: ${show(path)}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
      }
      paths.set(path, option);
    }
  }
  return [...paths.keys()];
}

/** What depends on where the app lives. @throws ConfigurationError */
function checkSite({ callbackPath, responseMode }: ResolvedProvider, option: string, { routes, baseUrl }: Place): void {
  const { callback: _, ...others } = routes;
  if (callbackPath !== undefined && Object.values(others).includes(callbackPath)) {
    refuse(`${option}.callbackPath`, `is one of \`routes\`: ${show(callbackPath)}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  if (responseMode === 'form_post' && baseUrl.protocol !== 'https:' && !isLoopback(baseUrl)) {
    const problem = "is 'form_post', which needs an https `baseUrl`: a cross-site POST carries no cookie but SameSite=None, and that has to be Secure";
    refuse(`${option}.responseMode`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
}

/** What a function found, by the same rules. */
export function readFoundProvider(value: unknown, name: string, place: Place): ResolvedProvider {
  const path = `providers(${JSON.stringify(name)})`;
  const provider = readNamedProvider(value, name, path);
  checkSite(provider, path, place);
  const { callbackPath } = provider;
  const allowed = [place.routes.callback, namedCallbackPath(name, place)];
  if (callbackPath !== undefined && !allowed.includes(callbackPath)) {
    refuse(`${path}.callbackPath`, `must be ${allowed.map(show).join(' or ')}, since only those are known before the function is asked; got ${show(callbackPath)}`);
  }
  return provider;
}

/** `apis[].provider` must name one of them. */
export function checkApiProviders(apis: readonly ResolvedApi[], { listed, find }: ResolvedProviders): void {
  if (find !== undefined) return;
  for (const [index, { provider }] of apis.entries()) {
    if (provider === undefined || listed.has(provider)) continue;
    const near = nearest(provider, [...listed.keys()]);
    const hint = near === undefined ? `known are ${[...listed.keys()].join(', ')}` : `did you mean ${show(near)}?`;
    refuse(`apis[${index}].provider`, `names no provider: ${show(provider)}; ${hint}`);
  }
}
