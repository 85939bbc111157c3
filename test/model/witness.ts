/**
 * Sees every step of one login where it takes effect, and knows what must never happen. `violations` is empty at the end, or the code
 * under test (or this model) has a bug.
 */
import type { Attempt, Commit, Failure, GrantStore } from '../../lib/grants/grant-store.js';
import type { UsableToken } from '../../lib/grants/grant.js';
import type { TokenSet } from '../../lib/grants/token-set.js';
import type { Family, Issued, SimulatedServer, TokenCall } from './simulated-server.js';

/** The operations of the store that concern tokens. */
export type StoreOperation = Exclude<keyof GrantStore, 'create' | 'renew'>;

/** What an operation answered, as far as this file looks into it. */
export interface StoreAnswer {
  readonly kind: string;
  readonly version?: number;
  readonly tokens?: TokenSet;
  readonly leftMs?: number;
}

/** One operation at the moment at which the store carries it out. */
export interface AppliedOperation {
  readonly process: string;
  readonly name: StoreOperation;
  /** How long it was under way. */
  readonly lateMs: number;
  /** Its process stood still for a while: it knows no times exactly. */
  readonly stalled: boolean;
  readonly attempt?: Attempt;
  readonly leaseMs?: number;
  readonly commit?: Commit;
  readonly failure?: Failure;
  readonly backOffMs?: number;
}

/** A state that the store had: what a fail-over can bring back. */
export interface StoredState {
  readonly version: number;
  readonly tokens: TokenSet;
  readonly endsAt: number | undefined;
}

const ALIVE = new Set(['alive', 'acquired', 'newer', 'committed', 'stale']);
/** The shortest back-off: one second less its jitter. */
const SHORTEST_BACK_OFF_MS = 800;
/** For so long a process tries to store an answer. */
const COMMIT_TRIES_MS = 5000;
const LONGEST_LEASE_MS = 10_000;
/** A store operation may take this long, and the times of a token are told over two of them. */
const TELLING_MS = 1000;

export class Witness {
  readonly violations: string[] = [];
  readonly states: StoredState[] = [];
  /** The store carried out a logout. */
  destroyedAt: number | undefined;
  /** The user was told that the logout is complete. */
  loggedOutAt: number | undefined;
  /** A logout met with a fault, or its process ended: what the record held may be known to nobody. */
  logoutDisturbed = false;
  logoutsUnfinished = 0;
  /** The grant was ended by a refusal. */
  ended = false;
  foreign = false;
  /** A commit met with a fault: it may never be stored. */
  commitsDisturbed = false;
  readonly calls: TokenCall[] = [];
  /** When the lock runs out that was granted to this attempt. */
  readonly #leaseEnds = new Map<string, number>();
  /** The attempt that has just learnt that it has the lock. */
  holder = '';
  readonly #revocationsTried = new Set<string>();
  /** Refresh tokens whose process knows that their record was gone. */
  readonly #toldOfLogout = new Set<string>();
  #floor = 1;
  /** The ends of the back-offs: the login's, and those of single resources. */
  #quietUntil = 0;
  readonly #resourceQuietUntil = new Map<string, number>();
  readonly #served = new Map<string, number>();
  #newestStored = 0;
  /** The store went back to an earlier state, at this time. */
  #wentBackAt = -Infinity;
  /** How much too late the end of an access token may have been noted down, beyond the usual. */
  readonly #lateBy = new Map<string, number>();

  constructor(
    readonly server: SimulatedServer,
    readonly family: Family,
    readonly trace: (text: string) => void,
  ) {}

