/**
 * The round trip at start-up: everything that is ever asked of Redis, once, through the real stores and with ids of no one.
 * A command that Redis does not know, or that its user may not run, shows here and not at the first login.
 */
import { randomUUID } from 'node:crypto';
import { epochSeconds } from './clock.js';
import type { Clock } from './clock.js';
import type { Events } from './events.js';
import type { GrantStore } from './grants/grant-store.js';
import type { TokenSet } from './grants/token-set.js';
import type { TellProblem } from './problems.js';
import { replyCode } from './redis-connection.js';
import type { RedisConnection } from './redis-connection.js';
import { hashId, randomId } from './seal.js';
import type { Sealer } from './seal.js';
import { createSealedSessionStore } from './session/sealed-session-store.js';
import type { SessionKeys } from './session/session-keys.js';

interface ProbeSettings {
  connection: RedisConnection;
  keys: SessionKeys;
  grants: GrantStore;
  sealer: Sealer;
  clock: Clock;
  events: Events;
  tell: TellProblem;
}

/** What a probe leaves behind when it is cut short is gone after this time. */
const KEEP_SECONDS = 60;

const AGAIN_AFTER_MS = 10_000;

/**
 * Begins in the background, the first time that Redis is there, and goes on until it has worked: then `store.ready` is emitted.
 * The connection tells of what is set up wrongly; that Redis is out of reach is no problem of the setup.
 */
export function probeRedis(settings: ProbeSettings): void {
  untilItWorks(settings).catch(() => undefined); // it never rejects, and nobody waits for it
}

async function untilItWorks(settings: ProbeSettings): Promise<void> {
  for (;;) {
    await settings.connection.ready();
    try {
      await probeSessions(settings);
      await probeGrants(settings.grants);
      await checkEviction(settings);
      return settings.events.emit('store.ready', {});
    } catch {
      // Told by the connection, as an event.
    }
    await new Promise<void>((resolve) => setTimeout(resolve, AGAIN_AFTER_MS).unref());
  }
}

async function probeSessions({ keys, sealer, clock }: ProbeSettings): Promise<void> {
  const sessions = createSealedSessionStore(keys, sealer, clock, KEEP_SECONDS);
  const now = epochSeconds(clock);
  const id = randomId();
  const content = { data: {}, expiresAt: now + KEEP_SECONDS };
  await sessions.create(id, content);
  await sessions.read(id);
  await sessions.peek(id);
  await sessions.exist([hashId(id)]);
  await sessions.update(id, content);
  await sessions.timesLeft([hashId(id)]);
  await sessions.replace(id, { session: '', grant: '' });
  await sessions.takeSuccessor(id);
  await sessions.destroyHashed([hashId(id)]);
  const index = `ecf:i:${hashId(id)}`;
  const member = Buffer.from('probe');
  await keys.addMember(index, member, now + KEEP_SECONDS);
  await keys.addMember(index, member, now + KEEP_SECONDS); // LPOS and PTTL are asked only where there is a list
  await keys.members(index);
  await keys.markAndList(index, 'out');
  await keys.removeMembers(index, [member]);
  await keys.deleteAll([index]);
}

async function probeGrants(grants: GrantStore): Promise<void> {
  const keepMs = KEEP_SECONDS * 1000;
  const tokens: TokenSet = { accessTokens: {} };
  const attempt = { grantId: randomId(), resource: '', owner: randomUUID(), version: 1 };
  await grants.create(attempt.grantId, tokens, undefined, keepMs);
  await grants.read(attempt.grantId, attempt.resource);
  await grants.acquire(attempt, keepMs);
  await grants.fail(attempt, 'failed', 0);
  await grants.commit(attempt, { tokens, newVersion: 2, leftMs: undefined, backOffMs: 0, keepMs });
  await grants.renew(attempt.grantId, keepMs);
  await grants.destroy(attempt.grantId);
}

/**
 * A server that makes room by dropping keys signs users out, and drops refresh tokens (THREATS J6). INFO is allowed where hosted servers
 * refuse CONFIG. Whoever may not ask for it is not told. Nor is anybody of a Redis without persistence: only CONFIG has that, and many mean it so.
 */
async function checkEviction({ connection, tell }: ProbeSettings): Promise<void> {
  const info = await connection.run('read its settings', (client) =>
    client.info('memory').catch((error: unknown) => {
      if (replyCode(error) === undefined) throw error;
      return '';
    }),
  );
  const policy = /^maxmemory_policy:([a-z-]+)/m.exec(info)?.[1] ?? 'noeviction';
  if (policy === 'noeviction') return;
  tell('ERR_CODE_FLOW_REDIS_EVICTS', `Redis drops keys when its memory is full (maxmemory-policy ${policy}), and with them logins: set it to noeviction`);
}
