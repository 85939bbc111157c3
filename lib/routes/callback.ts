/** `/callback`: the end of a login. Find the transaction, claim it, redeem the code, store the grant, replace the session, and only then answer. */
import type { Clock } from '../clock.js';
import { contextOf } from '../context.js';
import { CodeFlowError, LoginError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenManager } from '../grants/token-manager.js';
import { comesFromElsewhere, isPrefetch, redirect, refusePrefetch, sendPage } from '../http.js';
import { onwardPage } from '../pages.js';
import type { Providers, RegisteredProvider } from '../provider-registry.js';
import type { LoginTransaction, LoginTransactions } from '../session/login-transaction.js';
import type { RequestSession } from '../session/opened-session.js';
import type { Sessions } from '../session/session-middleware.js';
import type { Claims, Request, ResolvedOptions, Response, TokenResponse } from '../types.js';
import { readAnswer } from './callback-answer.js';
import type { CallbackAnswer } from './callback-answer.js';
import { revokeTokens } from './logout.js';
import { storeLogin } from './new-login.js';
import { isForTheUser, needsTheUser, withFlag } from './silent-login.js';

interface CallbackSettings {
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
  // The last step of the way back from the authorization server, on which the browser keeps SameSite=Strict cookies to itself: without
  // the session that is to be replaced, and on the way to a page that would not be found signed in (THREATS C12). A page of our own
  // breaks the way: what it leads to comes from here. A form cannot be loaded again, so that it is only what follows that does.
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

/** Where the browser goes next; everything is stored by then. */
async function finishLogin(settings: CallbackSettings, req: Request, res: Response, opened: RequestSession): Promise<string> {
  const answer = await readAnswer(req, settings.options);
  const state = answer.parameters.get('state') ?? '';
  if (state === '') return withoutState(settings, req, res, answer);

  const found = settings.transactions.find(req, state);
  if (found.kind === 'finished') return found.returnTo; // the back button, or the address visited again
  if (found.kind === 'unknown') {
    throw new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'this login was not started in this browser, or more than ten minutes ago');
  }
  const { sessionId } = found.transaction;
  const session = opened.id === undefined && sessionId !== undefined ? await settings.sessions.openById(sessionId, req, res) : opened;
  // Before anything is used up: while the store cannot tell, visiting this address again later still works.
  if (session.state.kind === 'unknown') throw session.state.error;
  return redeem(settings, { req, res, answer, session }, found.transaction);
}

/** Some servers leave `state` out when a silent login needs the user. Nothing is redeemed here: at worst a silent attempt is over. */
function withoutState({ transactions }: CallbackSettings, req: Request, res: Response, { parameters, redirectUri }: CallbackAnswer): string {
  const silent = needsTheUser(parameters.get('error') ?? undefined) ? transactions.findSilent(req) : undefined;
  if (silent?.redirectUri !== redirectUri) {
    throw new LoginError('ERR_CODE_FLOW_STATE_MISSING', 'the answer of the authorization server has no `state`');
  }
  transactions.drop(res, silent);
  return withFlag(silent.returnTo);
}

async function redeem(settings: CallbackSettings, { req, res, answer, session }: Callback, transaction: LoginTransaction): Promise<string> {
  const context = contextOf(req);
  if (context !== undefined) context.loginProvider = transaction.provider;
  const provider = await settings.providers.get(transaction.provider);
  checkOrigin(answer, transaction, provider);
  // A code is redeemed once: the server may take back what it gave for it when it comes again (RFC 6749 §4.1.2).
  if (answer.parameters.has('code') && !(await settings.transactions.claim(transaction))) {
    if (session.state.kind === 'authenticated') return transaction.returnTo;
    throw new LoginError('ERR_CODE_FLOW_LOGIN_USED', 'this login was finished before');
  }
  try {
    const response = await exchange(provider, answer, transaction);
    await checkStepUp({ provider, session, transaction }, response);
    await storeLogin(settings, session, provider, response);
  } catch (error) {
    // An outage changes no cookie; what is claimed is of no more use with it.
    if (error instanceof LoginError) settings.transactions.drop(res, transaction);
    if (transaction.silent === true && isForTheUser(error)) return withFlag(transaction.returnTo);
    throw error;
  }
  settings.transactions.finish(res, transaction);
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
  return provider.exchangeCode(callback, checks);
}

interface Attempt {
  readonly provider: RegisteredProvider;
  readonly session: RequestSession;
  readonly transaction: LoginTransaction;
}

/** Tokens of a login that does not count must not live on at the server. */
async function checkStepUp({ provider, session, transaction }: Attempt, response: TokenResponse): Promise<void> {
  try {
    checkWhatCameBack(transaction, response.claims);
  } catch (error) {
    const { state } = session;
    // Not the same user's: many servers take back all that one user granted one app with them (RFC 7009 §2.1), the live login's too.
    const isTheirs = state.kind === 'authenticated' && state.login.provider === provider.name && state.login.subject === response.claims?.sub;
    if (!isTheirs) await Promise.allSettled([revokeTokens(provider, response)]); // best effort: the error that matters is this one
    throw error;
  }
}

/** What a step-up asked for must have come back (RFC 9470 §6.2), by the same user. */
function checkWhatCameBack(transaction: LoginTransaction, claims: Claims | undefined): void {
  if (transaction.subject !== undefined && transaction.subject !== claims?.sub) {
    throw new LoginError('ERR_CODE_FLOW_SUBJECT_MISMATCH', 'another user logged in than the one who had to authenticate again');
  }
  if (transaction.acrValues !== undefined && !transaction.acrValues.includes(String(claims?.['acr']))) {
    throw new LoginError('ERR_CODE_FLOW_ACR_NOT_MET', 'the login is not of the strength that was asked for');
  }
}
