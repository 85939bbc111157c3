/** `/callback`: the end of a login. Find the transaction, use it up, redeem the code, store the grant, replace the session, and only then answer. */
import type { Clock } from '../clock.js';
import { contextOf } from '../context.js';
import { CodeFlowError, LoginError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenManager } from '../grants/token-manager.js';
import { header, isPrefetch, redirect, refusePrefetch, sendPage } from '../http.js';
import { onwardPage } from '../pages.js';
import type { Providers, RegisteredProvider } from '../provider-registry.js';
import type { LoginTransaction, LoginTransactions } from '../session/login-transaction.js';
import type { RequestSession, Sessions } from '../session/session-middleware.js';
import type { Claims, Request, ResolvedOptions, Response, TokenResponse } from '../types.js';
import { readAnswer } from './callback-answer.js';
import type { CallbackAnswer } from './callback-answer.js';
import { storeLogin } from './new-login.js';
import { isForTheUser, needsTheUser, withFlag } from './silent-login.js';

export interface CallbackSettings {
  options: ResolvedOptions;
  providers: Providers;
  sessions: Sessions;
  transactions: LoginTransactions;
  tokens: TokenManager;
  clock: Clock;
  events: Events;
}

/** One request to the callback route. */
interface Callback {
  readonly req: Request;
  readonly res: Response;
  readonly answer: CallbackAnswer;
  readonly session: RequestSession;
}

export async function callbackRoute(settings: CallbackSettings, req: Request, res: Response, session: RequestSession): Promise<void> {
  if (isPrefetch(req)) return refusePrefetch(res);
  const isStrict = settings.options.session.sameSite === 'strict';
  if (isStrict && req.method === 'GET' && comesFromElsewhere(req)) return sendPage(res, 200, onwardPage());
  try {
    const returnTo = await finishLogin(settings, req, res, session);
    if (isStrict && comesFromElsewhere(req)) sendPage(res, 200, onwardPage(returnTo));
    else redirect(res, returnTo);
  } catch (error) {
    const provider = contextOf(req)?.loginProvider;
    if (error instanceof CodeFlowError) settings.events.emit('login.failed', { code: error.code, ...(provider === undefined ? {} : { provider }) });
    throw error;
  }
}

/**
 * The last step of the way back from the authorization server, on which the browser keeps SameSite=Strict cookies to itself: without
 * the session that is to be replaced, and on the way to a page that would not be found signed in (THREATS C12). A page of our own
 * breaks the way: what it leads to comes from here. A form cannot be loaded again, so that it is only what follows that does.
 */
function comesFromElsewhere(req: Request): boolean {
  const site = header(req, 'sec-fetch-site');
  return site === 'cross-site' || site === 'same-site';
}

/** Where the browser goes next; everything is stored by then. */
async function finishLogin(settings: CallbackSettings, req: Request, res: Response, opened: RequestSession): Promise<string> {
  const answer = await readAnswer(req, settings.options);
  const state = answer.parameters.get('state') ?? '';
  if (state === '') return withoutState(settings, req, res, answer);

  const found = settings.transactions.find(req, state);
  const sessionId = found.kind === 'found' ? found.transaction.sessionId : undefined;
  const session = opened.id === undefined && sessionId !== undefined ? await settings.sessions.openById(sessionId, req, res) : opened;
  // Before anything is used up: while the store cannot tell, visiting this address again later still works.
  if (session.state.kind === 'unknown') throw session.state.error;
  switch (found.kind) {
    case 'unknown':
      throw new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'this login was not started in this browser, or more than ten minutes ago');
    case 'used':
      // The back button after a login; without one, somebody replays an old address (THREATS A12).
      if (session.state.kind === 'authenticated') return found.returnTo;
      throw alreadyUsed();
    case 'found':
      return redeem(settings, { req, res, answer, session }, found.transaction);
  }
}

const alreadyUsed = (): LoginError => new LoginError('ERR_CODE_FLOW_LOGIN_USED', 'this login was finished before');

/** Some servers leave `state` out when a silent login needs the user. Nothing is redeemed here: at worst a silent attempt is over. */
function withoutState({ transactions }: CallbackSettings, req: Request, res: Response, { parameters, redirectUri }: CallbackAnswer): string {
  const silent = needsTheUser(parameters.get('error') ?? undefined) ? transactions.findSilent(req) : undefined;
  if (silent?.redirectUri !== redirectUri || !transactions.useUp(res, silent)) {
    throw new LoginError('ERR_CODE_FLOW_STATE_MISSING', 'the answer of the authorization server has no `state`');
  }
  return withFlag(silent.returnTo);
}

async function redeem(settings: CallbackSettings, { req, res, answer, session }: Callback, transaction: LoginTransaction): Promise<string> {
  const context = contextOf(req);
  if (context !== undefined) context.loginProvider = transaction.provider;
  const provider = await settings.providers.get(transaction.provider);
  checkOrigin(answer, transaction, provider);
  if (!settings.transactions.useUp(res, transaction)) throw alreadyUsed();
  try {
    const response = await exchange(provider, answer, transaction);
    await storeLogin(settings, session, provider, response);
  } catch (error) {
    if (transaction.silent === true && isForTheUser(error)) return withFlag(transaction.returnTo);
    throw error;
  }
  return transaction.returnTo;
}

/** RFC 9700 §4.4: an answer counts only from the provider that the browser was sent to, at the address and in the way that were asked for. */
function checkOrigin({ parameters, byPost, redirectUri }: CallbackAnswer, transaction: LoginTransaction, provider: RegisteredProvider): void {
  if (transaction.redirectUri !== redirectUri || transaction.registration !== provider.registration) {
    throw new LoginError('ERR_CODE_FLOW_ISSUER_MISMATCH', 'this login was started with another provider or address');
  }
  // Errors may come by redirect all the same: some servers know no other way for them.
  const isError = parameters.has('error') && !parameters.has('code');
  if (byPost !== (provider.responseMode === 'form_post') && (byPost || !isError)) {
    throw new LoginError('ERR_CODE_FLOW_CALLBACK_INVALID', `the answer did not come by the way that was asked for, ${provider.responseMode}`);
  }
}

async function exchange(provider: RegisteredProvider, { parameters }: CallbackAnswer, transaction: LoginTransaction): Promise<TokenResponse> {
  const { state, nonce, codeVerifier, maxAgeSeconds } = transaction;
  const checks = { state, nonce, codeVerifier, ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }) };
  const callback = new URL(`${transaction.redirectUri}?${parameters.toString()}`);
  const response = await provider.exchangeCode(callback, checks);
  checkStepUp(transaction, response.claims);
  return response;
}

/** What a step-up asked for must have come back (RFC 9470 §6.2), by the same user. */
function checkStepUp(transaction: LoginTransaction, claims: Claims | undefined): void {
  if (transaction.subject !== undefined && transaction.subject !== claims?.sub) {
    throw new LoginError('ERR_CODE_FLOW_SUBJECT_MISMATCH', 'another user logged in than the one who had to authenticate again');
  }
  if (transaction.acrValues !== undefined && !transaction.acrValues.includes(String(claims?.['acr']))) {
    throw new LoginError('ERR_CODE_FLOW_ACR_NOT_MET', 'the login is not of the strength that was asked for');
  }
}
