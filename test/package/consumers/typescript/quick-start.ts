// The README's quick start, as it stands there (test/unit/readme.test.ts compares), and the same with a client instead of a URL.
import { Redis } from 'ioredis';
import express from 'express';
import { codeFlow, handleAuthErrors, requireAuth } from 'express-code-flow';

const auth = codeFlow({
  provider: {
    issuer: 'https://id.example.com',
    clientId: 'web',
    clientSecret: process.env.CLIENT_SECRET,
    scope: 'openid profile email offline_access orders:read',
  },
  baseUrl: 'https://app.example.com', // where browsers see the app
  secret: process.env.SESSION_SECRET, // at least 32 characters
  redis: process.env.REDIS_URL, // undefined: sessions in memory
  apis: ['https://api.example.com/v1/'], // the only place that gets the token
});

const app = express();
app.use(auth);

app.get('/', (req, res) => {
  res.type('text').send(req.oauth.isAuthenticated ? `Hello ${req.oauth.claims.name}` : 'Hello. Sign in at /login');
});

// Whoever is not signed in goes to the login first and comes back here. The token is renewed if it has to be.
app.get('/orders', requireAuth(), async (req, res) => {
  const orders = await req.oauthFetch('https://api.example.com/v1/orders');
  res.status(orders.status).json(await orders.json());
});

app.use(handleAuthErrors());
const server = app.listen(3000);

export const withClient = codeFlow({
  provider: { issuer: 'https://id.example.com', clientId: 'web' },
  baseUrl: 'https://app.example.com',
  secret: [process.env.SESSION_SECRET ?? '', process.env.OLD_SECRET ?? ''],
  redis: new Redis('redis://127.0.0.1:6379'),
});
server.close();
