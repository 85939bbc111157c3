/** Grants in the memory of one process: the same steps as in Redis, under the same rules. */
import { expiringMap } from '../bounded-map.js';
import type { ExpiringMap } from '../bounded-map.js';
import type { Clock } from '../clock.js';
import { hashId } from '../seal.js';
import { MOST_RESOURCE_PAUSES } from './grant-store.js';
import type { Attempt, AcquireAnswer, Commit, CommitAnswer, FailAnswer, Failure, GrantStore, ReadAnswer, VersionedTokens } from './grant-store.js';
import { DEFAULT_RESOURCE } from './token-set.js';
import type { TokenSet } from './token-set.js';

interface Pause {
  /** Monotonic ms. */
  readonly notBefore: number;
  readonly failures: number;
}

const NO_PAUSE: Pause = { notBefore: 0, failures: 0 };

interface GrantRecord {
  version: number;
  tokens: TokenSet;
  /** End of each access token, monotonic ms; absent: the server named no lifetime. */
  readonly ends: Map<string, number>;
  lock: { readonly owner: string; readonly endsAt: number } | undefined;
  lastCommit: string | undefined;
  pause: Pause;
  /** Of single resources that were refused. */
  readonly pauses: Map<string, Pause>;
  doubtfulVersion: number | undefined;
  ended: boolean;
}

/** How many logins the memory of one process holds at most. */
const MEMORY_GRANTS = 50_000;

