/** `/callback`: the end of a login. Find the transaction, use it up, redeem the code, store the grant, replace the session, and only then answer. */
import type { Clock } from '../clock.js';
import { CodeFlowError, LoginError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenManager } from '../grants/token-manager.js';
import { header, isPrefetch, redirect, refusePrefetch, sendPage } from '../http.js';
import { reloadPage } from '../pages.js';
import type { Provider } from '../provider/provider.js';
import { hashId, randomId } from '../seal.js';
import type { LoginRecord } from '../session/login-record.js';
import type { LoginTransaction, LoginTransactions } from '../session/login-transaction.js';
import type { RequestSession } from '../session/session-middleware.js';
import type { Claims, Request, ResolvedOptions, Response, TokenResponse } from '../types.js';
import { appUrl, queryOf } from '../urls.js';
import { endReplaced } from './logout.js';

export interface CallbackSettings {
  options: ResolvedOptions;
  provider: Provider;
  transactions: LoginTransactions;
  tokens: TokenManager;
  clock: Clock;
  events: Events;
}

const LONGEST_QUERY = 16_384;
const ONCE = ['code', 'state', 'iss', 'error', 'error_description', 'session_state', 'id_token', 'response'];
/** Checks of this login alone; stored, they would only cost space. */
const CLAIMS_LEFT_OUT = new Set(['nonce', 'at_hash', 'c_hash', 's_hash']);

/** The query as it came, each parameter at most once: who takes the last of two is told which by an attacker (THREATS A8). */
function readQuery(req: Request): URLSearchParams {
  const query = queryOf(req);
  const tooLong = (req.url ?? '').length > LONGEST_QUERY;
  if (req.method !== 'GET' || tooLong || ONCE.some((name) => query.getAll(name).length > 1)) {
    throw new LoginError('ERR_CODE_FLOW_CALLBACK_INVALID', 'the answer of the authorization server is not one: repeated parameters, or too long');
  }
  return query;
}

function stateOf(query: URLSearchParams): string {
  const state = query.get('state') ?? '';
  if (state === '') throw new LoginError('ERR_CODE_FLOW_STATE_MISSING', 'the answer of the authorization server has no `state`');
  return state;
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

function storedClaims(claims: Claims | undefined): Claims {
  const entries = Object.entries(claims ?? {}).filter(([name]) => !CLAIMS_LEFT_OUT.has(name));
  return Object.fromEntries(entries) as Claims; // `sub` is never left out
}

export async function callbackRoute(settings: CallbackSettings, req: Request, res: Response, session: RequestSession): Promise<void> {
  if (isPrefetch(req)) return refusePrefetch(res);
  const { events, provider, options } = settings;
  if (options.session.sameSite === 'strict' && comesFromElsewhere(req)) return sendPage(res, 200, reloadPage());
  try {
    redirect(res, await finishLogin(settings, req, res, session));
  } catch (error) {
    if (error instanceof CodeFlowError) events.emit('login.failed', { provider: provider.name, code: error.code });
    throw error;
  }
}

/**
 * The last step of the way back from the authorization server, on which the browser keeps SameSite=Strict cookies to itself: without
 * the session that is to be replaced, and on the way to a page that would not be found signed in (THREATS C12).
 */
function comesFromElsewhere(req: Request): boolean {
  const site = header(req, 'sec-fetch-site');
  return site === 'cross-site' || site === 'same-site';
}

/** Where the browser goes next; everything is stored by then. */
async function finishLogin(settings: CallbackSettings, req: Request, res: Response, session: RequestSession): Promise<string> {
  const query = readQuery(req);
  const state = stateOf(query);
  // Before anything is used up: while the store cannot tell, visiting this address again later still works.
  if (session.state.kind === 'unknown') throw session.state.error;
  const taken = settings.transactions.take(req, res, state);
  if (taken.kind === 'unknown') {
    throw new LoginError('ERR_CODE_FLOW_STATE_UNKNOWN', 'this login was not started in this browser, or more than ten minutes ago');
  }
  if (taken.kind === 'used') {
    // The back button after a login; without one, somebody replays an old address (THREATS A12).
    if (session.state.kind === 'authenticated') return taken.returnTo;
    throw new LoginError('ERR_CODE_FLOW_LOGIN_USED', 'this login was finished before');
  }
  checkOrigin(settings, taken.transaction);
  await redeem(settings, session, query, taken.transaction);
  return taken.transaction.returnTo;
}

/** RFC 9700 §4.4: an answer counts only at the provider and the address that the browser was sent from. */
function checkOrigin({ options, provider }: CallbackSettings, transaction: LoginTransaction): void {
  const redirectUri = appUrl(options.baseUrl, options.basePath, options.routes.callback);
  if (transaction.provider === provider.name && transaction.redirectUri === redirectUri) return;
  throw new LoginError('ERR_CODE_FLOW_ISSUER_MISMATCH', 'this login was started with another provider or address');
}

async function redeem(settings: CallbackSettings, session: RequestSession, query: URLSearchParams, transaction: LoginTransaction): Promise<void> {
  const { provider, events } = settings;
  const { state, nonce, codeVerifier, maxAgeSeconds } = transaction;
  const checks = { state, nonce, codeVerifier, ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }) };
  // Rebuilt from what we sent the browser away with, never from the Host header (THREATS A15).
  const callback = new URL(`${transaction.redirectUri}?${query.toString()}`);
  const response = await provider.exchangeCode(callback, checks);
  checkStepUp(transaction, response.claims);
  const login = recordOf(settings, response);
  await store(settings, session, login, response);
  if (session.state.kind === 'authenticated') await endReplaced(settings, session.state.login, login);
  events.emit('login.succeeded', { provider: provider.name, grant: hashId(login.grantId) });
}

function recordOf({ options, provider, clock }: CallbackSettings, response: TokenResponse): LoginRecord {
  const loginAt = Math.floor(clock.now() / 1000);
  const claims = storedClaims(response.claims);
  const idpSessionId = claims['sid'];
  return {
    provider: provider.name,
    subject: claims.sub,
    claims,
    grantId: randomId(),
    loginAt,
    expiresAt: loginAt + options.session.absoluteTimeoutSeconds,
    ...(response.scope === undefined ? {} : { scope: response.scope }),
    ...(typeof idpSessionId === 'string' ? { idpSessionId } : {}),
  };
}

/** A login that could not be stored is a failed login: its tokens are taken back (THREATS C5). */
async function store({ tokens, provider, clock }: CallbackSettings, session: RequestSession, login: LoginRecord, response: TokenResponse): Promise<void> {
  try {
    await tokens.create({ ...login, provider, confirmedAt: clock.monotonic() }, response);
    await session.startLogin(login);
  } catch (error) {
    const { refreshToken } = response;
    // Best effort, both: the error that matters is the one above.
    await Promise.allSettled([
      tokens.end(login.grantId),
      refreshToken === undefined ? undefined : provider.revoke(refreshToken, 'refresh_token'),
    ]);
    throw error;
  }
}
