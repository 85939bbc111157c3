import express from 'express';
import type { RequestListener } from 'node:http';
import { CodeFlowError, codeFlow, handleAuthErrors, requireAuth, type ProviderOptions } from 'express-code-flow';
import { aritmaId } from 'express-code-flow/providers';

export const preset: ProviderOptions = { ...aritmaId({ tenant: 'acme', clientId: 'web' }), scope: 'openid' };

interface Deployment {
  issuer: string;
  baseUrl: string;
  secret: string;
}

export function createApp({ issuer, baseUrl, secret }: Deployment): { handler: RequestListener; close: () => Promise<void> } {
  const app = express();
  const auth = codeFlow({ provider: { issuer, clientId: 'web', clientSecret: 'not-used' }, baseUrl, secret });
  app.use(auth);
  app.get('/', (req, res) => {
    res.send(req.oauth.isAuthenticated ? 'Welcome' : 'Hello');
  });
  app.get('/private', requireAuth({ token: true }), async (req, res) => {
    const expiresAt: number | undefined = req.oauth.expiresAt;
    const token: string = await req.oauth.getAccessToken();
    res.json({ expiresAt, length: token.length });
  });
  app.use(handleAuthErrors());
  app.use((error: unknown, _req: express.Request, _res: express.Response, next: express.NextFunction) => {
    if (error instanceof CodeFlowError) console.error(error.code, error.status, error.retryAfterSeconds);
    next(error);
  });
  return { handler: app, close: () => auth.close() };
}
