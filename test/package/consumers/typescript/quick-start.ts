// The README's quick start: it must compile as it stands there.
import express from 'express';
import { Redis } from 'ioredis';
import { codeFlow, requireAuth, handleAuthErrors } from 'express-code-flow';

const app = express();
app.use(codeFlow({
  provider: { issuer: 'https://id.example.com', clientId: 'web', clientSecret: '…', scope: 'openid profile offline_access' },
  baseUrl: 'https://app.example.com',
  secret: process.env.SESSION_SECRET,
  redis: new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'),
  apis: ['https://api.example.com/v1/'],
}));
app.get('/', (req, res) => {
  res.send(req.oauth.isAuthenticated ? `Hello ${req.oauth.claims.name}` : 'Hello');
});
app.get('/orders', requireAuth(), async (req, res) => {
  const orders = await req.oauthFetch('https://api.example.com/v1/orders');
  res.status(orders.status).json(await orders.json());
});
app.use(handleAuthErrors());
