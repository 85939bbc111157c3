/** Running a Redis script: by its hash, and with its text where the server does not know it yet. */
import { createHash } from 'node:crypto';
import { replyCode } from './redis-connection.js';
import type { RedisClient } from './redis-connection.js';

export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
}

export const redisScript = (lua: string): RedisScript => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') });

/** One key, so that it also runs on a cluster. A server that was restarted or failed over gets the text again. */
export async function runScript(client: RedisClient, script: RedisScript, key: string, args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await client.evalsha(script.sha1, 1, key, ...args);
  } catch (error) {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return client.eval(script.lua, 1, key, ...args);
  }
}
