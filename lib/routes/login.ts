/** `/login` and every other start of a login: the redirect to the authorization server, and the cookie that lets the browser finish it. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { contextOf } from '../context.js';
import type { LoginParameters, StepUpParameters } from '../context.js';
import { ConfigurationError, LoginError } from '../errors.js';
import type { Events } from '../events.js';
import { header, isPrefetch, redirect, refusePrefetch } from '../http.js';
import { refuseProtocolParameter } from '../options/authorization-params.js';
import { namedCallbackPath } from '../options/providers.js';
import type { Providers, RegisteredProvider } from '../provider-registry.js';
import { randomId } from '../seal.js';
import type { LoginTransaction, LoginTransactions } from '../session/login-transaction.js';
import type { RequestSession } from '../session/opened-session.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { appUrl, queryOf, safeReturnTo } from '../urls.js';
import { answerFromElsewhere } from './login-from-elsewhere.js';
import { withoutFlag } from './silent-login.js';

export interface LoginSettings {
  options: ResolvedOptions;
  providers: Providers;
  transactions: LoginTransactions;
  clock: Clock;
  events: Events;
}

/** OpenID Connect Core §3.1.2.1: a number of seconds. Anything else is left to the server to refuse. */
function maxAgeOf(parameters: Readonly<Record<string, string>>): number | undefined {
  const text = parameters['max_age'];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** What of the query goes on to the authorization server: each named parameter, if it stands there once. */
function passedOn(query: URLSearchParams, names: readonly string[]): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of names) {
    const [value, ...more] = query.getAll(name);
    if (value !== undefined && value !== '' && more.length === 0) passed[name] = value;
  }
  return passed;
}

/**
 * A script or a frame that fetches this address could never show the login page; its cookies would only push out real logins. Browsers without
 * Fetch Metadata do not tell.
 */
function isVisit(req: Request): boolean {
  const [mode, destination] = [header(req, 'sec-fetch-mode'), header(req, 'sec-fetch-dest')];
  return (mode === undefined || mode === 'navigate') && (destination === undefined || destination === 'document');
}

/** Answers `GET /login`. */
export async function loginRoute(settings: LoginSettings, req: Request, res: Response, session: RequestSession): Promise<void> {
  if (isPrefetch(req)) return refusePrefetch(res);
  if (req.method !== 'GET' || !isVisit(req)) {
    throw new LoginError('ERR_CODE_FLOW_NOT_A_NAVIGATION', 'a login starts by visiting this address in the browser, not by a script');
  }
  const query = queryOf(req);
  const [provider, ...more] = query.getAll('provider');
  if (more.length > 0) throw new LoginError('ERR_CODE_FLOW_PROVIDER_UNKNOWN', 'this login names more than one provider');
  if (answerFromElsewhere(settings.options, req, res, session)) return;
  const authorizationParams = passedOn(query, settings.options.loginParams);
  const parameters = { returnTo: query.get('returnTo') ?? '', authorizationParams, ...(provider === undefined ? {} : { provider }) };
  return startLogin(settings, req, res, session, parameters);
}

/** Answers with a redirect to the authorization server, and the cookie that lets this browser finish the login. */
export async function startLogin(
  settings: LoginSettings,
  req: Request,
  res: Response,
  session: RequestSession,
  parameters: LoginParameters | StepUpParameters,
): Promise<void> {
  const { options, transactions, clock } = settings;
  const provider = await settings.providers.get(parameters.provider);
  const context = contextOf(req);
  if (context !== undefined) context.loginProvider = provider.name;
  refuseCircles(settings, req, session);
  const asked = askedFor(parameters);
  const secrets = { state: randomId(), nonce: randomId(), codeVerifier: randomId() };
  const redirectUri = appUrl(options.baseUrl, options.basePath, await callbackPathFor(provider, options));
  const url = await provider.authorizationUrl({ ...secrets, redirectUri, parameters: asked });
  transactions.begin(req, res, {
    ...secrets,
    ...wayBack(provider, options, session),
    ...checksOf(parameters, asked),
    provider: provider.name,
    registration: provider.registration,
    redirectUri,
    returnTo: withoutFlag(safeReturnTo(parameters.returnTo, options, options.afterLogin)),
    startedAt: epochSeconds(clock),
  });
  redirect(res, url.href, 302);
}

/**
 * Where cookies do not come back, or no login satisfies the app, browser and servers would go on for ever (THREATS C10); so few that most
 * browsers, which follow 20 redirects, get to see the page. One whose session arrives may really have logged in several times.
 */
function refuseCircles({ transactions, events }: LoginSettings, req: Request, session: RequestSession): void {
  const most = session.id === undefined ? 3 : 4;
  if (transactions.endedLately(req).length < most) return;
  const code = 'ERR_CODE_FLOW_LOGIN_LOOP';
  const provider = contextOf(req)?.loginProvider;
  events.emit('login.failed', { code, ...(provider === undefined ? {} : { provider }) });
  throw new LoginError(code, `${most} logins within a minute did not lead to what this browser asks for: most likely its cookies do not come back`);
}

function askedFor(parameters: LoginParameters | StepUpParameters): Record<string, string> {
  const { authorizationParams = {} } = parameters;
  for (const name of Object.keys(authorizationParams)) refuseProtocolParameter(name, 'authorizationParams');
  if (!('subject' in parameters)) return { ...authorizationParams };
  const { acrValues, maxAgeSeconds } = parameters;
  return {
    ...authorizationParams,
    ...(acrValues === undefined ? {} : { acr_values: acrValues.join(' ') }),
    ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
  };
}

/** What must come back, and what may. */
function checksOf(parameters: LoginParameters | StepUpParameters, asked: Readonly<Record<string, string>>): Partial<LoginTransaction> {
  const maxAgeSeconds = maxAgeOf(asked);
  const { subject, acrValues } = 'subject' in parameters ? parameters : {};
  return {
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    ...(subject === undefined ? {} : { subject }),
    ...(acrValues === undefined ? {} : { acrValues }),
    ...(asked['prompt']?.split(' ').includes('none') === true ? { silent: true } : {}),
  };
}

/** Neither a cross-site POST nor, with SameSite=Strict, a cross-site redirect brings the session cookie along. */
function wayBack({ responseMode }: RegisteredProvider, { session: { sameSite } }: ResolvedOptions, { id }: RequestSession): Partial<LoginTransaction> {
  const byPost = responseMode === 'form_post';
  const comesAlong = !byPost && sameSite === 'lax';
  return { ...(byPost ? { byPost } : {}), ...(comesAlong || id === undefined ? {} : { sessionId: id }) };
}

/**
 * RFC 9700 §4.4: where there are several servers, an answer tells whose it is by its `iss`, or by where it arrives.
 * @throws ConfigurationError if it could do neither
 */
async function callbackPathFor(provider: RegisteredProvider, options: ResolvedOptions): Promise<string> {
  const common = options.routes.callback;
  const { name, callbackPath } = provider;
  if (!options.providers.several) return callbackPath ?? common;
  if (callbackPath !== undefined && callbackPath !== common) return callbackPath;
  if (await provider.promisesIssuer()) return common;
  if (callbackPath === undefined) return namedCallbackPath(name, options);
  throw new ConfigurationError(
    'ERR_CODE_FLOW_OPTION_CONFLICT',
    `the provider "${name}" shares its callbackPath "${common}" with others, but its server does not promise to name itself in its answers (RFC 9207): ` +
      `give it one of its own, such as "${namedCallbackPath(name, options)}", and register that at the server`,
  );
}
