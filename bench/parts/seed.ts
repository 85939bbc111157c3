/** Many sessions of this package in a short time: copies of one real login under ids of their own. */
import { systemClock } from '../../lib/clock.js';
import { createEvents } from '../../lib/events.js';
import { connectRedis } from '../../lib/redis-connection.js';
import { createSealer, randomId } from '../../lib/seal.js';
import { createSealedSessionStore } from '../../lib/session/sealed-session-store.js';
import { createSessionCookie } from '../../lib/session/session-cookie.js';
import { redisSessionKeys } from '../../lib/session/session-keys.js';
import type { Entry } from './bench.js';

/** As in contestants/serve.mjs, and the name that http without a path gives. */
const SECRET = 'a secret for the bench only: 4yVqD0sZ8nKcJm2T';
const COOKIE = 'session';
const IDLE_SECONDS = 28_800;
const AT_ONCE = 200;

/** The cookies of `count` further sessions. */
export async function copySessions({ cookie }: Entry, redis: string, count: number): Promise<string[]> {
  const sealer = createSealer([SECRET]);
  const [key] = sealer.signingKeys;
  const connection = connectRedis(redis, 30, createEvents());
  await connection.ready();
  try {
    const store = createSealedSessionStore(redisSessionKeys(connection), sealer, systemClock, IDLE_SECONDS);
    const cookies = createSessionCookie(COOKIE, { secure: false, sameSite: 'lax', path: '/' }, [key!]);
    const content = await store.read(cookies.read(cookie) ?? '');
    if (content === undefined) throw new Error('the session to copy is not there');
    const copies: string[] = [];
    while (copies.length < count) {
      const ids = Array.from({ length: Math.min(AT_ONCE, count - copies.length) }, () => randomId());
      await Promise.all(ids.map((id) => store.create(id, content)));
      copies.push(...ids.map((id) => cookies.write(id).split(';')[0]!));
    }
    return copies;
  } finally {
    await connection.close();
  }
}
