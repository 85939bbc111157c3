/** @auth/express with its default, sessions as encrypted cookies, and the tokens kept and renewed as the guide "Refresh Token Rotation" of Auth.js says. */
import { URLSearchParams } from 'node:url';
import { ExpressAuth, getSession } from '@auth/express';
import express from 'express';
import { passOn, secret, serve, settings, work } from './serve.mjs';

async function renewed(token) {
  const response = await fetch(`${settings.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: settings.clientId,
      client_secret: settings.clientSecret,
      grant_type: 'refresh_token',
      refresh_token: token.refresh_token,
    }),
  });
  const fresh = await response.json();
  if (!response.ok) return { ...token, error: 'RefreshTokenError' };
  const expiresAt = Math.floor(Date.now() / 1000 + fresh.expires_in);
  return { ...token, access_token: fresh.access_token, expires_at: expiresAt, refresh_token: fresh.refresh_token ?? token.refresh_token };
}

const config = {
  basePath: '/auth',
  trustHost: true,
  secret,
  providers: [
    {
      id: 'bench',
      name: 'Bench',
      type: 'oidc',
      issuer: settings.issuer,
      clientId: settings.clientId,
      clientSecret: settings.clientSecret,
      authorization: { params: { scope: 'openid profile email offline_access' } },
    },
  ],
  callbacks: {
    async jwt({ token, account }) {
      if (account) {
        return { ...token, access_token: account.access_token, expires_at: account.expires_at, refresh_token: account.refresh_token };
      }
      return Date.now() < token.expires_at * 1000 ? token : renewed(token);
    },
    session({ session, token }) {
      return { ...session, user: { ...session.user, sub: token.sub }, accessToken: token.access_token, error: token.error };
    },
  },
};

const app = express();
app.use('/auth', ExpressAuth(config));

async function signedIn(req, res, next) {
  const session = res.locals.session ?? (await getSession(req, config));
  res.locals.session = session;
  if (session?.user && session.error === undefined) next();
  else res.status(401).json({ error: 'login required' });
}

app.get('/me', signedIn, (_req, res) => res.json({ sub: res.locals.session.user.sub, name: res.locals.session.user.name }));
app.get('/api', signedIn, async (_req, res) => {
  await passOn(res, await fetch(settings.api, { headers: { authorization: `Bearer ${res.locals.session.accessToken}` } }));
});
app.get('/work', signedIn, work);
serve(app);
