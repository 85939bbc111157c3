/** What Redis' error replies mean. Their text quotes commands, keys and user names: none of it goes on but names of commands. */
import { types } from 'node:util';
import type { TellProblem } from './problems.js';

/** The first word of a Redis error reply, such as `READONLY` or `OOM`: the only part of it that holds no arguments. */
export function replyCode(error: unknown): string | undefined {
  return types.isNativeError(error) ? /^[A-Z]{2,}/.exec(error.message)?.[0] : undefined;
}

/** Whatever we ask of Redis, for those who write its access rules. */
const NEEDED =
  'GETEX, GET, GETDEL, TTL, PTTL, EXISTS, SET, DEL, PEXPIRE, EVALSHA and EVAL, and in scripts TIME, HGET, HMGET, HSET, HDEL, HINCRBY, PEXPIRE, DEL, ' +
  'LRANGE, LPOS, LPUSH, RPUSH, LSET, LREM, PTTL and EXPIREAT';

const THE_CLIENT = 'the client or URL that was passed as `redis`';

/** Replies that come again until somebody changes the setup. `$1` is the name of a command. */
const PROBLEMS: readonly (readonly [RegExp, string])[] = [
  [/^ERR unknown command [`'"]?([a-z|]+)/i, 'Redis does not know the command $1: Redis 6.2 or later is needed'],
  [/^NOPERM [^\n]*'([a-z|]+)' command/i, `the Redis user may not run the command $1. Needed are ${NEEDED}`],
  [/^NOPERM/, 'the Redis user may not read and write our keys: allow the pattern ecf:* (behind the `keyPrefix` of the client, if it has one)'],
  [/^ERR [^\n]*(?:can't run this command|Unknown Redis command called)/, `a script may not run a command, or Redis does not know it. Needed are ${NEEDED}`],
  [/^ERR (?:syntax error|wrong number of arguments)/, 'Redis does not understand a command of ours: Redis 6.2 or later and connect-redis 8.1 are needed'],
  [/^NOAUTH/, `Redis wants a password, and ${THE_CLIENT} has none`],
  [/^(?:WRONGPASS|ERR invalid password)/, `Redis refuses the user name or password of ${THE_CLIENT}`],
  [/^ERR (?:DB index is out of range|invalid DB index|SELECT is not allowed)/, `Redis has no database of the number that ${THE_CLIENT} names`],
  [/^(?:MOVED|ASK) /, 'Redis is a cluster, and the client that was passed as `redis` is for a single server: pass a `Cluster` of ioredis'],
  [/^ERR This instance has cluster support disabled/, 'Redis is no cluster, but the client that was passed as `redis` is for one: pass a `Redis` of ioredis'],
];

/** OpenSSL's and Node's names for a certificate or protocol that will not do. */
const TLS_CODE = /CERT|SIGNATURE|^ERR_(?:TLS|SSL)_|^EPROTO$/;

/** What has to be set up differently, or `undefined` for everything that may pass by itself. Holds no argument, key or password. */
function problemIn(error: unknown): string | undefined {
  if (!types.isNativeError(error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && TLS_CODE.test(code)) return `there is no TLS connection to Redis (${code})`;
  for (const [pattern, advice] of PROBLEMS) {
    const found = pattern.exec(error.message);
    if (found !== null) return advice.replace('$1', found[1]?.toUpperCase() ?? '');
  }
  return undefined;
}

/** Tells of a problem with the setup of Redis. */
export function createReplyListener(tell: TellProblem): (error: unknown) => void {
  return (error) => {
    const problem = problemIn(error);
    if (problem !== undefined) tell('ERR_CODE_FLOW_REDIS_INCOMPATIBLE', problem);
  };
}
