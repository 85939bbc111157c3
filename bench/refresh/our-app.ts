/** An app with this package. `/work` needs a usable access token. */
import { setTimeout } from 'node:timers/promises';
import express from 'express';
import { codeFlow, handleAuthErrors, requireAuth } from '../../lib/index.js';
import { configuration, instant, tell } from './child.js';

const { issuer, clientId, clientSecret, redis, baseUrl } = configuration();
const auth = codeFlow({
  provider: { issuer, clientId, clientSecret },
  baseUrl,
  secret: 'a secret for the bench only: 4yVqD0sZ8nKcJm2T',
  redis,
  // A busy machine is measured, not punished.
  redisTimeoutSeconds: 10,
  httpTimeoutSeconds: 20,
}).on('refresh.committed', () => tell({ committedAt: instant() }));

const app = express();
app.use(auth);
app.get('/work', requireAuth({ token: true }), (_req, res) => {
  res.once('finish', () => tell({ answeredAt: instant() }));
  res.json({ done: true });
});
app.get('/delayed', requireAuth({ token: true }), async (req, res) => {
  await setTimeout(Number(req.query['ms']));
  res.json({ done: true });
});
app.use(handleAuthErrors());

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) tell({ port: address.port });
});
process.once('disconnect', () => process.exit(0));
