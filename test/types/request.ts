/** What the app sees on a request, in Express and in plain `node:http`. */
import express from 'express';
import { CodeFlowError, LoginError, codeFlow, handleAuthErrors, requireAuth } from 'express-code-flow';
import type { CodeFlowRequest } from 'express-code-flow';

const auth = codeFlow({ provider: { issuer: 'https://id.example.com', clientId: 'web' }, baseUrl: 'https://app.example.com', secret: '' });
const app = express();
app.use(auth);
app.use(handleAuthErrors());

app.get('/', (req, res) => {
  const authenticated: boolean = req.oauth.isAuthenticated;
  const expiresAt: number | undefined = req.oauth.expiresAt;
  const scope: string | undefined = req.oauth.scope;
  res.json({ authenticated, expiresAt, scope });
});

app.get('/orders', requireAuth({ scope: 'orders', acr: 'mfa', maxAgeSeconds: 60, token: true, claims: (claims) => claims.sub !== '' }), async (req, res) => {
  const token: string = await req.oauth.getAccessToken();
  const answer: Response = await req.oauthFetch(new URL('https://api.example.com/'), { method: 'POST', body: token, signal: AbortSignal.timeout(1000) });
  res.sendStatus(answer.status);
});

// @ts-expect-error -- a misspelt requirement would guard nothing
requireAuth({ scopes: 'orders' });

export function name({ oauth }: CodeFlowRequest): unknown {
  return oauth.isAuthenticated ? oauth.claims.name : undefined;
}

export function describe(error: unknown): string | undefined {
  if (error instanceof LoginError) return error.providerError;
  // @ts-expect-error -- codes are a closed list: a comparison with none of them is a mistake
  if (error instanceof CodeFlowError && error.code === 'ERR_CODE_FLOW_NO_SUCH_CODE') return error.code;
  return undefined;
}
