/**
 * The policy of tokens: a fresh one is used, one near its end is renewed in the background, an expired one makes the
 * request wait for the one refresh that the whole fleet makes.
 */
import type { Clock } from '../clock.js';
import { CodeFlowError, ProviderError, StoreError } from '../errors.js';
import type { Events } from '../events.js';
import type { TokenResponse } from '../types.js';
import type { Grant, TokenWish, UsableToken } from './grant.js';
import type { GrantStore, ReadAnswer, VersionedTokens } from './grant-store.js';
import { wentBack } from './heal.js';
import { createHeldTokens } from './held-tokens.js';
import type { HeldToken, HeldTokens, Renewed } from './held-tokens.js';
import { joinReads } from './join-reads.js';
import { createRefresher } from './refresh.js';
import type { Refresher } from './refresh.js';
import { loginEnded, loginRequired, tokenUnavailable } from './refresh-outcomes.js';
import type { RefreshRequest } from './refresh-request.js';
import { DEFAULT_RESOURCE, nextTokenSet } from './token-set.js';
import type { AccessToken, GrantLogin, TokenSet } from './token-set.js';
import { within } from './within.js';

export interface TokenManager {
  /** Stores the tokens of a new login. */
  create(grant: Grant, response: TokenResponse): Promise<void>;
  /** Rejects with AuthenticationRequiredError, ProviderError (503, with `retryAfterSeconds`), StoreError, or the signal's reason. */
  accessToken(grant: Grant, wish: TokenWish): Promise<UsableToken>;
  /** The current token set, expired or not. */
  current(grant: Grant): Promise<TokenSet>;
  /** Whose grant this is; `undefined`: it is gone or has ended. */
  loginOf(grantId: string): Promise<GrantLogin | undefined>;
  /** Lets the record live as long as its session; costs a command only every few hours. */
  keepAlive(login: Pick<Grant, 'grantId' | 'loginAt' | 'expiresAt'>): void;
  /** Ends the grant here and in the store; answers what it held, for revocation. */
  end(grantId: string): Promise<TokenSet | undefined>;
  /** Ends the grants with these hashes in the store; processes that hold their tokens notice within a second. */
  endHashed(hashes: readonly string[]): Promise<void>;
  /** Starts no new refresh; resolves when the running ones and their commits are done, or after this time. */
  close(limitMs: number): Promise<void>;
}

interface TokenManagerSettings {
  store: GrantStore;
  clock: Clock;
  events: Events;
  httpTimeoutSeconds: number;
  redisTimeoutSeconds: number;
  idleTimeoutSeconds: number;
  /** Grants live this long after their last use, whatever becomes of the session; absent: as long as the session can. */
  grantIdleTimeoutSeconds?: number | undefined;
}

/** A token known to this process is used without asking the store if the store vouched for the login this recently. */
const VOUCHED_FOR_MS = 1000;

/** After a background refresh was started, the next one waits at least this long. */
const EARLY_PAUSE_MS = 1000;

/** A store that goes back in time again and again within one refresh is left alone for a while. */
const MOST_HEALINGS = 3;

class StoreTokenManager implements TokenManager {
  readonly #store: GrantStore;
  readonly #readStore: GrantStore['read'];
  readonly #clock: Clock;
  readonly #refresher: Refresher;
  readonly #held: HeldTokens;
  readonly #waitMs: number;
  readonly #idleMs: number;
  readonly #keptMs: number | undefined;
  /** One refresh per grant and resource in this process; only the flight itself takes its entry away. */
  readonly #flights = new Map<string, Promise<Renewed>>();
  #closed = false;

  constructor(settings: TokenManagerSettings) {
    this.#store = settings.store;
    this.#readStore = joinReads(settings.store);
    this.#clock = settings.clock;
    this.#refresher = createRefresher(settings);
    this.#held = createHeldTokens(settings.clock);
    this.#waitMs = settings.httpTimeoutSeconds * 1000;
    this.#idleMs = settings.idleTimeoutSeconds * 1000;
    this.#keptMs = settings.grantIdleTimeoutSeconds === undefined ? undefined : settings.grantIdleTimeoutSeconds * 1000;
  }

