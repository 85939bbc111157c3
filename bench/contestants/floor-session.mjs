/**
 * Floor 1: what anyone would write by hand. express-session over connect-redis, the tokens in the session beside the claims, and a check that is
 * one `if`. The login is brought from outside; there is nothing that renews a token.
 */
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import { passOn, secret, serve, settings, work } from './serve.mjs';

const app = express();
app.use(session({ store: new RedisStore({ client: new Redis(settings.redis) }), secret, resave: false, saveUninitialized: false }));

function signedIn(req, res, next) {
  if (req.session.user === undefined) res.status(401).json({ error: 'login required' });
  else next();
}

app.post('/bring', express.json(), (req, res) => {
  Object.assign(req.session, settings.claimsAlone ? { user: req.body.user } : req.body);
  res.json({});
});
app.get('/me', signedIn, (req, res) => res.json({ sub: req.session.user.sub, name: req.session.user.name }));
app.get('/bare', signedIn, async (_req, res) => passOn(res, await fetch(settings.api, { headers: { authorization: `Bearer ${settings.bearer}` } })));
app.get('/work', signedIn, work);
serve(app);
