/** Turns our errors into answers, and passes every other error on. */
import { contextOf, type RequestContext, type StepUpParameters } from '../context.js';
import { AuthenticationRequiredError, CodeFlowError, ConfigurationError, LoginError, type StepUp } from '../errors.js';
import { correlationId, isNavigation, isPrefetch, redirect, sendPage, sendProblem } from '../http.js';
import { type Check, type Checks, optional, readTable, refuse, show } from '../options/check.js';
import { customPage, errorPage, explain, type ErrorPageDetails, type PageAction } from '../pages.js';
import type { Next, Request, Response } from '../types.js';
import { appUrl, matchRoute, returnPathOf } from '../urls.js';

export type { ErrorPageDetails } from '../pages.js';

export interface HandleAuthErrorsOptions {
  /** Your own HTML instead of the built-in page. The details hold no text of the request or the authorization server. */
  renderPage?: (details: ErrorPageDetails) => string;
}

type ErrorMiddleware = (error: unknown, req: Request, res: Response, next: Next) => void;

const readRenderer: Check<(details: ErrorPageDetails) => string> = (value, path) => {
  if (typeof value !== 'function') refuse(path, `must be a function that returns HTML; got ${show(value)}`);
  return value as (details: ErrorPageDetails) => string; // no more can be seen from here
};

const checks = { renderPage: optional(readRenderer) } satisfies Checks<HandleAuthErrorsOptions>;

/**
 * The error handler: mount it after the routes. A page navigation without a login goes to the login, everything else gets 401;
 * the remaining errors get a plain page or problem+json (RFC 9457), with `Retry-After` where it is known.
 *
 * A `ConfigurationError` is passed on: it is the app's bug and has to be as loud as any other.
 * @example
 * ```ts
 * app.use(handleAuthErrors({ renderPage: ({ status, detail }) => `<!doctype html><title>${status}</title><p>${detail}` }));
 * ```
 * @throws ConfigurationError if an option is unknown or wrong
 */
export function handleAuthErrors(options: HandleAuthErrorsOptions = {}): ErrorMiddleware {
  const { renderPage } = readTable(checks, options, 'handleAuthErrors');

  const answer = (error: CodeFlowError, req: Request, res: Response): void => {
    if (!isNavigation(req)) return sendProblem(res, problemOf(error, req));
    const details = pageDetailsOf(error, req, res);
    const page = renderPage === undefined ? errorPage(details) : customPage(renderPage(details));
    sendPage(res, error.status, page, error.retryAfterSeconds);
  };

  // Express and Connect tell an error handler by its four parameters.
  return function authErrorHandler(error, req, res, next) {
    if (!isAnswerable(error) || res.headersSent) return next(error);
    const context = contextOf(req);
    if (!(error instanceof AuthenticationRequiredError) || context === undefined || !canBeSentAway(req)) return answer(error, req, res);

    const stepUp = stepUpOf(error, context, req);
    if (stepUp !== undefined) return beginStepUp(context, stepUp, req, res, next);
    const login = loginUrlOf(req, error, returnPathOf(req, context.options));
    if (login === undefined) return answer(error, req, res);
    redirect(res, login, 302);
  };

  /** A step-up that cannot begin is answered with its own error; never with another redirect. */
  function beginStepUp(context: RequestContext, stepUp: StepUpParameters, req: Request, res: Response, next: Next): void {
    context.startLogin(stepUp).then(undefined, (reason: unknown) => {
      if (!isAnswerable(reason) || res.headersSent) return next(reason);
      try {
        answer(reason, req, res);
      } catch (thrown) {
        next(thrown); // by renderPage; outside a promise the framework catches it
      }
    });
  }
}

const isAnswerable = (error: unknown): error is CodeFlowError => error instanceof CodeFlowError && !(error instanceof ConfigurationError);

/** A form's content would be lost on the way (THREATS B8), and nobody looks at a prefetched page yet. */
const canBeSentAway = (req: Request): boolean => req.method === 'GET' && isNavigation(req) && !isPrefetch(req);

function stepUpOf(error: AuthenticationRequiredError, { state, options }: RequestContext, req: Request): StepUpParameters | undefined {
  if (error.stepUp === undefined || state.kind !== 'authenticated') return undefined;
  const stepUp: StepUp = error.stepUp;
  const { subject, provider } = state.login;
  return { returnTo: returnPathOf(req, options), subject, provider, ...stepUp };
}

/** Our login route; `undefined` if it is switched off. */
function loginUrlOf(req: Request, error: CodeFlowError, returnTo?: string): string | undefined {
  const context = contextOf(req);
  if (context === undefined || context.options.routes.login === false) return undefined;
  const { options } = context;
  const url = new URL(appUrl(options.baseUrl, options.basePath, context.options.routes.login));
  const provider = options.providers.several ? providerOf(error, context) : undefined;
  if (provider !== undefined) url.searchParams.set('provider', provider);
  if (returnTo !== undefined) url.searchParams.set('returnTo', returnTo);
  return url.href;
}

/** The one that will do, or where the login was that has to be had again. */
function providerOf(error: CodeFlowError, { state, loginProvider }: RequestContext): string | undefined {
  const needed = error instanceof AuthenticationRequiredError ? error.provider : undefined;
  return needed ?? loginProvider ?? (state.kind === 'authenticated' ? state.login.provider : undefined);
}

/**
 * No `WWW-Authenticate`, which RFC 9110 §11.6.1 asks for with a 401: there is no scheme for a login by cookie, and browsers
 * answer those that exist with a password dialogue.
 */
function problemOf(error: CodeFlowError, req: Request) {
  const { status, code, retryAfterSeconds } = error;
  return { status, code, retryAfterSeconds, detail: explain(code).detail, login: canLogIn(error) ? loginUrlOf(req, error) : undefined };
}

const canLogIn = (error: CodeFlowError): boolean => error instanceof AuthenticationRequiredError || error instanceof LoginError;

function pageDetailsOf(error: CodeFlowError, req: Request, res: Response): ErrorPageDetails {
  const { status, code } = error;
  return { status, code, ...explain(code), correlationId: correlationId(res), action: actionOf(error, req) };
}

/** What the user can do: start again, try again, or go on without. */
function actionOf(error: CodeFlowError, req: Request): PageAction | undefined {
  const options = contextOf(req)?.options;
  if (options === undefined) return undefined;
  const { baseUrl, basePath, routes } = options;
  const route = matchRoute(req, options);

  if (canLogIn(error) || route === 'login' || route === 'callback') {
    const url = loginUrlOf(req, error);
    return url === undefined ? undefined : { url, label: error instanceof AuthenticationRequiredError ? 'Sign in' : 'Sign in again' };
  }
  if (route === 'logout' && routes.logout !== false) return { url: appUrl(baseUrl, basePath, routes.logout), label: 'Try again' };
  if (req.method === 'GET' && error.status >= 500) return { url: returnPathOf(req, options), label: 'Try again' };
  return { url: options.afterLogin, label: 'Continue' };
}
