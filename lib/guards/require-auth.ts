/** The guard of a route. */
import { systemClock } from '../clock.js';
import { contextOf, type RequestContext } from '../context.js';
import { AccessDeniedError, AuthenticationRequiredError, ConfigurationError, type StepUp } from '../errors.js';
import { keepPrivate } from '../http.js';
import { type Check, type Checks, flag, listOf, optional, readTable, refuse, show, text, wholeSeconds } from '../options/check.js';
import { readScope } from '../options/provider.js';
import { readProviderName } from '../options/providers.js';
import type { LoginRecord } from '../session/login-record.js';
import type { Claims, Middleware, Request } from '../types.js';
import { crossOriginRefusal } from './cross-origin.js';

/** What a route asks for besides a login. */
export interface RequireAuthOptions {
  /** A login at this one of `providers`; whoever is logged in elsewhere is sent to its login. Default: any. */
  provider?: string;
  /** Every one of them must have been granted (RFC 6749 §3.3), else 403. */
  scope?: string | readonly string[];
  /** One of these authentication context classes, by the claim `acr`; else the user is asked to log in again that way. */
  acr?: string | readonly string[];
  /** The user's last authentication (`auth_time`, or else the login) may be at most this old; else the user is asked to log in again. */
  maxAgeSeconds?: number;
  /** Anything but exactly `true` denies, with 403. Synchronous. */
  claims?: (claims: Partial<Claims>) => boolean;
  /** Makes sure of a usable access token before the handler runs. Default `false`. */
  token?: boolean;
}

const oneOrMore =
  (check: Check<string>): Check<readonly string[]> =>
  (value, path) => {
    if (typeof value === 'string') return [check(value, path)];
    const list = listOf(check)(value, path);
    return list.length > 0 ? list : refuse(path, 'must not be empty: leave it out instead');
  };

const readPredicate: Check<(claims: Partial<Claims>) => unknown> = (value, path) => {
  if (typeof value !== 'function') refuse(path, `must be a function of the claims; got ${show(value)}`);
  if (value.constructor.name === 'AsyncFunction') refuse(path, 'must not be async: decide by the claims alone');
  return value as (claims: Partial<Claims>) => unknown; // no more can be seen from here
};

const checks = {
  provider: optional(readProviderName),
  scope: optional(oneOrMore(readScope), []),
  acr: optional(oneOrMore(text('an authentication context class')), []),
  maxAgeSeconds: optional(wholeSeconds(1, Number.MAX_SAFE_INTEGER)),
  claims: optional(readPredicate),
  token: optional(flag, false),
} satisfies Checks<RequireAuthOptions>;

const readRequirements = (options: RequireAuthOptions) => readTable(checks, options, 'requireAuth');
type Requirements = ReturnType<typeof readRequirements>;

/**
 * Lets a request through only if its user is logged in and meets the requirements; otherwise an error goes to `next`, which
 * `handleAuthErrors()` answers. Methods but GET, HEAD and OPTIONS are refused if another origin made the browser send them. Without `scope` and `token` this takes no call to Redis or the authorization server.
 * @example
 * ```ts
 * app.get('/admin', requireAuth({ claims: ({ role }) => role === 'admin', maxAgeSeconds: 600 }), (req, res) => {
 *   res.json({ admin: req.oauth.subject });
 * });
 * ```
 * @throws ConfigurationError if an option is unknown or wrong
 */
export function requireAuth(options: RequireAuthOptions = {}): Middleware {
  const requirements = readRequirements(options);
  const waits = requirements.scope.length > 0 || requirements.token;

  return function requireAuthMiddleware(req, res, next) {
    const context = contextOf(req);
    keepPrivate(res);
    const error = firstRefusal(req, context, requirements);
    if (error !== undefined || context === undefined || !waits) return next(error);
    // Both in one then(): what a later handler throws inside next() must not bring us to call next() again (THREATS G7).
    secondRefusal(context, requirements).then(next, (reason: unknown) => next(asRefusal(reason)));
  };
}

