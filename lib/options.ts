/** Options are checked once, at start-up; the result is complete, frozen and never questioned again. */
import { apiChecks, readApis } from './options/apis.js';
import { readLoginParams } from './options/authorization-params.js';
import { type Check, type Checks, listOf, optional, readTable, refuse, seconds, show, text } from './options/check.js';
import { providerChecks } from './options/provider.js';
import { checkApiProviders, readNamedProvider, readProviders, resolveCallbackPaths, resolveProviders } from './options/providers.js';
import { readRedis } from './options/redis.js';
import { readSecrets } from './options/secret.js';
import { readSession, resolveSession, sessionChecks } from './options/session.js';
import { basePathOf, readBaseUrl, readClearSiteData, readLanding, readOrigin, readRoutes, refuseWeakOrigins, resolveLanding } from './options/site.js';
import { refuseHttp } from './options/url.js';
import type { CodeFlowOptions, ResolvedOptions } from './types.js';

/** What of the environment changes the answer. */
interface Environment {
  NODE_ENV?: string | undefined;
}

const readFetch: Check<typeof fetch> = (value, path) => {
  if (typeof value !== 'function') refuse(path, `must be a function with the signature of the global fetch; got ${show(value)}`);
  return value as typeof fetch; // no more can be seen from here
};

/** Looked up at each call: what patches the global fetch later, as tests and tracers do, is used too. */
const globalFetch: typeof fetch = (input, init) => globalThis.fetch(input, init);

const checks = {
  provider: optional((value, path) => readNamedProvider(value, 'default', path)),
  providers: optional(readProviders),
  baseUrl: readBaseUrl,
  secret: readSecrets,
  redis: optional(readRedis),
  apis: optional(readApis, []),
  session: readSession,
  routes: readRoutes,
  sessionClaims: optional(listOf(text('the name of a claim')), ['name', 'preferred_username', 'given_name', 'family_name', 'picture', 'email', 'locale']),
  trustedOrigins: optional(listOf(readOrigin), []),
  afterLogin: readLanding,
  afterLogout: readLanding,
  clearSiteData: optional(readClearSiteData, []),
  loginParams: optional(readLoginParams, ['login_hint', 'ui_locales', 'prompt', 'acr_values', 'max_age']),
  httpTimeoutSeconds: optional(seconds(0.05, 60), 5),
  redisTimeoutSeconds: optional(seconds(0.01, 30), 0.5),
  fetch: optional(readFetch, globalFetch),
} satisfies Checks<CodeFlowOptions>;

/** For hints such as "did you mean `provider.clientId`?". */
const deeper = [
  ...Object.keys(providerChecks).map((name) => `provider.${name}`),
  ...Object.keys(sessionChecks).map((name) => `session.${name}`),
  ...Object.keys(apiChecks).map((name) => `apis[0].${name}`),
];

/**
 * Checks, completes and freezes the options.
 * @throws ConfigurationError with the option's path, its value unless it may be secret, and what to write instead
 */
export function resolveOptions(input: CodeFlowOptions, environment: Environment = process.env): ResolvedOptions {
  const { secret, redis, afterLogin, afterLogout, provider, providers, ...options } = readTable(checks, input, '', deeper);
  if (environment.NODE_ENV === 'production') refuseInProduction(options.baseUrl, redis);

  const { baseUrl, routes, trustedOrigins } = options;
  refuseWeakOrigins(trustedOrigins, baseUrl);
  const basePath = basePathOf(baseUrl);
  const known = resolveProviders(provider, providers);
  const callbackPaths = resolveCallbackPaths(known, options);
  checkApiProviders(options.apis, known);
  const site = { baseUrl, basePath, routes, callbackPaths };
  for (const listed of known.listed.values()) deepFreeze(listed);
  const resolved = deepFreeze({
    ...options,
    ...site,
    provider: known.listed.values().next().value,
    providers: known,
    secrets: secret,
    session: resolveSession(options.session, baseUrl, basePath),
    afterLogin: resolveLanding(afterLogin, site, 'afterLogin'),
    afterLogout: resolveLanding(afterLogout, site, 'afterLogout'),
  });
  return Object.freeze({ ...resolved, redis });
}

function refuseInProduction(baseUrl: URL, redis: unknown): void {
  refuseHttp(baseUrl, 'baseUrl', 'In production cookies need https: write the URL that browsers see, also behind a TLS-terminating proxy.');
  if (redis !== undefined) return;
  refuse(
    'redis',
    "is missing, and NODE_ENV is 'production': what is kept in memory ends with the process. Pass an ioredis client or a redis:// URL.",
    'ERR_CODE_FLOW_MEMORY_IN_PRODUCTION',
  );
}

/** Plain data only: a Redis client, a fetch function and a URL are used as they are. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}
