/**
 * express-openid-connect, with its encrypted cookies or (`redis`) with a custom store, which may be one of express-session's. Access tokens are renewed as
 * its examples say: `if (isExpired()) await refresh()`.
 */
import { RedisStore } from 'connect-redis';
import express from 'express';
import openid from 'express-openid-connect';
import { Redis } from 'ioredis';
import { delayed, passOn, secret, serve, settings, work } from './serve.mjs';

const { auth, requiresAuth } = openid;
const app = express();
app.use(
  auth({
    issuerBaseURL: settings.issuer,
    baseURL: settings.baseUrl,
    clientID: settings.clientId,
    clientSecret: settings.clientSecret,
    secret,
    authRequired: false,
    authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
    ...(settings.store === 'redis' && { session: { store: new RedisStore({ client: new Redis(settings.redis), prefix: 'eoidc:' }) } }),
  }),
);

async function withToken(req, _res, next) {
  if (req.oidc.accessToken.isExpired()) await req.oidc.accessToken.refresh();
  next();
}

app.get('/me', requiresAuth(), (req, res) => res.json({ sub: req.oidc.user.sub, name: req.oidc.user.name }));
app.get('/api', requiresAuth(), withToken, async (req, res) => {
  const { token_type: type, access_token: token } = req.oidc.accessToken;
  await passOn(res, await fetch(settings.api, { headers: { authorization: `${type} ${token}` } }));
});
app.get('/work', requiresAuth(), withToken, work);
app.get('/delayed', requiresAuth(), withToken, delayed);
/** Lest Express prints every refused renewal. */
app.use((error, _req, res, _next) => res.status(error.status === 401 ? 401 : 500).json({ error: error.code ?? error.message }));
serve(app);
