/** From the tokens of a code to a login: the grant first, then the session, then the end of the login that was there before. */
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { LoginError, ProviderError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenManager } from '../grants/token-manager.js';
import type { Providers, RegisteredProvider } from '../provider-registry.js';
import { hashId, randomId } from '../seal.js';
import type { LoginRecord } from '../session/login-record.js';
import type { RequestSession } from '../session/opened-session.js';
import type { Claims, ResolvedOptions, TokenResponse } from '../types.js';
import { endReplaced, revokeTokens } from './logout.js';

interface NewLoginSettings {
  options: ResolvedOptions;
  providers: Providers;
  tokens: TokenManager;
  clock: Clock;
  events: Events;
}

/** Checks of this login alone; stored, they would only cost space. */
const CLAIMS_LEFT_OUT = new Set(['nonce', 'at_hash', 'c_hash', 's_hash']);

/** Claims and tokens of one login; a server that sends more would fill the store of all (THREATS J5). */
const LONGEST_RECORD = 65_536;

const tooLong = (): ProviderError =>
  new ProviderError('ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID', 502, 'the authorization server sent more than 64 KB of claims and tokens for one login');

/** Rejects with ProviderError for an answer that is too long to keep, and with StoreError; the tokens are taken back then. */
export async function storeLogin(settings: NewLoginSettings, session: RequestSession, provider: RegisteredProvider, response: TokenResponse): Promise<void> {
  const login = recordOf(settings, provider, response);
  await store(settings, session, provider, login, response);
  if (session.state.kind === 'authenticated') await endReplaced(settings, session.state.login, login);
  settings.events.emit('login.succeeded', { provider: provider.name, grant: hashId(login.grantId) });
}

/**
 * IPSIE's `session_expiry`: until when, in epoch seconds, the server lets a login last (THREATS C18). It can only shorten one. What is no
 * number is no such claim; and the ID Token's own `exp` is about the token (OpenID Connect Core §2).
 */
function endOf({ session_expiry: ceiling }: Partial<Claims>, loginAt: number, { session }: ResolvedOptions): number {
  const latest = loginAt + session.absoluteTimeoutSeconds;
  return typeof ceiling === 'number' && Number.isFinite(ceiling) ? Math.floor(Math.min(latest, ceiling)) : latest;
}

const overAlready = (): LoginError =>
  new LoginError('ERR_CODE_FLOW_ID_TOKEN_INVALID', 'the authorization server says by `session_expiry` that this login is over already: check the clocks');

function recordOf({ options, clock }: NewLoginSettings, provider: RegisteredProvider, response: TokenResponse): LoginRecord {
  const loginAt = epochSeconds(clock);
  const claims: Partial<Claims> = response.claims ?? {};
  const { sub: subject, sid } = claims;
  const scope = response.scope ?? (provider.scope === '' ? undefined : provider.scope);
  return {
    provider: provider.name,
    registration: provider.registration,
    ...(subject === undefined ? {} : { subject }),
    claims: Object.fromEntries(Object.entries(claims).filter(([name]) => !CLAIMS_LEFT_OUT.has(name))),
    grantId: randomId(),
    loginAt,
    expiresAt: endOf(claims, loginAt, options),
    ...(scope === undefined ? {} : { scope }),
    ...(typeof sid === 'string' ? { idpSessionId: sid } : {}),
  };
}

/** A login that could not be stored is a failed login: its tokens are taken back (THREATS C5). */
async function store(
  { tokens, clock }: NewLoginSettings,
  session: RequestSession,
  provider: RegisteredProvider,
  login: LoginRecord,
  response: TokenResponse,
): Promise<void> {
  try {
    if (login.expiresAt <= login.loginAt) throw overAlready();
    if (JSON.stringify([login, response]).length > LONGEST_RECORD) throw tooLong();
    await tokens.create({ ...login, provider, subject: login.subject, confirmedAt: clock.monotonic() }, response);
    await session.startLogin(login);
  } catch (error) {
    // Best effort, both: the error that matters is the one above.
    await Promise.allSettled([tokens.end(login.grantId), revokeTokens(provider, response)]);
    throw error;
  }
}
