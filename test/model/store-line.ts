/** A process's line to the store: operations take effect at an instant of their own, or never, or twice, and replies get lost. */
import { StoreError } from '../../lib/errors.js';
import type { GrantStore } from '../../lib/grants/grant-store.js';
import type { TokenSet } from '../../lib/grants/token-set.js';
import { redisTimeoutSeconds, type SimulatedProcess } from './simulated-process.js';
import type { AppliedOperation, StoreAnswer } from './witness.js';

type Described = Omit<AppliedOperation, 'process' | 'lateMs' | 'stalled'>;

interface Watchers {
  /** Something goes wrong on the way. */
  readonly disturbed?: () => void;
  /** The process is about to learn how it ended. */
  readonly answered?: () => void;
}

const timedOut = (): StoreError => new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store did not answer in time');
const unavailable = (): StoreError => new StoreError('ERR_CODE_FLOW_STORE_UNAVAILABLE', 'the store is out of reach');

const describe = (version: number | undefined, leftMs?: number): string =>
  (version === undefined ? '' : `v${version} `) + (leftMs === undefined ? '' : `${leftMs} ms left`);

export function createStoreLine(process: SimulatedProcess): GrantStore {
  /** Sends one operation. `apply` is what the store does when it arrives. */
  function send<T>(name: string, apply: (lateMs: number) => Promise<T>, { disturbed, answered }: Watchers = {}): Promise<T> {
    const { time, faults } = process.world;
    const { fate, requestMs, replyMs, againMs } = faults.storeCall();
    if (fate !== 'ok' && fate !== 'twice') disturbed?.();
    const arrive = (lateMs: number): Promise<T> => {
      process.world.running = undefined;
      return apply(lateMs);
    };
    return new Promise((resolve, reject) => {
      let open = true;
      const answer = (settle: () => void): void =>
        process.run(() => {
          if (!open) return;
          open = false;
          deadline.cancel();
          answered?.();
          settle();
        });
      const deadline = time.after(redisTimeoutSeconds * 1000, () => answer(() => reject(timedOut())));
      if (fate !== 'ok') process.world.trace(`${process.name} ${name}: ${fate}`);
      if (fate === 'refused') time.after(replyMs, () => answer(() => reject(unavailable())));
      if (fate === 'refused' || fate === 'request lost') return;
      time.after(requestMs, async () => {
        const value = await arrive(requestMs);
        if (fate === 'cut') time.after(replyMs, () => answer(() => reject(unavailable())));
        else if (fate !== 'reply lost') time.after(replyMs, () => answer(() => resolve(value)));
        if (fate === 'twice') time.after(againMs, () => arrive(requestMs + againMs));
      });
    });
  }

  function watched<T extends StoreAnswer>(grantId: string, described: Described, run: (store: GrantStore) => Promise<T>): Promise<T> {
    const { world } = process;
    const { witness } = world.login(grantId);
    const apply = async (lateMs: number): Promise<T> => {
      const answer = await run(world.storeOf(process));
      world.trace(`${process.name} ${described.name} ${describe(described.attempt?.version)}-> ${answer.kind} ${describe(answer.version, answer.leftMs)}`);
      witness.applied({ ...described, process: process.name, lateMs, stalled: process.stalledSince(0) }, answer);
      return answer;
    };
    return send(described.name, apply, {
      disturbed: () => (witness.commitsDisturbed ||= described.name === 'commit'),
      answered: () => witness.answered(described),
    });
  }

  return {
    create: (...given) => process.world.storeOf(process).create(...given),
    read: (grantId, resource) => watched(grantId, { name: 'read' }, (store) => store.read(grantId, resource)),
    acquire: (attempt, leaseMs) => watched(attempt.grantId, { name: 'acquire', attempt, leaseMs }, (store) => store.acquire(attempt, leaseMs)),
    commit: (attempt, commit) => watched(attempt.grantId, { name: 'commit', attempt, commit }, (store) => store.commit(attempt, commit)),
    fail: (attempt, failure, backOffMs) =>
      watched(attempt.grantId, { name: 'fail', attempt, failure, backOffMs }, (store) => store.fail(attempt, failure, backOffMs)),
    destroyHashed: (...given) => process.world.storeOf(process).destroyHashed(...given),
    renew: (grantId, keepMs) => send('renew', () => process.world.storeOf(process).renew(grantId, keepMs)),
    destroy(grantId) {
      const { witness } = process.world.login(grantId);
      const apply = async (): Promise<TokenSet | undefined> => {
        const held = await process.world.storeOf(process).destroy(grantId);
        process.world.trace(`${process.name} destroy`);
        witness.destroyedAt ??= process.world.time.now;
        return held;
      };
      return send('destroy', apply, { disturbed: () => (witness.logoutDisturbed = true) });
    },
  };
}
