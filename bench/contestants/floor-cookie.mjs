/** Floor 2, the limit: an HMAC cookie and one GETEX of the claims as JSON. Nothing is sealed, and there is no session to write to. */
import { Buffer } from 'node:buffer';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { Redis } from 'ioredis';
import { passOn, secret, serve, settings } from './serve.mjs';

const redis = new Redis(settings.redis);
const app = express();
const mac = (id) => createHmac('sha256', secret).update(id).digest();

function idOf(header) {
  const [, id, given] = /(?:^|; )sid=([\w-]{43})\.([\w-]{43})(?:;|$)/.exec(header ?? '') ?? [];
  return id !== undefined && timingSafeEqual(mac(id), Buffer.from(given, 'base64url')) ? id : undefined;
}

async function signedIn(req, res, next) {
  const id = idOf(req.headers.cookie);
  const stored = id === undefined ? undefined : await redis.getex(`floor:${id}`, 'EX', 28_800);
  if (!stored) {
    res.status(401).json({ error: 'login required' });
    return;
  }
  req.user = JSON.parse(stored);
  next();
}

app.post('/bring', express.json(), async (req, res) => {
  const id = randomBytes(32).toString('base64url');
  await redis.set(`floor:${id}`, JSON.stringify(req.body.user), 'EX', 28_800);
  res.cookie('sid', `${id}.${mac(id).toString('base64url')}`, { httpOnly: true, sameSite: 'lax' }).json({});
});
app.get('/me', signedIn, (req, res) => res.json({ sub: req.user.sub, name: req.user.name }));
app.get('/bare', signedIn, async (_req, res) => passOn(res, await fetch(settings.api, { headers: { authorization: `Bearer ${settings.bearer}` } })));
serve(app);
