/**
 * One refresh of one grant: lock, call the token endpoint, commit by version. `docs/decisions/refresh-protocol.md`
 * gives the reasoning; every step is safe to repeat, and no request's end reaches in here.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import { StoreError, type CodeFlowErrorCode } from '../errors.js';
import type { CodeFlowEvents, Events } from '../events.js';
import type { RefreshOutcome } from '../provider/provider.js';
import { hashId } from '../seal.js';
import type { TokenResponse } from '../types.js';
import type { AcquireAnswer, Attempt, Commit, Failure, GrantStore } from './grant-store.js';
import { createHealer } from './heal.js';
import type { Healer } from './heal.js';
import { createLocks } from './lock.js';
import type { Locks } from './lock.js';
import { backOffMs, failureOf, loginEnded, loginRequired, refusalOf, tokenUnavailable } from './refresh-outcomes.js';
import { aged, attemptOf, namesAnother, versioned } from './refresh-request.js';
import type { Refreshed, RefreshRequest } from './refresh-request.js';
import { DEFAULT_RESOURCE, nextTokenSet, withRefreshToken } from './token-set.js';

export interface Refresher extends Healer {
  /** A newer version than `request.version`. Rejects with AuthenticationRequiredError, ProviderError or StoreError. */
  refresh(request: RefreshRequest): Promise<Refreshed>;
  /** Resolves when every commit that could not be stored at once is stored or given up. */
  settled(): Promise<void>;
  /** Waits for no other process any more. */
  close(): void;
}

interface RefresherSettings {
  store: GrantStore;
  clock: Clock;
  events: Events;
  httpTimeoutSeconds: number;
  redisTimeoutSeconds: number;
}

type Lock = Extract<AcquireAnswer, { kind: 'acquired' }>;

/** A lock that was granted, with what it was asked for. */
interface HeldLock {
  readonly request: RefreshRequest;
  readonly attempt: Attempt;
  readonly lock: Lock;
}

/** How whoever heals the store later knows this commit again. */
const redeemedAs = ({ attempt, lock }: HeldLock): Pick<Refreshed, 'owner' | 'spent'> => ({ owner: attempt.owner, spent: lock.tokens.refreshToken });

const COMMIT_RETRY_MS = 50;

type RefreshEventName = Extract<keyof CodeFlowEvents, `refresh.${string}`>;

class StoreRefresher implements Refresher {
  readonly #store: GrantStore;
  readonly #clock: Clock;
  readonly #events: Events;
  /** The whole of one token call, and how long its answer is tried to be stored. */
  readonly #callMs: number;
  readonly #locks: Locks;
  readonly #pending = new Set<Promise<unknown>>();
  readonly #healer: Healer;

  constructor({ store, clock, events, httpTimeoutSeconds, redisTimeoutSeconds }: RefresherSettings) {
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
    this.#callMs = Math.ceil(httpTimeoutSeconds * 1000);
    // Longer than the token call and the two store operations around it can take, so that the lock never runs out under a living
    // holder. Derived, never an option: a lease shorter than the call spends the refresh token twice (THREATS E3).
    this.#locks = createLocks(store, clock, Math.round((httpTimeoutSeconds + 2 * redisTimeoutSeconds) * 1000 + 4000));
    const healed = (request: RefreshRequest, version: number): void => this.#tell('refresh.healed', request, version);
    this.#healer = createHealer({ store, clock, locks: this.#locks, healed, revoke: (...given) => this.#revoke(...given) });
  }

  /** The lock and what it leads to, or the newer version that makes it needless. */
  async refresh(request: RefreshRequest): Promise<Refreshed> {
    const owner = randomUUID();
    const answer = await this.#locks.acquire(request, owner);
    switch (answer.kind) {
      case 'acquired':
        return this.#redeem({ request, attempt: attemptOf(request, owner), lock: answer });
      case 'newer':
        return { ...answer, redeemed: false };
      case 'ended':
        throw loginEnded();
      case 'gone':
        throw loginRequired();
    }
  }

  heal(...given: Parameters<Healer['heal']>): Promise<void> {
    return this.#healer.heal(...given);
  }

  close(): void {
    this.#locks.close();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #redeem(held: HeldLock): Promise<Refreshed> {
    const { request, attempt, lock } = held;
    if (lock.tokens.refreshToken === undefined) throw loginRequired();
    if (lock.takeover) this.#tell('refresh.takeover', request, attempt.version);
    this.#tell('refresh.started', request, attempt.version);
    const sentAt = this.#clock.monotonic();
    // Of all that it takes, from here on, where the lock is held: a lease that is over before the token is sent spends it twice (THREATS E3).
    const deadline = AbortSignal.timeout(this.#callMs);
    const outcome = await request.provider.refresh(lock.tokens.refreshToken, {
      idToken: lock.tokens.idToken,
      resource: request.resource === DEFAULT_RESOURCE ? undefined : request.resource,
      scope: request.scope,
      deadline,
    });
    switch (outcome.kind) {
      case 'tokens':
        return namesAnother(outcome.tokens, request) ? this.#endForeign(held, outcome.tokens.refreshToken) : this.#keep(held, outcome.tokens, sentAt);
      case 'unverified':
        return this.#keepUnverified(held, outcome);
      case 'foreign':
        return this.#endForeign(held, outcome.refreshToken);
      case 'refused':
        return this.#giveUp(held, refusalOf(outcome.certain, request.resource), undefined, 'ERR_CODE_FLOW_LOGIN_ENDED');
      case 'failed':
        return this.#giveUp(held, failureOf(outcome.aboutResource === true, request.resource), outcome.retryAfterSeconds, outcome.error.code);
    }
  }

  /** Somebody else's tokens: nothing of them is kept, and the login ends loudly (THREATS D4). */
  #endForeign(held: HeldLock, refreshToken: string | undefined): Promise<Refreshed> {
    this.#revoke(held.request, refreshToken);
    this.#tell('refresh.subject_mismatch', held.request, held.attempt.version);
    return this.#giveUp(held, 'refused', undefined, 'ERR_CODE_FLOW_SUBJECT_MISMATCH');
  }

