/**
 * An app as it is often written by hand: the tokens lie in `req.session`, and each request that finds its access token over renews it.
 * express-session over connect-redis, as in their documentation.
 */
import { setTimeout } from 'node:timers/promises';
import { RedisStore } from 'connect-redis';
import express, { type Request } from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import { configuration, instant, tell } from './child.js';

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}
type Session = Request['session'] & { tokens?: Tokens & { expiresAt: number } };

const { issuer, clientId, clientSecret, redis } = configuration();
const sessionOf = (req: Request): Session => req.session;
const withEnd = (tokens: Tokens): NonNullable<Session['tokens']> => ({ ...tokens, expiresAt: Date.now() + tokens.expires_in * 1000 });

async function renew(refreshToken: string): Promise<Tokens | undefined> {
  const authorization = `Basic ${Buffer.from(`${clientId}:${encodeURIComponent(clientSecret)}`).toString('base64')}`;
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  const answer = await fetch(`${issuer}/token`, { method: 'POST', headers: { authorization }, body });
  return answer.ok ? ((await answer.json()) as Tokens) : undefined;
}

const app = express();
app.use(express.json());
app.use(session({ store: new RedisStore({ client: new Redis(redis) }), secret: 'a secret for the bench only', resave: false, saveUninitialized: false }));
/** The bench logs in elsewhere and brings the tokens. */
app.post('/tokens', (req, res) => {
  sessionOf(req).tokens = withEnd(req.body as Tokens);
  res.json({});
});
app.get('/work', async (req, res) => {
  const own = sessionOf(req);
  if (own.tokens !== undefined && own.tokens.expiresAt <= Date.now()) {
    const renewed = await renew(own.tokens.refresh_token);
    if (renewed === undefined) {
      res.status(401).json({ error: 'the login has ended' });
      return;
    }
    own.tokens = withEnd({ ...own.tokens, ...renewed });
  }
  res.once('finish', () => tell({ answeredAt: instant() }));
  res.json({ done: true });
});

app.get('/delayed', async (req, res) => {
  await setTimeout(Number(req.query['ms']));
  res.json({ done: sessionOf(req).tokens !== undefined });
});

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) tell({ port: address.port });
});
process.once('disconnect', () => process.exit(0));
