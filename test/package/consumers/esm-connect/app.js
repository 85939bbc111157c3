import connect from 'connect';
import { codeFlow, handleAuthErrors, requireAuth } from 'express-code-flow';

export function createApp({ issuer, baseUrl, secret }) {
  const app = connect();
  const auth = codeFlow({ provider: { issuer, clientId: 'web', clientSecret: 'not-used' }, baseUrl, secret });
  app.use(auth);
  app.use('/private', requireAuth());
  app.use('/private', (_req, res) => res.end('private'));
  app.use('/', (req, res) => res.end(req.oauth.isAuthenticated ? 'Welcome' : 'Hello'));
  app.use(handleAuthErrors());
  return { handler: app, close: () => auth.close() };
}
