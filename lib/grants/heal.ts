/**
 * When Redis lost an acknowledged commit in a fail-over (FAULTS 19), the process that still knows it puts it back. Others may have refreshed
 * from the older state meanwhile: then their tokens are the later ones, and only get a version above all that was served, so that
 * versions never go back for anybody.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Commit, GrantStore, VersionedTokens } from './grant-store.js';
import type { HeldToken } from './held-tokens.js';
import type { Locks } from './lock.js';
import { loginEnded, loginRequired } from './refresh-outcomes.js';
import { attemptOf } from './refresh-request.js';
import type { RefreshRequest } from './refresh-request.js';
import { accessTokenFor, DEFAULT_RESOURCE } from './token-set.js';

/** What this process knows of a login. */
export interface KnownPast {
  /** The newest version, and the resource whose access token came with it. */
  readonly newest: HeldToken;
  readonly resource: string;
  /** The token for the resource that is asked for. */
  readonly own: HeldToken | undefined;
}

export interface Healer {
  /** `request.version`: the one that the store shows. Resolves when it shows the newest, or something later. */
  heal(request: RefreshRequest, past: KnownPast): Promise<void>;
}

interface HealerSettings {
  readonly store: GrantStore;
  readonly clock: Clock;
  readonly locks: Locks;
  readonly healed: (request: RefreshRequest, version: number) => void;
  /** Logged out meanwhile: what only this process knew must not live on at the server. */
  readonly revoke: (request: RefreshRequest, refreshToken: string | undefined) => void;
}

/** Whether the store shows another past than the one that this process knows. */
export function wentBack(shown: VersionedTokens, { version, tokens }: VersionedTokens, resource: string): boolean {
  if (shown.version !== version) return shown.version < version;
  return shown.tokens.refreshToken !== tokens.refreshToken || accessTokenFor(shown.tokens, resource)?.token !== accessTokenFor(tokens, resource)?.token;
}

/** A refresh token that the server goes on to accept tells nothing: both lines would have it. */
const wasSpentFor = ({ spent, tokens }: HeldToken, refreshToken: string | undefined): boolean => spent !== undefined && spent === refreshToken && spent !== tokens.refreshToken;

export function createHealer({ store, clock, locks, healed, revoke }: HealerSettings): Healer {
  /** Heals of this process do not wait for each other, nor for one whose end Redis lost. */
  const ownerOfAll = randomUUID();

  /** Of two lines that parted, the one whose token ends later was redeemed later. None did where the store shows what this process redeemed. */
  function isLater({ leftMs, version, tokens }: VersionedTokens, { newest, own }: KnownPast): boolean {
    if (version < newest.version && wasSpentFor(newest, tokens.refreshToken)) return false;
    return version === newest.version || (leftMs !== undefined && own !== undefined && leftMs > own.endsAt - clock.monotonic());
  }

  function commitOf(shown: VersionedTokens, past: KnownPast, keepMs: number): Commit {
    const { newest, resource } = past;
    if (isLater(shown, past)) return { tokens: shown.tokens, newVersion: newest.version + 1, leftMs: 'keep', backOffMs: 0, keepMs };
    // Of other resources' tokens the store has its own with their ends.
    const accessTokens = { ...shown.tokens.accessTokens, ...(newest.accessToken === undefined ? {} : { [resource]: newest.accessToken }) };
    const leftMs = newest.endsAt === Infinity ? undefined : Math.max(0, Math.round(newest.endsAt - clock.monotonic()));
    return { tokens: { ...newest.tokens, accessTokens }, newVersion: newest.version, leftMs, backOffMs: 0, keepMs };
  }

  return {
    async heal(request, past) {
      const { newest, resource } = past;
      // The lock, because whoever holds it redeems the token that is there now; if it is still ours, this is the same commit again.
      const owner = newest.owner ?? ownerOfAll;
      // The server is not asked: that it refuses a resource holds nothing up.
      const shown = await locks.acquire(request, owner, DEFAULT_RESOURCE);
      if (shown.kind === 'ended') throw loginEnded();
      if (shown.kind === 'newer') {
        if (wentBack(shown, newest, resource)) await this.heal({ ...request, version: shown.version }, past);
        return;
      }
      const attempt = { ...attemptOf(request, owner), resource };
      const answer = shown.kind === 'gone' ? shown : await store.commit(attempt, commitOf(shown, past, request.keepMs));
      if (answer.kind === 'committed') healed(request, answer.version);
      if (answer.kind === 'gone') {
        revoke(request, newest.tokens.refreshToken);
        throw loginRequired();
      }
    },
  };
}
