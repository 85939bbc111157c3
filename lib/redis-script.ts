/** Steps of more than one command: scripts, run by their hash, and with their text where the server does not know it yet; and keys by the dozen. */
import { createHash } from 'node:crypto';
import { replyCode } from './redis-connection.js';
import type { RedisClient } from './redis-connection.js';

export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
}

export const redisScript = (lua: string): RedisScript => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') });

export type ScriptArguments = readonly (string | number | Buffer)[];

/**
 * One key, so that it also runs on a cluster. A server that was restarted or failed over gets the text again. Every script of ours answers with a
 * list of strings, some of which are bytes: hence callBuffer(), since ioredis has no type for its own `evalshaBuffer()`.
 */
export async function runScript(client: RedisClient, script: RedisScript, key: string, args: ScriptArguments): Promise<Buffer[]> {
  const asked = client.callBuffer('evalsha', script.sha1, 1, key, ...args).catch((error: unknown) => {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return client.callBuffer('eval', script.lua, 1, key, ...args);
  });
  return (await asked) as Buffer[]; // as every script of ours
}

/** One command; on a cluster, where a command's keys share a node, one for each key. */
export async function deleteKeys(client: RedisClient, keys: readonly string[]): Promise<void> {
  await (client.isCluster ? Promise.all(keys.map((key) => client.del(key))) : client.del(...keys));
}