  async create(grant: Grant, response: TokenResponse): Promise<void> {
    const { loginAt, expiresAt, subject, registration } = grant;
    const login = { provider: grant.provider.name, loginAt, expiresAt, ...(subject === undefined ? {} : { subject }), ...(registration === undefined ? {} : { registration }) };
    const tokens = { ...nextTokenSet(response, undefined, DEFAULT_RESOURCE), login };
    const leftMs = response.expiresInSeconds === undefined ? undefined : Math.round(response.expiresInSeconds * 1000);
    await this.#store.create(grant.grantId, tokens, leftMs, this.#keepMs(grant));
    this.#held.remember(grant.grantId, DEFAULT_RESOURCE, { version: 1, tokens, ...(leftMs === undefined ? {} : { leftMs }) });
  }

  async accessToken(grant: Grant, wish: TokenWish): Promise<UsableToken> {
    wish.signal?.throwIfAborted();
    const resource = wish.resource ?? DEFAULT_RESOURCE;
    const refused = wish.refusedVersion ?? 0;
    let known = this.#vouchedFor(grant, resource) ?? (await this.#read(grant, resource));
    const deadline = this.#clock.monotonic() + this.#waitMs;
    // Newer versions may bring other resources' tokens, however many: the deadline alone ends the rounds.
    for (;;) {
      if (known.version > refused && this.#isUsable(known)) {
        this.#refreshEarly(grant, wish, known);
        return { ...known.accessToken, version: known.version };
      }
      if (known.tokens.refreshToken === undefined) throw loginRequired();
      const { newer, redeemed } = await this.#waitForRefresh(grant, wish, known, deadline);
      // Straight from the server: used once even if its life is shorter than the way here (THREATS D7).
      if (redeemed && newer.version > refused && newer.accessToken !== undefined) return { ...newer.accessToken, version: newer.version };
      known = newer;
    }
  }

