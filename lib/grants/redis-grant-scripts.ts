/**
 * The grant's atomic steps as Redis scripts: one key each, so that they run unchanged on a cluster, and all time is
 * Redis' own. Fields of the hash:
 *
 *   v   version of the token set             ct  the token set, sealed for this key and version
 *   x:R end of the access token for R, ms    lk  owner of the lock      lx  end of the lock, ms
 *   lc  owner of the last commit             nb  no attempt before, ms  nf  failures in a row
 *   pr  version that was probably refused    end why the grant ended; absent: alive
 *   nb:P, nf:P  nb and nf of one resource that was refused, P being its hash     nr  how many such resources there are
 */
import { redisScript } from '../redis-script.js';
import { MOST_RESOURCE_PAUSES } from './grant-store.js';

const NOW = `local t=redis.call('TIME'); local now=t[1]*1000+math.floor(t[2]/1000)`;

/** `left(x)`: the remaining time as a string; empty when the end is not known. */
const LEFT = `local function left(x) if x then return tostring(x-now) end return '' end`;

/** ARGV: sealed, resource, left ms or '', keep ms. The same once more, after a lost answer, is no clash. */
export const CREATE = redisScript(`${NOW}
if redis.call('EXISTS',KEYS[1])==1 then return {redis.call('HGET',KEYS[1],'ct')==ARGV[1] and 'OK' or 'EXISTS'} end
local fields={'v','1','ct',ARGV[1]}
if ARGV[3]~='' then fields[5]='x:'..ARGV[2]; fields[6]=now+ARGV[3] end
redis.call('HSET',KEYS[1],unpack(fields))
redis.call('PEXPIRE',KEYS[1],ARGV[4])
return {'OK'}`);

/** ARGV: resource. Writes nothing, so that it also works while Redis takes no writes. */
export const READ = redisScript(`${NOW} ${LEFT}
local h=redis.call('HMGET',KEYS[1],'v','ct','end','x:'..ARGV[1])
if not h[1] then return {'GONE'} end
if h[3] then return {'ENDED'} end
return {'OK',h[1],h[2],left(h[4])}`);

/** ARGV: owner, version seen, lease ms, resource, hash of the resource whose pause counts too. */
export const ACQUIRE = redisScript(`${NOW} ${LEFT}
local h=redis.call('HMGET',KEYS[1],'v','ct','end','x:'..ARGV[4],'lk','lx','nb','nf','nb:'..ARGV[5],'nf:'..ARGV[5])
if not h[1] then return {'GONE'} end
if h[3] then return {'ENDED'} end
if h[1]~=ARGV[2] then return {'NEWER',h[1],h[2],left(h[4])} end
local foreign=h[5] and h[5]~=ARGV[1]
if foreign and tonumber(h[6])>now then return {'BUSY',tostring(h[6]-now)} end
local notbefore=math.max(tonumber(h[7] or 0),tonumber(h[9] or 0))
if notbefore>now then return {'BACKOFF',tostring(notbefore-now)} end
redis.call('HSET',KEYS[1],'lk',ARGV[1],'lx',now+ARGV[3])
return {'OK',h[1],h[2],left(h[4]),foreign and '1' or '0',h[8] or '0',h[10] or '0'}`);

/** ARGV: owner, version seen, sealed, new version, resource, left ms or '' or 'keep', back-off ms, keep ms, hash of the resource. */
export const COMMIT = redisScript(`${NOW} ${LEFT}
local h=redis.call('HMGET',KEYS[1],'v','ct','end','x:'..ARGV[5],'lk','lc')
if not h[1] or h[3] then return {'GONE'} end
if h[1]~=ARGV[2] then
  if h[6]==ARGV[1] then return {'OK',h[1]} end
  if h[5]==ARGV[1] then redis.call('HDEL',KEYS[1],'lk','lx') end
  return {'STALE',h[1],h[2],left(h[4])}
end
redis.call('HSET',KEYS[1],'v',ARGV[4],'ct',ARGV[3],'lc',ARGV[1])
if ARGV[6]=='' then redis.call('HDEL',KEYS[1],'x:'..ARGV[5])
elseif ARGV[6]~='keep' then redis.call('HSET',KEYS[1],'x:'..ARGV[5],now+ARGV[6]) end
if ARGV[7]=='0' then
  redis.call('HDEL',KEYS[1],'nb','nf','pr')
  if redis.call('HDEL',KEYS[1],'nb:'..ARGV[9],'nf:'..ARGV[9])>0 then redis.call('HINCRBY',KEYS[1],'nr',-1) end
else redis.call('HSET',KEYS[1],'nb',now+ARGV[7]); redis.call('HINCRBY',KEYS[1],'nf',1) end
if h[5]==ARGV[1] then redis.call('HDEL',KEYS[1],'lk','lx') end
redis.call('PEXPIRE',KEYS[1],ARGV[8])
return {'OK',ARGV[4]}`);

/**
 * ARGV: owner, version seen, outcome, back-off ms, resource, ms to remember an end, hash of the resource. A grant that ends keeps nothing but the word
 * for it, so that other requests learn of it: tokens, lock and times go.
 */
export const FAIL = redisScript(`${NOW} ${LEFT}
local h=redis.call('HMGET',KEYS[1],'v','ct','end','x:'..ARGV[5],'lk','pr','nb:'..ARGV[7],'nr')
if not h[1] then return {'GONE'} end
if h[3] then return {'ENDED'} end
local mine=h[5]==ARGV[1]
if h[1]~=ARGV[2] then
  if mine then redis.call('HDEL',KEYS[1],'lk','lx') end
  return {'NEWER',h[1],h[2],left(h[4])}
end
if not mine then return {'LOST'} end
if ARGV[3]=='refused' or (ARGV[3]=='doubtful' and h[6]==h[1]) then
  redis.call('DEL',KEYS[1])
  redis.call('HSET',KEYS[1],'v',h[1],'end',ARGV[3])
  redis.call('PEXPIRE',KEYS[1],ARGV[6])
  return {'ENDED'}
end
if ARGV[3]=='doubtful' then redis.call('HSET',KEYS[1],'pr',h[1]) end
local of=''
if ARGV[3]=='resource' and (h[7] or tonumber(h[8] or 0)<${MOST_RESOURCE_PAUSES}) then
  of=':'..ARGV[7]
  if not h[7] then redis.call('HINCRBY',KEYS[1],'nr',1) end
end
redis.call('HSET',KEYS[1],'nb'..of,now+ARGV[4])
redis.call('HINCRBY',KEYS[1],'nf'..of,1)
redis.call('HDEL',KEYS[1],'lk','lx')
return {'OK'}`);

/** Answers what the record held. */
export const DESTROY = redisScript(`local h=redis.call('HMGET',KEYS[1],'v','ct')
redis.call('DEL',KEYS[1])
if not h[2] then return {'GONE'} end
return {'OK',h[1],h[2]}`);