  get #now(): number {
    return this.server.time.now;
  }

  violated(text: string): void {
    this.violations.push(text);
    this.trace(`VIOLATION: ${text}`);
  }

  applied(operation: AppliedOperation, answer: StoreAnswer): void {
    const { name } = operation;
    if (this.destroyedAt !== undefined && ALIVE.has(answer.kind)) this.violated(`after a logout the store answers ${name} with '${answer.kind}'`);
    if (answer.kind === 'gone' && this.destroyedAt === undefined && !this.ended) this.violated('the record is gone, and nobody logged out');
    if (name === 'acquire' && answer.kind === 'acquired') this.#acquired(operation);
    if (name === 'commit') this.#commitApplied(operation, answer);
    if (name === 'fail') this.#failApplied(operation, answer);
    if (answer.kind === 'ended' && !this.ended) this.violated(`the grant has ended without a refusal (${name})`);
    this.#watchVersion(answer.version, name);
  }

  #watchVersion(version: number | undefined, name: string): void {
    if (version === undefined) return;
    if (version < this.#floor) this.violated(`version ${version} came back after version ${this.#floor} (${name})`);
    this.#floor = Math.max(this.#floor, version);
  }

  /** The lock of the attempt that calls the token endpoint now. */
  get leaseEnd(): number {
    return this.#leaseEnds.get(this.holder) ?? 0;
  }

  #acquired({ attempt, leaseMs }: AppliedOperation): void {
    const quietUntil = Math.max(this.#quietUntil, this.#resourceQuietUntil.get(attempt!.resource) ?? 0);
    if (this.#now < quietUntil) this.violated(`a lock was granted ${quietUntil - this.#now} ms before the end of the back-off`);
    this.#leaseEnds.set(attempt!.owner, this.#now + leaseMs!);
  }

  #commitApplied({ attempt, commit, lateMs, stalled }: AppliedOperation, answer: StoreAnswer): void {
    const issued = this.#issuedIn(commit!.tokens, attempt!.resource);
    if (issued === undefined) return this.violated('something was stored that the server never issued');
    if (!stalled) this.#checkEnd(commit!, attempt!.resource, this.#now - lateMs);
    if (issued.fate === 'kept') return;
    // Whoever ended before cannot learn of it.
    if (issued.fate !== 'unsaved' && (answer.kind === 'gone' || answer.kind === 'stale')) Object.assign(issued, { fate: answer.kind, keptAt: this.#now });
    if (answer.kind !== 'committed') return;
    if (issued.sequence < this.#newestStored && this.#wentBackAt === -Infinity) this.violated('tokens were replaced by older ones');
    this.#newestStored = issued.sequence;
    Object.assign(issued, { fate: 'kept', keptAt: this.#now });
    this.#lateBy.set(issued.accessToken, lateMs);
    this.#quietUntil = commit!.backOffMs === 0 ? 0 : this.#now + commit!.backOffMs;
    if (commit!.backOffMs === 0) this.#resourceQuietUntil.delete(attempt!.resource);
    this.states.push({ version: commit!.newVersion, tokens: commit!.tokens, endsAt: this.#endAfter(attempt!.resource, commit!.leftMs) });
  }

  /** A process is about to learn how its operation ended. */
  answered({ name, attempt, commit }: Pick<AppliedOperation, 'name' | 'attempt' | 'commit'>): void {
    // What follows in this process follows from this answer.
    this.holder = attempt?.owner ?? '';
    if (name === 'commit') this.#toldOfLogout.add(commit?.tokens.refreshToken ?? '');
  }

  /** The end that a process told the store at this time is not later than the real one. */
  #checkEnd({ tokens, leftMs }: Commit, resource: string, toldAt: number): void {
    const { lifetimeSeconds } = this.server.profile;
    const issued = this.family.accessTokens.get(tokens.accessTokens[resource]?.token ?? '');
    // 0: it is over, since whenever.
    if (typeof leftMs !== 'number' || leftMs === 0 || lifetimeSeconds === undefined || issued === undefined) return;
    const tooLateMs = toldAt + leftMs - (issued.issuedAt + lifetimeSeconds * 1000);
    if (tooLateMs > TELLING_MS) this.violated(`${issued.accessToken} is said to end ${tooLateMs} ms later than it does`);
  }

  /** The end of the login's own access token. */
  #endAfter(resource: string, leftMs: Commit['leftMs']): number | undefined {
    if (resource !== '' || leftMs === 'keep') return this.states.at(-1)?.endsAt;
    return leftMs === undefined ? undefined : this.#now + leftMs;
  }

  /** By its refresh token, which is new in every answer of a server that rotates; else by its access token. */
  #issuedIn({ refreshToken, accessTokens }: TokenSet, resource: string): Issued | undefined {
    const byAccessToken = this.family.accessTokens.get(accessTokens[resource]?.token ?? '');
    const byRefreshToken = this.family.refreshTokens.get(refreshToken ?? '')?.issued;
    return this.server.profile.rotation === 'static' ? (byAccessToken ?? byRefreshToken) : byRefreshToken;
  }

  #failApplied({ process, attempt, failure, backOffMs }: AppliedOperation, answer: StoreAnswer): void {
    if (answer.kind === 'ended') {
      if (this.family.refusals < this.#refusalsToEnd && !this.foreign) this.violated('a failure that is no clear refusal ended the login');
      this.ended = true;
    }
    if (answer.kind !== 'recorded') return;
    const asked = this.calls.findLast((call) => call.process === process)?.quietMs ?? 0;
    if (backOffMs! < Math.max(SHORTEST_BACK_OFF_MS, asked)) this.violated(`a back-off of ${backOffMs} ms is too short`);
    if (failure !== 'resource') this.#quietUntil = this.#now + backOffMs!;
    else if (attempt!.resource === '') this.violated('the login\'s own token is no resource');
    else this.#resourceQuietUntil.set(attempt!.resource, this.#now + backOffMs!);
  }

  /** Locks that the store forgot protect nobody for as long as a lease and a call take. */
  get #locksWereLost(): boolean {
    return this.#now < this.#wentBackAt + 2 * LONGEST_LEASE_MS;
  }

  /** Words of the server's own have to come twice. */
  get #refusalsToEnd(): number {
    return this.server.profile.refusesClearly ? 1 : 2;
  }

  sent(call: TokenCall): void {
    if (this.#now < call.leaseEnd && !this.#locksWereLost) {
      const other = this.calls.find(({ open, leaseEnd }) => open && this.#now < leaseEnd);
      if (other !== undefined) this.violated(`${call.process} calls the token endpoint while a call of ${other.process} is under way`);
    }
    this.calls.push(call);
  }

  /** Before the server redeems it: is it spent already, and was somebody allowed to try again? */
  redeeming(call: TokenCall): void {
    const token = this.family.refreshTokens.get(call.refreshToken);
    if (token?.spentAt === undefined || !call.open || this.#now >= call.leaseEnd || this.#locksWereLost) return;
    const guilty = token.answers.find(
      ({ fate, keptAt, call: first }) =>
        ((fate === 'kept' || fate === 'gone') && keptAt < first!.leaseEnd) || ((fate === 'on its way' || fate === 'received') && this.#now < first!.leaseEnd),
    );
    if (guilty !== undefined) this.violated(`${call.process} spends ${call.refreshToken} again, whose answer to ${guilty.call!.process} is ${guilty.fate}`);
  }

  /** RFC 7009. On many servers it ends all that was issued for the login, what others hold included. */
  revoking(refreshToken: string): void {
    this.#revocationsTried.add(refreshToken);
    if (this.destroyedAt === undefined && !this.ended && !this.foreign) this.violated(`${refreshToken} is revoked, and nobody logged out`);
  }

  /** The newest version that this process has served. */
  newestServed(process: string, resource: string): number {
    return this.#served.get(process + resource) ?? 0;
  }

  /** A caller got a token. `before`: the newest that its process had served when the caller came. */
  served(process: string, token: UsableToken, resource: string, refusedVersion: number, before: number): void {
    if (token.version < before) this.violated(`${process} serves version ${token.version} after version ${before}`);
    this.#served.set(process + resource, Math.max(this.newestServed(process, resource), token.version));
    const issued = this.family.accessTokens.get(token.token);
    if (issued?.resource !== resource) return this.violated(`${token.token} was served for another user or resource`);
    if (token.version <= refusedVersion) this.violated(`version ${token.version} was served to somebody who said that ${refusedVersion} is refused`);
    const { lifetimeSeconds } = this.server.profile;
    const age = this.#now - issued.issuedAt;
    const allowed = (lifetimeSeconds ?? Infinity) * 1000 + TELLING_MS + (this.#lateBy.get(token.token) ?? 0);
    // How long other tokens than the login's own live is not part of the states to which this store goes back.
    const known = resource === '' || this.#wentBackAt === -Infinity;
    if (known && age > allowed) this.violated(`${token.token} was served ${age} ms after its issue`);
  }

  /** Its process ended: `closed` in its own time, or by a crash. What it held of answers is lost, and of a commit's answer that is on its way. */
  processEnded(process: string, how: 'closed' | 'crashed'): void {
    for (const issued of this.family.accessTokens.values()) {
      if (issued.call?.process !== process) continue;
      if (how === 'crashed' && issued.fate === 'gone' && !this.#toldOfLogout.has(issued.refreshToken)) issued.fate = 'unsaved';
      if (issued.fate !== 'on its way' && issued.fate !== 'received') continue;
      const triedLong = this.commitsDisturbed && this.#now - issued.receivedAt >= COMMIT_TRIES_MS;
      if (how === 'closed' && !triedLong) this.violated(`${process} closed without storing ${issued.refreshToken}`);
      issued.fate = 'unsaved';
    }
  }

  /** The store goes back to an earlier state and drops the lock, as a replica does that becomes primary too early. */
  wentBack(state: StoredState): void {
    for (const call of this.calls) call.leaseEnd = Math.min(call.leaseEnd, this.#now);
    for (const owner of this.#leaseEnds.keys()) this.#leaseEnds.set(owner, this.#now);
    for (const later of this.states.splice(this.states.indexOf(state) + 1)) {
      const issued = this.#issuedIn(later.tokens, '');
      if (issued !== undefined) issued.fate = 'forgotten';
    }
    this.#floor = state.version;
    this.#quietUntil = 0;
    this.#resourceQuietUntil.clear();
    this.#wentBackAt = this.#now;
  }

  /** Once everything has come to rest. `stored`: what a look into the store shows. */
  atRest(stored: StoreAnswer): void {
    if (this.destroyedAt !== undefined) this.#checkLoggedOut(stored);
    else if (this.ended) this.#expectKind(stored, 'ended');
    else {
      this.#expectKind(stored, 'alive');
      this.#checkStored(stored.tokens?.refreshToken ?? '');
      if (!this.server.profile.troubled) this.#checkNothingWasted();
    }
  }

  /** Where nothing goes wrong, every call is of use. */
  #checkNothingWasted(): void {
    const wasted = [...this.family.accessTokens.values()].filter(({ fate }) => fate !== 'kept');
    if (wasted.length > 0 || this.family.refusals > 0) this.violated(`${wasted.length} calls were made for nothing, ${this.family.refusals} were refused`);
  }

  #expectKind({ kind }: StoreAnswer, expected: string): void {
    if (kind !== expected) this.violated(`the record is ${kind} instead of ${expected}`);
  }

  #checkStored(refreshToken: string): void {
    const { lastIssued } = this.family;
    const excused = new Set(['lost', 'unsaved', 'stale', 'forgotten']);
    if (refreshToken !== lastIssued.refreshToken && !excused.has(lastIssued.fate)) {
      this.violated(`the store holds ${refreshToken}, and the server issued ${lastIssued.refreshToken} last, which was ${lastIssued.fate}`);
    }
  }

  /** What the server would still take must be beyond our reach, or its revocation was tried. */
  #checkLoggedOut(stored: StoreAnswer): void {
    this.#expectKind(stored, 'gone');
    if (this.loggedOutAt === undefined || this.logoutDisturbed || this.logoutsUnfinished > 0) return;
    for (const [name, { issued }] of this.family.refreshTokens) {
      // Who committed into a record that was gone has to know of it.
      const ours = issued.fate === 'kept' || (issued.fate === 'gone' && !this.commitsDisturbed);
      const spent = this.family.refreshTokens.get(name)?.spentAt !== undefined;
      if (ours && !spent && !this.#revocationsTried.has(name) && this.server.isAlive(this.family, name)) {
        this.violated(`${name} lives on after the logout`);
      }
    }
  }
}
