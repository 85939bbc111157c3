/**
 * Logins under way. Their cookies are all there is of them, so that tabs do not disturb each other and nothing is stored before an answer
 * comes. A finished login leaves where it led to, so that visiting its callback again leads there too, in whichever process.
 */
import { randomBytes } from 'node:crypto';
import { epochSeconds } from '../clock.js';
import type { Clock } from '../clock.js';
import { isSameText } from '../constant-time.js';
import type { CookieFlags } from '../cookies.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { Request, Response } from '../types.js';
import { createLoginCookies, LIFETIME_SECONDS } from './login-cookies.js';
import type { HeldLogin, LoginTransaction } from './login-cookies.js';
import type { SessionKeys } from './session-keys.js';

export type { LoginTransaction } from './login-cookies.js';

export type FoundTransaction =
  | { readonly kind: 'found'; readonly transaction: LoginTransaction }
  /** Finished before by this browser; `returnTo` is where it led. */
  | { readonly kind: 'finished'; readonly returnTo: string }
  /** Never begun in this browser, or older than ten minutes, or dropped for newer ones. */
  | { readonly kind: 'unknown' };

export interface LoginTransactions {
  /** Sets the cookie, and drops the oldest ones where there are too many. */
  begin(req: Request, res: Response, transaction: LoginTransaction): void;
  /** When this browser finished logins within the last minute, as far as its cookies tell: epoch seconds, five at most. */
  endedLately(req: Request): readonly number[];
  /** The login that `state` belongs to. */
  find(req: Request, state: string): FoundTransaction;
  /** The one silent login of this browser, for answers without `state`; `undefined`: there is none, or more than one. */
  findSilent(req: Request): LoginTransaction | undefined;
  /**
   * Before its code is redeemed: whoever has both the address and the cookies could do that again, in another process too (THREATS A12).
   * `false`: somebody was faster. Rejects with StoreError.
   */
  claim(transaction: LoginTransaction): Promise<boolean>;
  /** Leaves where it led to in place of the login. */
  finish(res: Response, transaction: LoginTransaction): void;
  /** The login came to nothing. */
  drop(res: Response, transaction: LoginTransaction): void;
  /** At a logout: what finished logins left. */
  forgetFinished(res: Response): void;
}

interface TransactionSettings {
  sealer: Sealer;
  clock: Clock;
  keys: Pick<SessionKeys, 'set' | 'peek'>;
  sessionCookieName: string;
  flags: CookieFlags;
}

const LATELY_SECONDS = 60;
const MOST_REMEMBERED = 5;
const CLAIM_PREFIX = 'ecf:t:';

export function createLoginTransactions({ keys, clock, ...settings }: TransactionSettings): LoginTransactions {
  const cookies = createLoginCookies({ clock, ...settings });
  const lately = (instants: readonly number[] = []): readonly number[] => instants.filter((instant) => instant + LATELY_SECONDS > epochSeconds(clock));

  function endedLately(req: Request): readonly number[] {
    const lists = cookies.all(req).map(({ pending, finished }) => lately(finished?.endedAt ?? pending?.endedBefore));
    return lists.reduce((longest, list) => (list.length > longest.length ? list : longest), []);
  }

  return {
    endedLately,

    begin(req, res, transaction) {
      const endedBefore = endedLately(req);
      cookies.putPending(req, res, endedBefore.length === 0 ? transaction : { ...transaction, endedBefore });
    },

    find: (req, state) => foundIn(cookies.find(req, state), state),

    findSilent(req) {
      const [only, ...more] = cookies.all(req).filter(({ pending }) => pending?.silent === true);
      return more.length === 0 ? only?.pending : undefined;
    },

    async claim({ state }) {
      const [key, ours] = [CLAIM_PREFIX + hashId(state), randomBytes(16)];
      // Ours, if the first answer got lost and it was sent again (THREATS E6).
      return (await keys.set(key, ours, LIFETIME_SECONDS, 'NX')) || (await keys.peek(key))?.value.equals(ours) === true;
    },

    finish(res, { state, returnTo, byPost, endedBefore }) {
      const endedAt = [...lately(endedBefore), epochSeconds(clock)].slice(-MOST_REMEMBERED);
      cookies.putFinished(res, state, { returnTo, endedAt, ...(byPost === undefined ? {} : { byPost }) });
    },

    drop: (res, transaction) => cookies.clear(res, cookies.nameOf(transaction.state), transaction),

    forgetFinished(res) {
      if (res.headersSent) return;
      for (const { cookie, finished } of cookies.all(res.req)) if (finished !== undefined) cookies.clear(res, cookie.name, finished);
    },
  };
}

function foundIn(held: HeldLogin | undefined, state: string): FoundTransaction {
  if (held?.finished !== undefined) return { kind: 'finished', returnTo: held.finished.returnTo };
  if (held?.pending === undefined || !isSameText(state, held.pending.state)) return { kind: 'unknown' };
  return { kind: 'found', transaction: held.pending };
}