class MemoryGrantStore implements GrantStore {
  /** By the hash of the id, as in Redis. */
  readonly #records: ExpiringMap<GrantRecord>;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#records = expiringMap(MEMORY_GRANTS, clock);
  }

  #tokens(record: GrantRecord, resource: string): VersionedTokens {
    const end = record.ends.get(resource);
    return { version: record.version, tokens: record.tokens, ...(end === undefined ? {} : { leftMs: end - this.#clock.monotonic() }) };
  }

  #setEnd(record: GrantRecord, resource: string, leftMs: number | undefined): void {
    if (leftMs === undefined) record.ends.delete(resource);
    else record.ends.set(resource, this.#clock.monotonic() + leftMs);
  }

  #longer({ failures }: Pause = NO_PAUSE, backOffMs: number): Pause {
    return { notBefore: this.#clock.monotonic() + backOffMs, failures: failures + 1 };
  }

  create(grantId: string, tokens: TokenSet, leftMs: number | undefined, keepMs: number): Promise<void> {
    const record: GrantRecord = {
      version: 1,
      tokens,
      ends: new Map(),
      lock: undefined,
      lastCommit: undefined,
      pause: NO_PAUSE,
      pauses: new Map(),
      doubtfulVersion: undefined,
      ended: false,
    };
    this.#setEnd(record, DEFAULT_RESOURCE, leftMs);
    this.#records.set(hashId(grantId), record, keepMs);
    return Promise.resolve();
  }

  read(grantId: string, resource: string): Promise<ReadAnswer> {
    const record = this.#records.get(hashId(grantId));
    if (record === undefined) return Promise.resolve({ kind: 'gone' });
    return Promise.resolve(record.ended ? { kind: 'ended' } : { kind: 'alive', ...this.#tokens(record, resource) });
  }

  acquire(attempt: Attempt, leaseMs: number): Promise<AcquireAnswer> {
    return Promise.resolve(this.#acquire(attempt, leaseMs));
  }

  #acquire({ grantId, owner, version, resource, pausing = resource }: Attempt, leaseMs: number): AcquireAnswer {
    const record = this.#records.get(hashId(grantId));
    if (record === undefined) return { kind: 'gone' };
    if (record.ended) return { kind: 'ended' };
    if (record.version !== version) return { kind: 'newer', ...this.#tokens(record, resource) };
    const now = this.#clock.monotonic();
    const foreign = record.lock?.owner === owner ? undefined : record.lock;
    if (foreign !== undefined && foreign.endsAt > now) return { kind: 'busy', leftMs: foreign.endsAt - now };
    const ofResource = record.pauses.get(pausing) ?? NO_PAUSE;
    const notBefore = Math.max(record.pause.notBefore, ofResource.notBefore);
    if (notBefore > now) return { kind: 'backing off', leftMs: notBefore - now };
    record.lock = { owner, endsAt: now + leaseMs };
    return { kind: 'acquired', ...this.#tokens(record, resource), takeover: foreign !== undefined, failures: record.pause.failures, resourceFailures: ofResource.failures };
  }

  commit(attempt: Attempt, commit: Commit): Promise<CommitAnswer> {
    return Promise.resolve(this.#commit(attempt, commit));
  }

  #commit({ grantId, owner, version, resource }: Attempt, { tokens, newVersion, leftMs, backOffMs, keepMs }: Commit): CommitAnswer {
    const record = this.#records.get(hashId(grantId));
    if (record === undefined || record.ended) return { kind: 'gone' };
    if (record.lock?.owner === owner) record.lock = undefined;
    if (record.version !== version) {
      return record.lastCommit === owner ? { kind: 'committed', version: record.version } : { kind: 'stale', ...this.#tokens(record, resource) };
    }
    record.version = newVersion;
    record.tokens = tokens;
    record.lastCommit = owner;
    if (leftMs !== 'keep') this.#setEnd(record, resource, leftMs);
    record.pause = backOffMs === 0 ? NO_PAUSE : this.#longer(record.pause, backOffMs);
    if (backOffMs === 0) {
      record.pauses.delete(resource);
      record.doubtfulVersion = undefined;
    }
    this.#records.set(hashId(grantId), record, keepMs);
    return { kind: 'committed', version: newVersion };
  }

  fail(attempt: Attempt, outcome: Failure, backOffMs: number): Promise<FailAnswer> {
    return Promise.resolve(this.#fail(attempt, outcome, backOffMs));
  }

  #fail({ grantId, owner, version, resource }: Attempt, outcome: Failure, backOffMs: number): FailAnswer {
    const record = this.#records.get(hashId(grantId));
    if (record === undefined) return { kind: 'gone' };
    if (record.ended) return { kind: 'ended' };
    const mine = record.lock?.owner === owner;
    if (mine) record.lock = undefined;
    if (record.version !== version) return { kind: 'newer', ...this.#tokens(record, resource) };
    if (!mine) return { kind: 'lost' };
    if (outcome === 'refused' || (outcome === 'doubtful' && record.doubtfulVersion === version)) {
      record.ended = true;
      record.tokens = { accessTokens: {} };
      return { kind: 'ended' };
    }
    if (outcome === 'doubtful') record.doubtfulVersion = version;
    const isApart = outcome === 'resource' && (record.pauses.has(resource) || record.pauses.size < MOST_RESOURCE_PAUSES);
    if (isApart) record.pauses.set(resource, this.#longer(record.pauses.get(resource), backOffMs));
    else record.pause = this.#longer(record.pause, backOffMs);
    return { kind: 'recorded' };
  }

  renew(grantId: string, keepMs: number): Promise<void> {
    const record = this.#records.get(hashId(grantId));
    if (record !== undefined) this.#records.set(hashId(grantId), record, keepMs);
    return Promise.resolve();
  }

  destroy(grantId: string): Promise<TokenSet | undefined> {
    const record = this.#records.get(hashId(grantId));
    this.#records.delete(hashId(grantId));
    return Promise.resolve(record === undefined || record.ended ? undefined : record.tokens);
  }

  destroyHashed(hashes: readonly string[]): Promise<void> {
    for (const hash of hashes) this.#records.delete(hash);
    return Promise.resolve();
  }
}

export function createMemoryGrantStore(clock: Clock): GrantStore {
  return new MemoryGrantStore(clock);
}
