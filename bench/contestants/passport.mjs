/** passport with openid-client's strategy, on express-session over connect-redis. It has no life cycle of tokens: they are in the user object. */
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import * as client from 'openid-client';
import { Strategy } from 'openid-client/passport';
import passport from 'passport';
import { passOn, secret, serve, settings } from './serve.mjs';

const execute = [client.allowInsecureRequests];
const config = await client.discovery(new URL(settings.issuer), settings.clientId, settings.clientSecret, undefined, { execute });

const app = express();
app.use(session({ store: new RedisStore({ client: new Redis(settings.redis) }), secret, resave: false, saveUninitialized: false }));
app.use(passport.authenticate('session'));

const options = { config, scope: 'openid profile email offline_access', callbackURL: `${settings.baseUrl}/callback` };
passport.use(
  'openid',
  new Strategy(options, (tokens, verified) => {
    const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = tokens;
    verified(null, { ...tokens.claims(), accessToken, refreshToken, idToken });
  }),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

app.get('/login', passport.authenticate('openid'));
app.get('/callback', passport.authenticate('openid', { successRedirect: '/me', failureRedirect: '/public' }));

function signedIn(req, res, next) {
  if (req.isAuthenticated()) next();
  else res.status(401).json({ error: 'login required' });
}

app.get('/me', signedIn, (req, res) => res.json({ sub: req.user.sub, name: req.user.name }));
app.get('/api', signedIn, async (req, res) => passOn(res, await fetch(settings.api, { headers: { authorization: `Bearer ${req.user.accessToken}` } })));
serve(app);
