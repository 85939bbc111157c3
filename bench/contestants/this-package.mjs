/** This package, as its README says. `npm run bench` builds it first. */
import express from 'express';
import { codeFlow, handleAuthErrors, requireAuth } from '../../dist/index.js';
import { committed, delayed, passOn, secret, serve, settings, work } from './serve.mjs';

const { issuer, clientId, clientSecret, api, bearer, redis, baseUrl, providers = 1 } = settings;
const provider = { issuer, clientId, clientSecret, scope: 'openid profile email offline_access' };
const named = Object.fromEntries(Array.from({ length: providers }, (_, index) => [`p${index}`, { ...provider, issuer: `${issuer}/p${index}` }]));
const auth = codeFlow({
  ...(providers === 1 ? { provider } : { providers: named }),
  baseUrl,
  afterLogin: '/me', // as the others
  secret,
  redis,
  apis: [api],
  // A busy machine is measured, not punished.
  redisTimeoutSeconds: 10,
  httpTimeoutSeconds: 20,
}).on('refresh.committed', committed);

const app = express();
app.use(auth);
app.get('/me', requireAuth(), (req, res) => res.json({ sub: req.oauth.claims.sub, name: req.oauth.claims.name }));
app.get('/api', requireAuth(), async (req, res) => passOn(res, await req.oauthFetch(api)));
app.get('/bare', requireAuth(), async (_req, res) => passOn(res, await fetch(api, { headers: { authorization: `Bearer ${bearer}` } })));
app.get('/work', requireAuth({ token: true }), work);
app.get('/delayed', requireAuth({ token: true }), delayed);
/** Ends every login of the user, for the table of subjects with many sessions. */
app.post('/end/:subject', async (req, res) => {
  await auth.endSessions({ subject: req.params.subject });
  res.json({});
});
app.use(handleAuthErrors());
serve(app);