  #isUsable(known: HeldToken): known is HeldToken & { accessToken: AccessToken } {
    return known.accessToken !== undefined && known.usableUntil > this.#clock.monotonic();
  }

  async current(grant: Grant): Promise<TokenSet> {
    return (this.#vouchedFor(grant, DEFAULT_RESOURCE) ?? (await this.#read(grant, DEFAULT_RESOURCE))).tokens;
  }

  async loginOf(grantId: string): Promise<GrantLogin | undefined> {
    const answer = await this.#store.read(grantId, DEFAULT_RESOURCE);
    return answer.kind === 'alive' ? this.#held.remember(grantId, DEFAULT_RESOURCE, answer).tokens.login : undefined;
  }

  keepAlive(grant: Parameters<TokenManager['keepAlive']>[0]): void {
    const now = this.#clock.now();
    const isOver = this.#keptMs === undefined && now >= grant.expiresAt * 1000;
    if (isOver || now - grant.loginAt * 1000 < this.#idleMs || !this.#held.renewalDue(grant.grantId, this.#idleMs / 2)) return;
    // Nobody waits for it, and if it fails the next one comes in time: the record outlives the session by far.
    this.#store.renew(grant.grantId, this.#keepMs(grant)).catch(() => undefined);
  }

  async end(grantId: string): Promise<TokenSet | undefined> {
    const held = await this.#store.destroy(grantId);
    this.#held.forget(grantId);
    return held;
  }

  endHashed(hashes: readonly string[]): Promise<void> {
    return this.#store.destroyHashed(hashes);
  }

  async close(limitMs: number): Promise<void> {
    this.#closed = true;
    this.#refresher.close();
    const limit = new AbortController();
    const done = Promise.allSettled(this.#flights.values()).then(() => this.#refresher.settled());
    await Promise.race([done, this.#clock.sleep(limitMs, limit.signal)]);
    limit.abort();
  }

  /** Twice the idle time: a session that is used, however rarely, never outlives its grant. */
  #keepMs({ expiresAt }: Pick<Grant, 'expiresAt'>): number {
    if (this.#keptMs !== undefined) return this.#keptMs;
    return Math.max(1000, Math.round(Math.min(this.#idleMs * 2, expiresAt * 1000 - this.#clock.now())));
  }

  /** What this process holds, if the store vouched for the login a moment ago; after a logout elsewhere it no longer does. */
  #vouchedFor(grant: Grant, resource: string): HeldToken | undefined {
    if (this.#held.hasEnded(grant.grantId)) throw loginRequired();
    const held = this.#held.get(grant.grantId, resource);
    if (held === undefined) return undefined;
    const confirmedAt = Math.max(held.confirmedAt, grant.confirmedAt);
    return this.#clock.monotonic() - confirmedAt <= VOUCHED_FOR_MS ? held : undefined;
  }

  async #read(grant: Grant, resource: string): Promise<HeldToken> {
    const { grantId } = grant;
    const answer = living(await this.#readStore(grantId, resource));
    const own = this.#held.get(grantId, resource);
    const lost = own !== undefined && wentBack(answer, own, resource) ? own : undefined;
    const [, newest] = this.#held.newest(grantId) ?? [];
    if (lost === undefined && (newest === undefined || newest.version <= answer.version)) return this.#held.remember(grantId, resource, answer);
    await this.#heal(this.#request(grant, { resource }, answer.version, false)).catch(unlessBusy);
    // What was lost may be another resource's alone, and with it the refresh token that this one would be renewed with.
    if (lost === undefined) return this.#held.remember(grantId, resource, living(await this.#readStore(grantId, resource)));
    lost.confirmedAt = this.#clock.monotonic();
    return lost;
  }

  /** The store went back in time: what this process still knows is put there again, and the old version is never served. */
  async #heal(request: RefreshRequest): Promise<void> {
    const past = this.#held.newest(request.grantId);
    if (past === undefined) return; // logged out here meanwhile, or forgotten
    const [resource, newest] = past;
    await this.#refresher.heal(request, { newest, resource, own: this.#held.get(request.grantId, request.resource) });
  }

  #request(grant: Grant, wish: TokenWish, version: number, wait: boolean): RefreshRequest {
    const { grantId, provider, subject } = grant;
    return { grantId, provider, subject, resource: wish.resource ?? DEFAULT_RESOURCE, scope: wish.scope, version, keepMs: this.#keepMs(grant), wait };
  }

  /** A failing early refresh is invisible: the token in hand is still good. */
  #refreshEarly(grant: Grant, wish: TokenWish, known: HeldToken): void {
    const now = this.#clock.monotonic();
    if (known.refreshFrom > now || known.quietUntil > now || known.tokens.refreshToken === undefined || this.#closed) return;
    known.quietUntil = now + EARLY_PAUSE_MS;
    const request = this.#request(grant, wish, known.version, false);
    this.#fly(request).catch((error: unknown) => {
      if (error instanceof CodeFlowError && error.retryAfterSeconds !== undefined) known.quietUntil = now + error.retryAfterSeconds * 1000;
    });
  }

  #fly(request: RefreshRequest): Promise<Renewed> {
    // One that does not wait for other processes is of no use to a caller that does.
    const key = `${request.grantId}\n${request.resource}\n${request.wait}`;
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    if (this.#closed) return Promise.reject(new StoreError('ERR_CODE_FLOW_CLOSED', 'this process is shutting down and starts no refresh'));
    const flight = this.#renew(request).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** Remembers by itself: if all who wait give up, what could not be stored yet is known nowhere else. */
  async #renew(request: RefreshRequest): Promise<Renewed> {
    for (let round = 1; round <= MOST_HEALINGS; round += 1) {
      const refreshed = await this.#refresher.refresh(request);
      if (refreshed.version >= request.version) return { newer: this.#held.remember(request.grantId, request.resource, refreshed), redeemed: refreshed.redeemed };
      await this.#heal({ ...request, version: refreshed.version });
    }
    throw tokenUnavailable(1000);
  }

  #waitForRefresh(grant: Grant, wish: TokenWish, known: HeldToken, deadline: number): Promise<Renewed> {
    const flight = this.#fly(this.#request(grant, wish, known.version, true));
    return within(flight, deadline - this.#clock.monotonic(), wish.signal);
  }
}

function living(answer: ReadAnswer): VersionedTokens {
  if (answer.kind === 'ended') throw loginEnded();
  if (answer.kind === 'gone') throw loginRequired();
  return answer;
}

/** Somebody refreshes just now, or must not for a while: whoever comes next puts the store right. */
function unlessBusy(error: unknown): void {
  if (!(error instanceof ProviderError)) throw error;
}

export function createTokenManager(settings: TokenManagerSettings): TokenManager {
  return new StoreTokenManager(settings);
}
