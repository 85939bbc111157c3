/** The whole integration. The files beside it are what a real app has elsewhere: an authorization server, an API, pages. */
import express, { type Express } from 'express';
import { codeFlow, handleAuthErrors, requireAuth, type CodeFlow } from 'express-code-flow';
import type { Config } from './config.js';
import { assets, loginEvents, page, pageHeaders, tokenFacts } from './pages.js';

export function createServer(config: Config): { app: Express; auth: CodeFlow } {
  const auth = codeFlow({
    provider: {
      issuer: config.issuer,
      clientId: config.clientId,
      clientSecret: config.clientSecret,
      scope: 'openid profile email offline_access orders:read',
    },
    baseUrl: config.baseUrl,
    secret: config.sessionSecret,
    redis: config.redisUrl, // undefined: sessions in memory
    apis: [config.apiUrl], // the only place that gets the token
  });

  const app = express();
  app.use(pageHeaders);
  app.use('/assets', assets);
  app.use(auth);

  // For everybody. Its script asks /status who is there.
  app.get('/', page('index.html'));

  // Whoever is not signed in goes to the login first and comes back here.
  app.get('/protected', requireAuth(), page('protected.html'));

  // Called by a script: 401 instead of a redirect.
  app.get('/status', requireAuth(), async (req, res) => {
    res.json({ claims: req.oauth.claims, ...(await tokenFacts(req)) });
  });

  // Open for as long as the login lasts, wherever it is ended.
  app.get('/events', requireAuth(), loginEvents);

  // The user's token goes along, renewed if it has to be.
  app.get('/orders', requireAuth(), async (req, res) => {
    const orders = await req.oauthFetch(`${config.apiUrl}orders`);
    res.status(orders.status).json(await orders.json());
  });

  // Where the user is signed in; the names of the sessions open nothing.
  app.get('/sessions', requireAuth(), async (req, res) => {
    const sessions = await auth.listSessions(req.oauth.subject ?? '');
    res.json(sessions.map((session) => ({ ...session, current: session.sessionId === req.oauth.sessionId })));
  });

  // Every session of the user, this one too. The guard refuses forms of other sites.
  app.post('/sign-out-everywhere', requireAuth(), async (req) => {
    if (req.oauth.subject !== undefined) await auth.endSessions({ subject: req.oauth.subject });
    await req.oauth.logout();
  });

  app.use(handleAuthErrors());
  return { app, auth };
}