/** What can be told at once; `undefined`: nothing against it so far. */
function firstRefusal(req: Request, context: RequestContext | undefined, requirements: Requirements): unknown {
  if (context === undefined) {
    const problem = 'requireAuth() ran on a request that codeFlow() has not seen: put app.use(codeFlow(…)) before the route';
    return new ConfigurationError('ERR_CODE_FLOW_NOT_MOUNTED', problem);
  }
  const { state, options } = context;
  const { provider } = requirements;
  if (provider !== undefined && options.providers.find === undefined && !options.providers.listed.has(provider)) {
    return new ConfigurationError('ERR_CODE_FLOW_OPTION_INVALID', `requireAuth({ provider }) names ${show(provider)}, which is not among \`providers\``);
  }
  const foreign = crossOriginRefusal(req, options);
  if (foreign !== undefined) return foreign;
  if (state.kind === 'unknown') return state.error;
  if (state.kind === 'anonymous') return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', 'this route needs a login', { provider });
  if (provider !== undefined && provider !== state.login.provider) {
    return new AuthenticationRequiredError('ERR_CODE_FLOW_LOGIN_REQUIRED', `this route needs a login at the provider "${provider}"`, { provider });
  }
  return claimsRefusal(state.login.claims, requirements.claims) ?? stepUpRefusal(state.login, requirements);
}

function claimsRefusal(claims: Partial<Claims>, predicate: Requirements['claims']): unknown {
  if (predicate === undefined) return undefined;
  try {
    const verdict = predicate(claims);
    if (verdict === true) return undefined;
    if (verdict instanceof Promise) verdict.catch(() => undefined); // denied either way; its rejection must not end the process
    return new AccessDeniedError('ERR_CODE_FLOW_CLAIMS_REFUSED', `the claims predicate of requireAuth() returned ${kindOf(verdict)}, not true`);
  } catch (error) {
    return asRefusal(error);
  }
}

/** Claims are the user's data, and no message's. */
const kindOf = (verdict: unknown): string => (typeof verdict === 'object' || typeof verdict === 'string' ? `a ${typeof verdict}` : show(verdict));

/** `next(undefined)` and `next('route')` let a request pass: whatever was thrown, an error goes on. */
function asRefusal(reason: unknown): unknown {
  if (typeof reason === 'object' && reason !== null) return reason;
  return new AccessDeniedError('ERR_CODE_FLOW_CLAIMS_REFUSED', 'a check of requireAuth() threw something that is no error');
}

function stepUpRefusal(login: LoginRecord, { acr, maxAgeSeconds }: Requirements): AuthenticationRequiredError | undefined {
  const { acr: reached, auth_time: authTime } = login.claims;
  const isStrong = acr.length === 0 || (typeof reached === 'string' && acr.includes(reached));
  const now = systemClock.now() / 1000;
  // One that is still to come, such as one in milliseconds, would be fresh for ever (THREATS D7).
  const authenticatedAt = typeof authTime === 'number' && authTime <= now ? authTime : login.loginAt;
  const isFresh = maxAgeSeconds === undefined || now - authenticatedAt <= maxAgeSeconds;
  if (isStrong && isFresh) return undefined;

  const stepUp: StepUp = { ...(acr.length > 0 && { acrValues: acr }), ...(maxAgeSeconds !== undefined && { maxAgeSeconds }) };
  const lack = isStrong ? 'a fresher' : 'a stronger';
  return new AuthenticationRequiredError('ERR_CODE_FLOW_STEP_UP_REQUIRED', `this route needs ${lack} login`, { stepUp });
}

/** What has to be asked for. Rejects with the error of the store or the authorization server. */
async function secondRefusal(context: RequestContext, { scope, token }: Requirements): Promise<AccessDeniedError | undefined> {
  const missing = scope.length > 0 ? await missingScope(context, scope) : [];
  if (missing.length > 0) {
    return new AccessDeniedError('ERR_CODE_FLOW_SCOPE_MISSING', `this route needs the scope ${missing.join(' ')}, which was not granted`);
  }
  if (token) await context.ensureAccessToken();
  return undefined;
}

/** RFC 6749 §5.1: a server that does not say has granted what was asked for; one that names no scope has granted none. */
async function missingScope(context: RequestContext, wanted: readonly string[]): Promise<string[]> {
  const { state } = context;
  const atLogin = state.kind === 'authenticated' ? state.login.scope : undefined;
  const granted = ((await context.grantedScope()) ?? atLogin ?? '').split(' ');
  return wanted.flatMap((scope) => scope.split(' ')).filter((scope) => !granted.includes(scope));
}
