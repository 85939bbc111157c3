/** An authorization server that knows of every refresh token who spent it and what became of the answer. */
import type { TokenResponse } from '../../lib/types.js';
import type { Profile } from './faults.js';
import type { VirtualTime } from './virtual-time.js';

/** One call of the token endpoint, from its sending until its caller settles it. */
export interface TokenCall {
  readonly process: string;
  readonly family: Family;
  readonly refreshToken: string;
  readonly resource: string;
  readonly sentAt: number;
  /** When the lock that the caller holds runs out. A fail-over of the store ends it early. */
  leaseEnd: number;
  /** The caller waits for the answer. */
  open: boolean;
  /** No new attempt is allowed before. */
  quietMs: number;
}

/**
 * `forgotten`: kept, and then lost by the store in a fail-over. `unsaved`: its process gave up storing it, or ended before. `lost`: nobody
 * received it.
 */
export type Fate = 'on its way' | 'received' | 'kept' | 'stale' | 'gone' | 'lost' | 'unsaved' | 'forgotten';

/** What the server issued in answer to a call. */
export interface Issued {
  readonly call: TokenCall | undefined;
  readonly sequence: number;
  readonly refreshToken: string;
  readonly accessToken: string;
  readonly resource: string;
  readonly issuedAt: number;
  fate: Fate;
  receivedAt: number;
  /** When the store took it, or said that it is too late. */
  keptAt: number;
}

interface RefreshToken {
  readonly issued: Issued;
  spentAt: number | undefined;
  revoked: boolean;
  /** What was issued for it. */
  readonly answers: Issued[];
}

/** Everything issued for one login. */
export interface Family {
  readonly id: string;
  readonly refreshTokens: Map<string, RefreshToken>;
  readonly accessTokens: Map<string, Issued>;
  lastIssued: Issued;
  ended: boolean;
  refusals: number;
}

export type Redemption = { readonly issued: Issued } | 'refused';

export class SimulatedServer {
  #sequence = 0;

  constructor(
    readonly time: VirtualTime,
    readonly profile: Profile,
  ) {}

  /** A login: its first tokens, which its process has received. */
  login(id: string): Family {
    const issued: Issued = { ...this.#makeTokens(id, ''), call: undefined, resource: '', issuedAt: this.time.now, fate: 'kept', receivedAt: this.time.now, keptAt: this.time.now };
    const family: Family = { id, refreshTokens: new Map(), accessTokens: new Map(), lastIssued: issued, ended: false, refusals: 0 };
    this.#remember(family, issued);
    return family;
  }

  #makeTokens(id: string, resource: string): { sequence: number; refreshToken: string; accessToken: string } {
    const sequence = (this.#sequence += 1);
    return { sequence, refreshToken: `${id}.rt${sequence}`, accessToken: `${id}.at${sequence}@${resource}` };
  }

  #remember(family: Family, issued: Issued): void {
    family.lastIssued = issued;
    family.accessTokens.set(issued.accessToken, issued);
    if (!family.refreshTokens.has(issued.refreshToken)) {
      family.refreshTokens.set(issued.refreshToken, { issued, spentAt: undefined, revoked: false, answers: [] });
    }
  }

  redeem(call: TokenCall): Redemption {
    const { family, resource } = call;
    const token = family.refreshTokens.get(call.refreshToken);
    if (token === undefined || family.ended || token.revoked || !this.#accepts(token)) {
      // RFC 9700 §4.14.2: nobody knows which of the two who used it is the thief.
      if (token?.spentAt !== undefined) family.ended = true;
      family.refusals += 1;
      return 'refused';
    }
    const made = this.#makeTokens(family.id, resource);
    const refreshToken = this.profile.rotation === 'static' ? call.refreshToken : made.refreshToken;
    const issued: Issued = { ...made, refreshToken, call, resource, issuedAt: this.time.now, fate: 'on its way', receivedAt: 0, keptAt: 0 };
    if (this.profile.rotation !== 'static') token.spentAt ??= this.time.now;
    token.answers.push(issued);
    this.#remember(family, issued);
    return { issued };
  }

  #accepts({ spentAt }: RefreshToken): boolean {
    return spentAt === undefined || (this.profile.rotation === 'grace' && this.time.now - spentAt <= this.profile.graceMs);
  }

  revoke(family: Family, refreshToken: string): void {
    const token = family.refreshTokens.get(refreshToken);
    if (token === undefined) return;
    token.revoked = true;
    if (this.profile.revokesFamily) family.ended = true;
  }

  /** Whether somebody could still redeem it. */
  isAlive(family: Family, refreshToken: string): boolean {
    const token = family.refreshTokens.get(refreshToken);
    return token !== undefined && !family.ended && !token.revoked && this.#accepts(token);
  }

  answer({ accessToken, refreshToken, call }: Issued): TokenResponse {
    const { lifetimeSeconds, rotation } = this.profile;
    // RFC 6749 §6: an answer without a refresh token leaves the old one valid.
    const again = rotation === 'static' && call !== undefined ? {} : { refreshToken };
    return { accessToken, ...again, ...(lifetimeSeconds === undefined ? {} : { expiresInSeconds: lifetimeSeconds }) };
  }
}
