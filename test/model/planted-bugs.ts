/** Bugs of the kind that real refresh code had, and what the model has to say about each. */
import type { GrantStore, VersionedTokens } from '../../lib/grants/grant-store.js';
import type { ExplorerSettings } from './explorer.js';

export interface PlantedBug extends Pick<ExplorerSettings, 'plant' | 'plantInProcess'> {
  readonly name: string;
  readonly finding: RegExp;
}

/** Everything else goes on to the real store. */
const changed = (store: GrantStore, changes: Partial<GrantStore>): GrantStore => ({
  create: (...given) => store.create(...given),
  read: (...given) => store.read(...given),
  acquire: (...given) => store.acquire(...given),
  commit: (...given) => store.commit(...given),
  fail: (...given) => store.fail(...given),
  renew: (...given) => store.renew(...given),
  destroy: (...given) => store.destroy(...given),
  destroyHashed: (...given) => store.destroyHashed(...given),
  ...changes,
});

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a commit that does not look at the version',
    finding: /replaced by older ones|came back|spends .* again/,
    plant: (store) =>
      changed(store, {
        async commit(attempt, commit) {
          const now = await store.read(attempt.grantId, attempt.resource);
          if (now.kind !== 'alive') return store.commit(attempt, commit);
          return store.commit({ ...attempt, version: now.version }, { ...commit, newVersion: now.version + 1 });
        },
      }),
  },
  {
    name: 'a lease that is shorter than the call',
    finding: /while a call of .* is under way|spends .* again/,
    plant: (store) => changed(store, { acquire: (attempt) => store.acquire(attempt, 1000) }),
  },
  {
    name: 'a lock that everybody gets',
    finding: /while a call of .* is under way|spends .* again/,
    plant: (store) =>
      changed(store, {
        async acquire(attempt, leaseMs) {
          const answer = await store.acquire(attempt, leaseMs);
          if (answer.kind !== 'busy') return answer;
          const read = await store.read(attempt.grantId, attempt.resource);
          return read.kind === 'alive' ? { ...read, kind: 'acquired', takeover: false, failures: 0, resourceFailures: 0 } : read;
        },
      }),
  },
  {
    name: 'a waiter that redeems the refresh token which it read before it had the lock',
    finding: /spends .* again/,
    plant(store) {
      const read = new Map<string, VersionedTokens>();
      return changed(store, {
        async read(grantId, resource) {
          const answer = await store.read(grantId, resource);
          if (answer.kind === 'alive' && !read.has(grantId)) read.set(grantId, answer);
          return answer;
        },
        async acquire(attempt, leaseMs) {
          const answer = await store.acquire(attempt, leaseMs);
          const before = read.get(attempt.grantId);
          if (answer.kind !== 'acquired' || before === undefined) return answer;
          read.delete(attempt.grantId);
          return { ...answer, tokens: before.tokens };
        },
      });
    },
  },
  {
    name: 'a refresh that stores its tokens after a logout',
    finding: /after a logout the store answers/,
    plant: (store) =>
      changed(store, {
        async commit(attempt, commit) {
          const answer = await store.commit(attempt, commit);
          if (answer.kind !== 'gone') return answer;
          await store.create(attempt.grantId, commit.tokens, 60_000, commit.keepMs);
          return { kind: 'committed', version: commit.newVersion };
        },
      }),
  },
  {
    name: 'a failure of any kind that ends the login',
    finding: /a failure that is no clear refusal ended the login/,
    plant: (store) => changed(store, { fail: (attempt, _failure, backOffMs) => store.fail(attempt, 'refused', backOffMs) }),
  },
  {
    name: 'a failure after which the next process tries again at once',
    finding: /before the end of the back-off/,
    plant: (store) => changed(store, { fail: (attempt, failure) => store.fail(attempt, failure, 0) }),
  },
  {
    name: 'a lock that stays with a refresh that is done',
    finding: /nobody ended answers|a request waited|cannot be refreshed/,
    plant: (store) =>
      changed(store, {
        async commit(attempt, commit) {
          const answer = await store.commit(attempt, commit);
          if (answer.kind === 'committed') await store.acquire({ ...attempt, version: answer.version }, 10_000);
          return answer;
        },
      }),
  },
  {
    name: 'reads from a replica that lags behind',
    finding: /came back|after a logout the store answers/,
    plant(store) {
      const before = new Map<string, Awaited<ReturnType<GrantStore['read']>>>();
      return changed(store, {
        async read(grantId, resource) {
          const answer = await store.read(grantId, resource);
          const late = before.get(grantId + resource) ?? answer;
          before.set(grantId + resource, answer);
          return late;
        },
      });
    },
  },
  {
    name: 'an overtaken refresh that takes its tokens back at the server',
    finding: /the record is gone/,
    plant: (store) =>
      changed(store, {
        async commit(attempt, commit) {
          const answer = await store.commit(attempt, commit);
          return answer.kind === 'stale' ? { kind: 'gone' } : answer;
        },
      }),
  },
  {
    name: 'a rotated refresh token that is dropped with an ID Token which could not be checked',
    finding: /spends .* again|issued .* last/,
    plantInProcess(process) {
      const { provider } = process;
      process.provider = {
        ...provider,
        async refresh(refreshToken, context) {
          const outcome = await provider.refresh(refreshToken, context);
          return outcome.kind === 'unverified' ? { kind: 'failed', error: outcome.error } : outcome;
        },
      };
    },
  },
  {
    name: 'a logout that forgets the refresh token at the server',
    finding: /lives on after the logout/,
    plantInProcess(process) {
      process.provider = { ...process.provider, revoke: () => Promise.resolve(true) };
    },
  },
  {
    name: 'a refused token that is served again',
    finding: /said that .* is refused/,
    plantInProcess(process) {
      const { manager } = process;
      const accessToken: typeof manager.accessToken = (grant, { refusedVersion: _, ...wish }) => manager.accessToken(grant, wish);
      process.manager = Object.assign(Object.create(manager) as typeof manager, { accessToken, ...bound(manager) });
    },
  },
];

/** The other methods, on the object that their private fields belong to. */
function bound<M extends { create: unknown; end: unknown; close: unknown }>(manager: M): Pick<M, 'create' | 'end' | 'close'> {
  const bind = (method: unknown): never => (method as (...all: unknown[]) => unknown).bind(manager) as never; // the same function
  return { create: bind(manager.create), end: bind(manager.end), close: bind(manager.close) };
}
