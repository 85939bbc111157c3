/** Grants in Redis: keys carry a hash of the grant id, token sets are sealed with the id itself. */
import { StoreError } from '../errors.js';
import type { RedisConnection } from '../redis-connection.js';
import { deleteKeys, runScript } from '../redis-script.js';
import type { RedisScript, ScriptArguments } from '../redis-script.js';
import { hashId } from '../seal.js';
import type { Sealer } from '../seal.js';
import type { AcquireAnswer, Attempt, Commit, CommitAnswer, FailAnswer, Failure, GrantStore, ReadAnswer, VersionedTokens } from './grant-store.js';
import { ACQUIRE, COMMIT, CREATE, DESTROY, FAIL, READ } from './redis-grant-scripts.js';
import { DEFAULT_RESOURCE } from './token-set.js';
import type { TokenSet } from './token-set.js';

/** Other requests of an ended login learn of its end for this long; its tokens are gone at once. */
const REMEMBER_END_MS = 600_000;

/** What a script answers: a word for what became of it, and whatever it found. */
interface Reply {
  readonly outcome: string;
  readonly found: readonly Buffer[];
}

/** The braces keep everything of one login in one slot of a cluster. */
const keyOfHash = (hash: string): string => `ecf:g:{${hash}}`;
const keyOf = (grantId: string): string => keyOfHash(hashId(grantId));

class RedisGrantStore implements GrantStore {
  readonly #connection: RedisConnection;
  readonly #sealer: Sealer;

  constructor(connection: RedisConnection, sealer: Sealer) {
    this.#connection = connection;
    this.#sealer = sealer;
  }

  async create(grantId: string, tokens: TokenSet, leftMs: number | undefined, keepMs: number): Promise<void> {
    const sealed = this.#seal(grantId, 1, tokens);
    const { outcome } = await this.#run('store the grant', CREATE, grantId, [sealed, DEFAULT_RESOURCE, leftMs ?? '', keepMs]);
    if (outcome !== 'OK') throw new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'a new grant found its key taken');
  }

  async read(grantId: string, resource: string): Promise<ReadAnswer> {
    const { outcome, found } = await this.#run('read the grant', READ, grantId, [resource]);
    if (outcome === 'OK') return this.#withTokens('alive', grantId, found);
    return { kind: outcome === 'ENDED' ? 'ended' : 'gone' };
  }

  async acquire({ grantId, owner, version, resource, pausing = resource }: Attempt, leaseMs: number): Promise<AcquireAnswer> {
    const { outcome, found } = await this.#run('lock the grant', ACQUIRE, grantId, [owner, version, leaseMs, resource, hashId(pausing)]);
    switch (outcome) {
      case 'OK': {
        const acquired = this.#withTokens('acquired', grantId, found);
        if (acquired.kind === 'gone') return acquired;
        return { ...acquired, takeover: numberAt(found, 3) === 1, failures: numberAt(found, 4), resourceFailures: numberAt(found, 5) };
      }
      case 'NEWER':
        return this.#withTokens('newer', grantId, found);
      case 'BUSY':
        return { kind: 'busy', leftMs: numberAt(found, 0) };
      case 'BACKOFF':
        return { kind: 'backing off', leftMs: numberAt(found, 0) };
      default:
        return { kind: outcome === 'ENDED' ? 'ended' : 'gone' };
    }
  }

  async commit({ grantId, owner, version, resource }: Attempt, { tokens, newVersion, leftMs, backOffMs, keepMs }: Commit): Promise<CommitAnswer> {
    const args = [owner, version, this.#seal(grantId, newVersion, tokens), newVersion, resource, leftMs ?? '', backOffMs, keepMs, hashId(resource)];
    const { outcome, found } = await this.#run('store the refreshed grant', COMMIT, grantId, args);
    if (outcome === 'OK') return { kind: 'committed', version: numberAt(found, 0) };
    return outcome === 'STALE' ? this.#withTokens('stale', grantId, found) : { kind: 'gone' };
  }

  async fail({ grantId, owner, version, resource }: Attempt, failure: Failure, backOffMs: number): Promise<FailAnswer> {
    const args = [owner, version, failure, backOffMs, resource, REMEMBER_END_MS, hashId(resource)];
    const { outcome, found } = await this.#run('release the grant', FAIL, grantId, args);
    switch (outcome) {
      case 'OK':
        return { kind: 'recorded' };
      case 'NEWER':
        return this.#withTokens('newer', grantId, found);
      case 'LOST':
        return { kind: 'lost' };
      default:
        return { kind: outcome === 'ENDED' ? 'ended' : 'gone' };
    }
  }

  async renew(grantId: string, keepMs: number): Promise<void> {
    await this.#connection.run('renew the grant', (client) => client.pexpire(keyOf(grantId), keepMs));
  }

  async destroy(grantId: string): Promise<TokenSet | undefined> {
    const { outcome, found } = await this.#run('delete the grant', DESTROY, grantId, []);
    return outcome === 'OK' ? this.#open(grantId, found) : undefined;
  }

  async destroyHashed(hashes: readonly string[]): Promise<void> {
    if (hashes.length > 0) await this.#connection.run('delete the grants', (client) => deleteKeys(client, hashes.map(keyOfHash)));
  }

  async #run(operation: string, script: RedisScript, grantId: string, args: ScriptArguments): Promise<Reply> {
    const [outcome = '', ...found] = await this.#connection.run(operation, (client) => runScript(client, script, keyOf(grantId), args));
    return { outcome: outcome.toString(), found };
  }

  /** The version is part of the seal: a token set never opens as another version's (THREATS C20). */
  #seal(grantId: string, version: number, tokens: TokenSet): Buffer {
    return this.#sealer.seal('grant', grantId, JSON.stringify(tokens), `${keyOf(grantId)}|${version}`);
  }

  #open(grantId: string, [version, sealed]: Reply['found']): TokenSet | undefined {
    if (version === undefined || sealed === undefined) return undefined;
    const text = this.#sealer.open('grant', grantId, sealed, `${keyOf(grantId)}|${version.toString()}`);
    return text === undefined ? undefined : (JSON.parse(text) as TokenSet); // authentic: sealed by us
  }

  /** A record that cannot be opened is for its user the same as gone. */
  #withTokens<K extends string>(kind: K, grantId: string, found: Reply['found']): ({ kind: K } & VersionedTokens) | { kind: 'gone' } {
    const tokens = this.#open(grantId, found);
    if (tokens === undefined) return { kind: 'gone' };
    const knowsEnd = found[2]?.length !== 0;
    return { kind, version: numberAt(found, 0), tokens, ...(knowsEnd ? { leftMs: numberAt(found, 2) } : {}) };
  }
}

const numberAt = (found: Reply['found'], place: number): number => Number(found[place]?.toString());

export function createRedisGrantStore(connection: RedisConnection, sealer: Sealer): GrantStore {
  return new RedisGrantStore(connection, sealer);
}
