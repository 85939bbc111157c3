/** `/login` and every other start of a login: the redirect to the authorization server, and the cookie that lets the browser finish it. */
import type { Clock } from '../clock.js';
import type { LoginParameters, StepUpParameters } from '../context.js';
import { LoginError } from '../errors.js';
import { header, isPrefetch, redirect, refusePrefetch } from '../http.js';
import type { Provider } from '../provider/provider.js';
import { randomId } from '../seal.js';
import type { LoginTransaction, LoginTransactions } from '../session/login-transaction.js';
import type { Request, ResolvedOptions, Response } from '../types.js';
import { appUrl, queryOf, safeReturnTo } from '../urls.js';

export interface LoginSettings {
  options: ResolvedOptions;
  provider: Provider;
  transactions: LoginTransactions;
  clock: Clock;
}

/** OpenID Connect Core §3.1.2.1: a number of seconds. Anything else is left to the server to refuse. */
function maxAgeOf(parameters: Readonly<Record<string, string>>): number | undefined {
  const text = parameters['max_age'];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function stepUpOf(parameters: LoginParameters | StepUpParameters): Pick<LoginTransaction, 'subject' | 'acrValues' | 'maxAgeSeconds'> {
  if (!('subject' in parameters)) return {};
  const { subject, acrValues, maxAgeSeconds } = parameters;
  return { subject, ...(acrValues === undefined ? {} : { acrValues }), ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }) };
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

/** Answers `GET /login`. */
export async function loginRoute(settings: LoginSettings, req: Request, res: Response): Promise<void> {
  if (isPrefetch(req)) return refusePrefetch(res);
  // A script that fetches this address could never show the login page; its cookies would only push out real logins.
  const mode = header(req, 'sec-fetch-mode');
  if (req.method !== 'GET' || (mode !== undefined && mode !== 'navigate')) {
    throw new LoginError('ERR_CODE_FLOW_NOT_A_NAVIGATION', 'a login starts by visiting this address in the browser, not by a script');
  }
  const query = queryOf(req);
  const authorizationParams = passedOn(query, settings.options.loginParams);
  return startLogin(settings, req, res, { returnTo: query.get('returnTo') ?? '', authorizationParams });
}

/** Answers with a redirect to the authorization server, and the cookie that lets this browser finish the login. */
export async function startLogin(settings: LoginSettings, req: Request, res: Response, parameters: LoginParameters | StepUpParameters): Promise<void> {
  const { options, provider, transactions, clock } = settings;
  const stepUp = stepUpOf(parameters);
  const asked = {
    ...parameters.authorizationParams,
    ...(stepUp.acrValues === undefined ? {} : { acr_values: stepUp.acrValues.join(' ') }),
    ...(stepUp.maxAgeSeconds === undefined ? {} : { max_age: String(stepUp.maxAgeSeconds) }),
  };
  const secrets = { state: randomId(), nonce: randomId(), codeVerifier: randomId() };
  const redirectUri = appUrl(options.baseUrl, options.basePath, options.routes.callback);
  const url = await provider.authorizationUrl({ ...secrets, redirectUri, parameters: asked });
  const maxAgeSeconds = maxAgeOf(asked);
  transactions.begin(req, res, {
    ...secrets,
    ...stepUp,
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    provider: provider.name,
    redirectUri,
    returnTo: safeReturnTo(parameters.returnTo, options, options.afterLogin),
    startedAt: Math.floor(clock.now() / 1000),
  });
  redirect(res, url.href, 302);
}
