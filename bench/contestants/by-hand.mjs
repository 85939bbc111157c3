/**
 * A backend-for-frontend by hand: openid-client, express-session over connect-redis, the tokens in `req.session`. Each request that finds its access token
 * over renews it; with `singleFlight` once per session and process.
 */
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import * as client from 'openid-client';
import { committed, delayed, passOn, secret, serve, settings, work } from './serve.mjs';

const execute = [client.allowInsecureRequests];
const config = await client.discovery(new URL(settings.issuer), settings.clientId, settings.clientSecret, undefined, { execute });

const app = express();
app.use(session({ store: new RedisStore({ client: new Redis(settings.redis) }), secret, resave: false, saveUninitialized: false }));

app.get('/login', async (req, res) => {
  const verifier = client.randomPKCECodeVerifier();
  const login = { verifier, state: client.randomState(), nonce: client.randomNonce() };
  req.session.login = login;
  const parameters = {
    redirect_uri: `${settings.baseUrl}/callback`,
    scope: 'openid profile email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: login.state,
    nonce: login.nonce,
  };
  res.redirect(client.buildAuthorizationUrl(config, parameters).href);
});

app.get('/callback', async (req, res) => {
  const { verifier, state, nonce } = req.session.login;
  const url = new URL(req.originalUrl, settings.baseUrl);
  const tokens = await client.authorizationCodeGrant(config, url, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
  await new Promise((resolve, reject) => req.session.regenerate((error) => (error ? reject(error) : resolve())));
  req.session.user = tokens.claims();
  keep(req.session, tokens);
  res.redirect('/me');
});

function keep(own, tokens) {
  own.tokens = { ...own.tokens, ...tokens, expiresAt: Date.now() + tokens.expires_in * 1000 };
}

function signedIn(req, res, next) {
  if (req.session.user === undefined) res.status(401).json({ error: 'login required' });
  else next();
}

const flights = new Map();

function renew(sessionId, refreshToken) {
  if (!settings.singleFlight) return client.refreshTokenGrant(config, refreshToken);
  let flight = flights.get(sessionId);
  if (flight === undefined) {
    flight = client.refreshTokenGrant(config, refreshToken).finally(() => flights.delete(sessionId));
    flights.set(sessionId, flight);
  }
  return flight;
}

async function withToken(req, res, next) {
  const { tokens } = req.session;
  if (tokens.expiresAt <= Date.now()) {
    try {
      keep(req.session, await renew(req.sessionID, tokens.refresh_token));
    } catch {
      res.status(401).json({ error: 'the login has ended' });
      return;
    }
    committed();
  }
  next();
}

app.get('/me', signedIn, (req, res) => res.json({ sub: req.session.user.sub, name: req.session.user.name }));
app.get('/api', signedIn, withToken, async (req, res) => {
  await passOn(res, await fetch(settings.api, { headers: { authorization: `Bearer ${req.session.tokens.access_token}` } }));
});
app.get('/work', signedIn, withToken, work);
app.get('/delayed', signedIn, withToken, delayed);
serve(app);
