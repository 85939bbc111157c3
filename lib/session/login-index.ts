/**
 * Which sessions belong to whom. Entries may be stale: what they name is then gone already, which is harmless.
 *
 * One key per subject and provider. A member holds hashes alone, enough to delete a login and too little to open it: Redis and the
 * secret together still give no token away. It is sealed all the same, so that Redis does not show who has how many logins where.
 */
import type { Clock } from '../clock.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { SessionKeys } from './session-keys.js';

/** The hashes of the two ids of one login. */
export interface IndexedLogin {
  readonly session: string;
  readonly grant: string;
}

export interface LoginIndex {
  /** Remembers a login until `expiresAt`, epoch seconds. */
  add(provider: string, subject: string, login: IndexedLogin, expiresAt: number): Promise<void>;
  /** Ends each login of this user with `end`, and forgets those alone: one that begins meanwhile stays known. */
  endEach(provider: string, subject: string, end: (login: IndexedLogin) => Promise<void>): Promise<void>;
}

/** How many logins of one user are ended at the same time. */
const AT_ONCE = 20;

export function createLoginIndex(keys: SessionKeys, sealer: Sealer, clock: Clock): LoginIndex {
  /** A subject is only unique within its provider; neither is shown in a key. */
  const nameOf = (provider: string, subject: string): string => JSON.stringify([provider, subject]);
  const keyOf = (name: string): string => `ecf:i:${hashId(name)}`;
  const now = (): number => Math.floor(clock.now() / 1000);

  function open(name: string, member: string): IndexedLogin | undefined {
    const text = sealer.open('login index', name, member);
    return text === undefined ? undefined : (JSON.parse(text) as IndexedLogin); // authentic: sealed by add()
  }

  return {
    async add(provider, subject, login, expiresAt) {
      const name = nameOf(provider, subject);
      await keys.addMember(keyOf(name), sealer.seal('login index', name, JSON.stringify(login)), now(), expiresAt);
    },

    async endEach(provider, subject, end) {
      const name = nameOf(provider, subject);
      const members = await keys.members(keyOf(name), now());
      for (let from = 0; from < members.length; from += AT_ONCE) {
        const batch = members.slice(from, from + AT_ONCE);
        const logins = batch.map((member) => open(name, member)).filter((login) => login !== undefined);
        await Promise.all(logins.map(end));
        await keys.removeMembers(keyOf(name), batch); // last: if anything failed, the next call finds them again
      }
    },
  };
}