  async #keep(held: HeldLock, answer: TokenResponse, sentAt: number): Promise<Refreshed> {
    const { request, attempt, lock } = held;
    // Counted from before the request was sent: early by the time of the call rather than late.
    const spentMs = this.#clock.monotonic() - sentAt;
    const leftMs = answer.expiresInSeconds === undefined ? undefined : Math.max(0, Math.round(answer.expiresInSeconds * 1000 - spentMs));
    const tokens = nextTokenSet(answer, lock.tokens, request.resource);
    return this.#commit(held, { tokens, newVersion: attempt.version + 1, leftMs, backOffMs: 0, keepMs: request.keepMs });
  }

  /** The answer's refresh token counts although its ID Token could not be checked: to drop it would end the login (THREATS E17). */
  async #keepUnverified(held: HeldLock, outcome: Extract<RefreshOutcome, { kind: 'unverified' }>): Promise<Refreshed> {
    const { request, attempt, lock } = held;
    const wait = backOffMs(lock.failures, outcome.retryAfterSeconds);
    const tokens = withRefreshToken(lock.tokens, outcome.tokens.refreshToken);
    const stored = await this.#commit(held, { tokens, newVersion: attempt.version + 1, leftMs: 'keep', backOffMs: wait, keepMs: request.keepMs });
    if (!stored.redeemed) return stored; // A sibling was faster, and its answer could be checked.
    this.#tell('refresh.failed', request, attempt.version, outcome.error.code);
    throw tokenUnavailable(wait);
  }

  /** One try in the caller's time; if the store is out of reach, the caller is served from memory and the tries go on (FAULTS 7). */
  async #commit(held: HeldLock, commit: Commit): Promise<Refreshed> {
    const since = this.#clock.monotonic();
    try {
      return await this.#commitOnce(held, commit);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#detach(this.#commitUntil(since, held, commit));
      return { ...versioned(commit.newVersion, commit), redeemed: true, ...redeemedAs(held) };
    }
  }

  /** The answer may hold the only living refresh token: storing it is tried until the deadline, always as the same owner. */
  async #commitUntil(since: number, held: HeldLock, commit: Commit): Promise<void> {
    const deadline = this.#clock.monotonic() + this.#callMs;
    for (;;) {
      await this.#clock.sleep(COMMIT_RETRY_MS);
      try {
        await this.#commitOnce(held, aged(commit, this.#clock.monotonic() - since));
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || this.#clock.monotonic() >= deadline) throw error;
      }
    }
  }

  async #commitOnce(held: HeldLock, commit: Commit): Promise<Refreshed> {
    const { request, attempt } = held;
    const answer = await this.#store.commit(attempt, commit);
    switch (answer.kind) {
      case 'committed':
        this.#tell('refresh.committed', request, answer.version);
        return { ...versioned(answer.version, commit), redeemed: true, ...redeemedAs(held) };
      case 'stale':
        // No sibling was faster: the store went back meanwhile (FAULTS 19), and what we hold is the only living refresh token.
        if (answer.version < attempt.version) return this.#commitOnce({ ...held, attempt: { ...attempt, version: answer.version } }, commit);
        this.#tell('refresh.stale', request, answer.version);
        return { ...answer, redeemed: false };
      case 'gone':
        this.#revoke(request, commit.tokens.refreshToken);
        this.#tell('refresh.gone', request, attempt.version);
        throw loginRequired();
    }
  }

  async #giveUp({ request, attempt, lock }: HeldLock, kind: Failure, retryAfterSeconds: number | undefined, code: CodeFlowErrorCode): Promise<Refreshed> {
    const wait = backOffMs(lock.failures + (kind === 'resource' ? lock.resourceFailures : 0), retryAfterSeconds);
    const answer = await this.#store.fail(attempt, kind, wait);
    switch (answer.kind) {
      case 'newer':
        return { ...answer, redeemed: false }; // A sibling was faster: its answer counts, not our failure (THREATS E9).
      case 'ended':
        this.#tell('refresh.refused', request, attempt.version, code);
        throw loginEnded();
      case 'gone':
        throw loginRequired();
      default:
        this.#tell('refresh.failed', request, attempt.version, code);
        throw tokenUnavailable(wait);
    }
  }

  /** Best effort: what must not live on at the server is taken back; if that fails, it expires there unused. */
  #revoke(request: RefreshRequest, refreshToken: string | undefined): void {
    if (refreshToken !== undefined) this.#detach(request.provider.revoke(refreshToken, 'refresh_token'));
  }

  /** Work that goes on after its caller was answered. Its failures have been told as events by whoever saw them. */
  #detach(work: Promise<unknown>): void {
    const tracked = work.catch(() => undefined).finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }

  #tell(name: RefreshEventName, request: RefreshRequest, version: number, code?: CodeFlowErrorCode): void {
    const event = { provider: request.provider.name, grant: hashId(request.grantId), version };
    this.#events.emit(name, code === undefined ? event : { ...event, code });
  }
}

export const createRefresher = (settings: RefresherSettings): Refresher => new StoreRefresher(settings);
