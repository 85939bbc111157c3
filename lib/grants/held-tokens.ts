/** The bounded memory of what this process knows about grants. A hint for speed and for healing, never the truth. */
import { boundedMap } from '../bounded-map.js';
import type { Clock } from '../clock.js';
import type { VersionedTokens } from './grant-store.js';
import { accessTokenFor } from './token-set.js';
import type { AccessToken, TokenSet } from './token-set.js';

/** What is known of a version. `owner`: this process redeemed it for the refresh token `spent`, and stored it, or tries to, as this owner. */
export type Known = VersionedTokens & { readonly owner?: string | undefined; readonly spent?: string | undefined };

/** One access token with what decides whether it can be used. Instants are monotonic milliseconds of this process. */
export interface HeldToken {
  readonly version: number;
  readonly tokens: TokenSet;
  readonly accessToken: AccessToken | undefined;
  /** `Infinity`: the server named no lifetime. */
  readonly usableUntil: number;
  /** The end itself, without the margin. */
  readonly endsAt: number;
  /** From here on a refresh in the background is due. */
  readonly refreshFrom: number;
  readonly owner: string | undefined;
  readonly spent: string | undefined;
  /** When the store last vouched for the login. */
  confirmedAt: number;
  /** No background refresh before this. */
  quietUntil: number;
}

/** `redeemed`: by this very refresh, so that the access token is as new as can be. */
export interface Renewed {
  readonly newer: HeldToken;
  readonly redeemed: boolean;
}

export interface HeldTokens {
  get(grantId: string, resource: string): HeldToken | undefined;
  /** Keeps what the store said; never replaces a newer version by an older one. */
  remember(grantId: string, resource: string, known: Known): HeldToken;
  /** The newest version known of any resource's token: for a store that lost it. */
  newest(grantId: string): readonly [resource: string, newest: HeldToken] | undefined;
  /** The login has ended here: nothing of it is served or remembered again. */
  forget(grantId: string): void;
  hasEnded(grantId: string): boolean;
  /** Whether the record's renewal is due, asked once per grant and period. */
  renewalDue(grantId: string, periodMs: number): boolean;
}

const MOST_HELD = 10_000;
const MOST_ENDED = 10_000;

/** The last 20 % of a token's life, at most 60 s, less up to a tenth, so that processes do not all come at once. */
function refreshWindowMs(lifetimeMs: number): number {
  return Math.min(60_000, lifetimeMs * 0.2) * (1 - Math.random() * 0.1);
}

/** A token this close to its end may be over when it reaches the API: 5 % of its life, at most 1 s. */
const marginMs = (lifetimeMs: number): number => Math.min(1000, lifetimeMs * 0.05);

function assess({ version, tokens, leftMs, owner, spent }: Known, resource: string, now: number): HeldToken {
  const accessToken = accessTokenFor(tokens, resource);
  const endsAt = leftMs === undefined ? Infinity : now + leftMs;
  const lifetimeMs = accessToken?.lifetimeSeconds === undefined ? 0 : accessToken.lifetimeSeconds * 1000;
  const shared = { version, tokens, accessToken, endsAt, owner, spent, confirmedAt: now, quietUntil: 0 };
  return { ...shared, usableUntil: endsAt - marginMs(lifetimeMs), refreshFrom: endsAt - refreshWindowMs(lifetimeMs) };
}

export function createHeldTokens(clock: Clock): HeldTokens {
  const grants = boundedMap<Map<string, HeldToken>>(MOST_HELD);
  const ended = boundedMap<true>(MOST_ENDED);
  const renewed = boundedMap<number>(MOST_HELD);

  function keep(grantId: string, resource: string, token: HeldToken): void {
    const own = grants.get(grantId) ?? new Map<string, HeldToken>();
    grants.set(grantId, own.set(resource, token));
  }

  return {
    get: (grantId, resource) => grants.get(grantId)?.get(resource),
    remember(grantId, resource, known) {
      const before = grants.get(grantId)?.get(resource);
      // In a store that went back, another token may have got the number: what came last counts.
      // One that it redeemed itself is known better than by reading it.
      if (known.owner === undefined && before?.version === known.version && before.accessToken?.token === accessTokenFor(known.tokens, resource)?.token) {
        before.confirmedAt = clock.monotonic();
        return before;
      }
      const assessed = assess(known, resource, clock.monotonic());
      if (!ended.has(grantId) && (before === undefined || before.version <= known.version)) keep(grantId, resource, assessed);
      return assessed;
    },
    newest: (grantId) => [...(grants.get(grantId) ?? [])].sort(([, a], [, b]) => b.version - a.version)[0],
    forget(grantId) {
      ended.set(grantId, true);
      grants.delete(grantId);
    },
    hasEnded: (grantId) => ended.has(grantId),
    renewalDue(grantId, periodMs) {
      const now = clock.monotonic();
      const last = renewed.get(grantId);
      if (last !== undefined && now - last < periodMs) return false;
      renewed.set(grantId, now);
      return true;
    },
  };
}
