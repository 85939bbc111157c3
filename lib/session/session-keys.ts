/** The few commands on keys that sessions need, over Redis. */
import { replyCode } from '../redis-connection.js';
import type { RedisConnection } from '../redis-connection.js';
import { deleteKeys, redisScript, runScript } from '../redis-script.js';

export interface SessionKeys {
  /** Reads and renews in one round trip. `undefined`: no such key. */
  getAndRenew(key: string, ttlSeconds: number): Promise<Buffer | undefined>;
  /** Reads without renewing, and tells how long the key will last. */
  peek(key: string): Promise<{ value: Buffer; leftSeconds: number } | undefined>;
  /** Which of these are there. Renews none. */
  exist(keys: readonly string[]): Promise<boolean[]>;
  /** `NX`: only if absent; `XX`: only if present. `false`: the condition did not hold and nothing was written. */
  set(key: string, value: Buffer, ttlSeconds: number, condition: 'NX' | 'XX'): Promise<boolean>;
  /** Writes whatever is there; answers what was. */
  swap(key: string, value: Buffer, ttlSeconds: number): Promise<Buffer | undefined>;
  /** Deletes the key; answers what it held. */
  take(key: string): Promise<Buffer | undefined>;
  /** Deletes keys that are not read before; however many, in one step unless they are spread over a cluster. */
  deleteAll(keys: readonly string[]): Promise<void>;
  /** The time that each key has left, in milliseconds. `undefined`: no such key. */
  timesLeft(keys: readonly string[]): Promise<(number | undefined)[]>;
  /** Adds to a set whose members end one by one, at `endsAt` in epoch seconds; in the same step tells how it was marked last. */
  addMember(key: string, member: Buffer, endsAt: number): Promise<Marks>;
  /** Marks the set for as long as `MARK_SECONDS`; in the same step lists the members that have not ended. */
  markAndList(key: string, mark: keyof Marks): Promise<Buffer[]>;
  members(key: string): Promise<Buffer[]>;
  removeMembers(key: string, members: readonly Buffer[]): Promise<void>;
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

/** Replies of a server that still reads but takes no writes: during a fail-over, or when its disk or memory is full. */
const READS_STILL_WORK = new Set<string | undefined>(['READONLY', 'MISCONF', 'NOREPLICAS']);

/**
 * A set is a list of `end:member`, ends in epoch seconds, in the order in which they were added: a sorted set of such long members takes some 750 bytes more. Marks stand
 * before all members, and end after `MARK_SECONDS`. All time is Redis' own. What is no entry counts as one that has ended. Many leave in one step, each
 * found by its place: to search for each would take the square of their number.
 */
const PARTS = `local function parts(entry)
  local colon=string.find(entry,':',1,true) or 0
  return tonumber(string.sub(entry,1,colon-1)) or 0,string.sub(entry,colon+1)
end
local function isMark(member) return member=='out' or member=='dead' end
local some=false
local function drop(index) redis.call('LSET',KEYS[1],index,''); some=true end
local function dropped() if some then redis.call('LREM',KEYS[1],0,'') end end`;

const BEGIN = `local t=redis.call('TIME'); local now=t[1]+t[2]/1000000
${PARTS}`;

const EXPIRY = `local function expireAt(ends) redis.call('EXPIREAT',KEYS[1],string.format('%.0f',math.ceil(ends))) end
local function keepUntil(ends)
  local left=redis.call('PTTL',KEYS[1])
  if left<0 or now*1000+left<ends*1000 then expireAt(ends) end
end`;

/** ARGV: member, end. Answers the age of each mark in milliseconds, or the empty string. What is sent twice is added once. */
const ADD_MEMBER = redisScript(`${BEGIN}
${EXPIRY}
local first=redis.call('LRANGE',KEYS[1],0,1)
while first[1] and parts(first[1])<=now do
  redis.call('LREM',KEYS[1],1,first[1])
  first=redis.call('LRANGE',KEYS[1],0,1)
end
local age={out='',dead=''}
for _,entry in ipairs(first) do
  local ends,member=parts(entry)
  if isMark(member) and ends>now then age[member]=string.format('%.0f',(now-ends+${MARK_SECONDS})*1000) end
end
local entry=ARGV[2]..':'..ARGV[1]
if not first[1] then
  redis.call('RPUSH',KEYS[1],entry)
  expireAt(ARGV[2])
else
  if not redis.call('LPOS',KEYS[1],entry,'RANK',-1,'MAXLEN',100) then redis.call('RPUSH',KEYS[1],entry) end
  keepUntil(tonumber(ARGV[2]))
end
return {age.out,age.dead}`);

/** ARGV: mark. */
const MARK_AND_LIST = redisScript(`${BEGIN}
${EXPIRY}
local members={}
for place,entry in ipairs(redis.call('LRANGE',KEYS[1],0,-1)) do
  local ends,member=parts(entry)
  if ends<=now or member==ARGV[1] then drop(place-1)
  elseif not isMark(member) then members[#members+1]=member end
end
dropped()
local ends=now+${MARK_SECONDS}
redis.call('LPUSH',KEYS[1],string.format('%.6f',ends)..':'..ARGV[1])
keepUntil(ends)
return members`);

const LIST = redisScript(`${BEGIN}
local members={}
for _,entry in ipairs(redis.call('LRANGE',KEYS[1],0,-1)) do
  local ends,member=parts(entry)
  if ends>now and not isMark(member) then members[#members+1]=member end
end
return members`);

/** ARGV: members, each once. Those that are ended come from the front, in order: no more of the list is looked at than it takes to find them. */
const REMOVE_MEMBERS = redisScript(`${PARTS}
local gone={}
for _,member in ipairs(ARGV) do gone[member]=true end
local from,left=0,#ARGV
while left>0 do
  local entries=redis.call('LRANGE',KEYS[1],from,from+199)
  if not entries[1] then break end
  for place,entry in ipairs(entries) do
    local _,member=parts(entry)
    if gone[member] then
      drop(from+place-1)
      gone[member]=nil
      left=left-1
    end
  end
  from=from+#entries
end
dropped()
return {}`);

const present = (value: Buffer | null): Buffer | undefined => value ?? undefined;

export function redisSessionKeys(connection: RedisConnection): SessionKeys {
  return { ...redisKeys(connection), ...redisSets(connection) };
}

/** What is done with the sets among the keys. */
export type Sets = Pick<SessionKeys, 'addMember' | 'markAndList' | 'members' | 'removeMembers'>;

function redisKeys(connection: RedisConnection): Omit<SessionKeys, keyof Sets> {
  return {
    getAndRenew(key, ttlSeconds) {
      // All in one then(): every promise on the way of every request costs.
      return connection.run('read the session', (client) => client.getexBuffer(key, 'EX', ttlSeconds).then(present, (error: unknown) => {
        if (READS_STILL_WORK.has(replyCode(error))) return client.getBuffer(key).then(present);
        throw error;
      }));
    },
    async peek(key) {
      const [value, leftSeconds] = await connection.run('read the session', (client) => Promise.all([client.getBuffer(key), client.ttl(key)]));
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
      return (await connection.run('replace the session', (client) => client.setBuffer(key, value, 'EX', ttlSeconds, 'GET'))) ?? undefined;
    },
    async take(key) {
      return (await connection.run('delete the session', (client) => client.getdelBuffer(key))) ?? undefined;
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
      const [out, dead] = ages.map((age) => (age.length === 0 ? undefined : Number(age.toString()))); // as the script says
      return { ...(out === undefined ? {} : { out }), ...(dead === undefined ? {} : { dead }) };
    },
    markAndList: (key, mark) => connection.run('list the sessions', (client) => runScript(client, MARK_AND_LIST, key, [mark])),
    members: (key) => connection.run('list the sessions', (client) => runScript(client, LIST, key, [])),
    async removeMembers(key, members) {
      if (members.length > 0) await connection.run('unlist the sessions', (client) => runScript(client, REMOVE_MEMBERS, key, members));
    },
  };
}
