/**
 * Which logins belong to whom. Entries may be stale: what they name is then gone already, which is harmless.
 *
 * One key per subject and provider, and one per session at the authorization server. A member holds hashes alone, enough to delete a login
 * and too little to open it: Redis and the secret together still give no token away. It is sealed all the same, so that Redis does not
 * show who has how many logins where.
 *
 * Whoever ends logins marks the key in the same step in which the logins are listed. A login that is under way learns of the mark in the
 * step that adds it: it is either listed and ended, or it finds the mark and ends itself (THREATS H6).
 */
import type { Clock } from '../clock.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { LoginRecord } from './login-record.js';
import type { Marks, SessionKeys } from './session-keys.js';

/** The hashes of the two ids of one login. */
export interface LoginHashes {
  readonly session: string;
  readonly grant: string;
}

export interface IndexedLogin extends LoginHashes {
  readonly provider: string;
  /** Epoch seconds. */
  readonly loginAt: number;
  readonly expiresAt: number;
  /** What the browser called itself. */
  readonly label?: string;
}

interface ListedLogin {
  readonly login: IndexedLogin;
  /** As it is stored. */
  readonly member: Buffer;
}

/** A user at a provider, or a session of the provider's own (`sid`). */
export type Whose = { readonly provider: string } & ({ readonly subject: string } | { readonly idpSessionId: string });

export interface LoginIndex {
  /**
   * Remembers a login until `until`, epoch seconds. `false`: its user, or its session at the authorization server, was signed out
   * after `since`, monotonic milliseconds: it must not come up.
   */
  add(login: LoginRecord, entry: IndexedLogin, until: number, since: number): Promise<boolean>;
  /** Hands the logins to `end`, a hundred at a time, and forgets those alone: one that begins meanwhile stays known. Answers how many there were. */
  endEach(whose: Whose, end: (logins: readonly LoginHashes[]) => Promise<void>): Promise<number>;
  /** Every login that was added and not ended by `endEach()`, those that ended otherwise too. */
  list(whose: Whose): Promise<ListedLogin[]>;
  forget(whose: Whose, logins: readonly ListedLogin[]): Promise<void>;
}

const AT_ONCE = 100;

export function createLoginIndex(keys: SessionKeys, sealer: Sealer, clock: Clock): LoginIndex {
  const keyOf = (name: string): string => `ecf:i:${hashId(name)}`;

  function open(name: string, member: Buffer): IndexedLogin | undefined {
    const text = sealer.open('login index', name, member);
    return text === undefined ? undefined : (JSON.parse(text) as IndexedLogin); // authentic: sealed by add()
  }

  const openAll = (name: string, members: readonly Buffer[]): ListedLogin[] =>
    members.flatMap((member) => {
      const login = open(name, member);
      return login === undefined ? [] : [{ login, member }];
    });

  return {
    async add(login, entry, until, since) {
      const added = namesOf(login).map((name) => keys.addMember(keyOf(name), sealer.seal('login index', name, JSON.stringify(entry)), until));
      const marks = await Promise.all(added);
      // Counted from here: whatever the way to the store took, the mark is not taken for older than it is. A millisecond is for rounding.
      const underWayMs = clock.monotonic() - since + 1;
      return !marks.some((mark) => isOver(mark, underWayMs));
    },

    async endEach(whose, end) {
      const name = nameOf(whose);
      // The authorization server uses the id of an ended session no more; the same user may log in again at once.
      const members = await keys.markAndList(keyOf(name), 'subject' in whose ? 'out' : 'dead');
      for (let from = 0; from < members.length; from += AT_ONCE) {
        const batch = members.slice(from, from + AT_ONCE);
        const logins = openAll(name, batch);
        await end(logins.map(({ login }) => login));
        // Last: if anything failed, the next call finds them again. What a newer release or secret has listed is for those to end (FAULTS 53, 54).
        const ended = new Set(logins.map(({ member }) => member));
        await keys.removeMembers(keyOf(name), batch.filter((member) => ended.has(member) || !sealer.mayBeOthers(member)));
      }
      return members.length;
    },

    async list(whose) {
      const name = nameOf(whose);
      return openAll(name, await keys.members(keyOf(name)));
    },

    forget: (whose, logins) =>
      keys.removeMembers(
        keyOf(nameOf(whose)),
        logins.map(({ member }) => member),
      ),
  };
}

/** A subject, or a `sid`, is only unique within its provider; neither is shown in a key. */
function nameOf(whose: Whose): string {
  return JSON.stringify('subject' in whose ? [whose.provider, whose.subject] : [whose.provider, 'sid', whose.idpSessionId]);
}

function namesOf({ provider, subject, idpSessionId }: LoginRecord): string[] {
  return [
    ...(subject === undefined ? [] : [nameOf({ provider, subject })]),
    ...(idpSessionId === undefined ? [] : [nameOf({ provider, idpSessionId })]),
  ];
}

const isOver = ({ out, dead }: Marks, underWayMs: number): boolean => dead !== undefined || (out !== undefined && out <= underWayMs);
