/** The few commands on keys that sessions need, over Redis. */
import { replyCode } from '../redis-connection.js';
import type { RedisConnection } from '../redis-connection.js';
import { deleteKeys, redisScript, runScript } from '../redis-script.js';

export interface SessionKeys {
  /** Reads and renews in one round trip. `undefined`: no such key. */
  getAndRenew(key: string, ttlSeconds: number): Promise<string | undefined>;
  /** Reads without renewing, and tells how long the key will last. */
  peek(key: string): Promise<{ value: string; leftSeconds: number } | undefined>;
  /** Which of these are there. Renews none. */
  exist(keys: readonly string[]): Promise<boolean[]>;
  /** `NX`: only if absent; `XX`: only if present. `false`: the condition did not hold and nothing was written. */
  set(key: string, value: string, ttlSeconds: number, condition: 'NX' | 'XX'): Promise<boolean>;
  /** Writes whatever is there; answers what was. */
  swap(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
  /** Deletes the key; answers what it held. */
  take(key: string): Promise<string | undefined>;
  /** Deletes keys that are not read before; however many, in one step unless they are spread over a cluster. */
  deleteAll(keys: readonly string[]): Promise<void>;
  /** The time that each key has left, in milliseconds. `undefined`: no such key. */
  timesLeft(keys: readonly string[]): Promise<(number | undefined)[]>;
  /** Adds to a set whose members end one by one, at `endsAt` in epoch seconds; in the same step tells how it was marked last. */
  addMember(key: string, member: string, endsAt: number): Promise<Marks>;
  /** Marks the set for as long as `MARK_SECONDS`; in the same step lists the members that have not ended. */
  markAndList(key: string, mark: keyof Marks): Promise<string[]>;
  members(key: string): Promise<string[]>;
  removeMembers(key: string, members: readonly string[]): Promise<void>;
}

/** How long ago a set was marked, in milliseconds; absent: not, or longer ago than `MARK_SECONDS`. */
export interface Marks {
  /** What began before is over. */
  readonly out?: number;
  /** What begins later is over, too. */
  readonly dead?: number;
}

/** Longer than any login can be under way at its callback: twice `httpTimeoutSeconds` at most, and a few Redis operations. */
export const MARK_SECONDS = 300;

export const MARKS = ['out', 'dead'] as const;
const isMark = (member: string): boolean => (MARKS as readonly string[]).includes(member);

/** Replies of a server that still reads but takes no writes: during a fail-over, or when its disk or memory is full. */
const READS_STILL_WORK = new Set<string | undefined>(['READONLY', 'MISCONF', 'NOREPLICAS']);

/** All time is Redis' own. Marks are members like the others, so that they end by themselves: their score is their instant and `MARK_SECONDS`. */
const BEGIN = `local t=redis.call('TIME'); local now=t[1]+t[2]/1000000
redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf',string.format('%.6f',now))`;

/** The set lives as long as its last member. */
const END = `local last=redis.call('ZRANGE',KEYS[1],-1,-1,'WITHSCORES')
redis.call('EXPIREAT',KEYS[1],string.format('%.0f',math.ceil(last[2])))`;

/** ARGV: member, end. Answers the age of each mark, or the empty string. */
const ADD_MEMBER = redisScript(`${BEGIN}
redis.call('ZADD',KEYS[1],ARGV[2],ARGV[1])
${END}
local function age(mark)
  local ends=redis.call('ZSCORE',KEYS[1],mark)
  return ends and string.format('%.0f',(now-ends+${MARK_SECONDS})*1000) or ''
end
return {age('out'),age('dead')}`);

/** ARGV: mark. */
const MARK_AND_LIST = redisScript(`${BEGIN}
local members=redis.call('ZRANGE',KEYS[1],0,-1)
redis.call('ZADD',KEYS[1],string.format('%.6f',now+${MARK_SECONDS}),ARGV[1])
${END}
return members`);

const present = (value: string | null): string | undefined => value ?? undefined;

export function redisSessionKeys(connection: RedisConnection): SessionKeys {
  return { ...redisKeys(connection), ...redisSets(connection) };
}

/** What is done with the sets among the keys. */
export type Sets = Pick<SessionKeys, 'addMember' | 'markAndList' | 'members' | 'removeMembers'>;

function redisKeys(connection: RedisConnection): Omit<SessionKeys, keyof Sets> {
  return {
    getAndRenew(key, ttlSeconds) {
      // All in one then(): every promise on the way of every request costs.
      return connection.run('read the session', (client) => client.getex(key, 'EX', ttlSeconds).then(present, (error: unknown) => {
        if (READS_STILL_WORK.has(replyCode(error))) return client.get(key).then(present);
        throw error;
      }));
    },
    async peek(key) {
      const [value, leftSeconds] = await connection.run('read the session', (client) => Promise.all([client.get(key), client.ttl(key)]));
      return value === null || leftSeconds < 0 ? undefined : { value, leftSeconds };
    },
    async exist(keys) {
      // One command each, sent without waiting for the others: in a cluster keys of several slots cannot share one.
      const counts = await connection.run('look for ended logins', (client) => Promise.all(keys.map((key) => client.exists(key))));
      return counts.map((count) => count === 1);
    },
    async set(key, value, ttlSeconds, condition) {
      const reply = await connection.run('store the session', (client) =>
        condition === 'NX' ? client.set(key, value, 'EX', ttlSeconds, 'NX') : client.set(key, value, 'EX', ttlSeconds, 'XX'),
      );
      return reply === 'OK';
    },
    async swap(key, value, ttlSeconds) {
      return (await connection.run('replace the session', (client) => client.set(key, value, 'EX', ttlSeconds, 'GET'))) ?? undefined;
    },
    async take(key) {
      return (await connection.run('delete the session', (client) => client.getdel(key))) ?? undefined;
    },
    async deleteAll(keys) {
      if (keys.length > 0) await connection.run('delete the sessions', (client) => deleteKeys(client, keys));
    },
    async timesLeft(keys) {
      const left = await connection.run('look at the sessions', (client) => Promise.all(keys.map((key) => client.pttl(key))));
      return left.map((milliseconds) => (milliseconds < 0 ? undefined : milliseconds));
    },
  };
}

function redisSets(connection: RedisConnection): Sets {
  return {
    async addMember(key, member, endsAt) {
      const ages = await connection.run('index the session', (client) => runScript(client, ADD_MEMBER, key, [member, endsAt]));
      const [out, dead] = (ages as string[]).map((age) => (age === '' ? undefined : Number(age))); // as the script says
      return { ...(out === undefined ? {} : { out }), ...(dead === undefined ? {} : { dead }) };
    },
    async markAndList(key, mark) {
      const members = await connection.run('list the sessions', (client) => runScript(client, MARK_AND_LIST, key, [mark]));
      return (members as string[]).filter((member) => !isMark(member)); // as the script says
    },
    async members(key) {
      const members = await connection.run('list the sessions', (client) => client.zrangebyscore(key, '-inf', '+inf'));
      return members.filter((member) => !isMark(member));
    },
    async removeMembers(key, members) {
      if (members.length > 0) await connection.run('unlist the sessions', (client) => client.zrem(key, ...members));
    },
  };
}
