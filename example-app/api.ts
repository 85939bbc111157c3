/** The API: it knows nothing of sessions and cookies. It takes an access token, verifies it, and answers. */
import express, { type Express } from 'express';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';

interface ApiConfig {
  issuer: string;
  audience: string;
}

export function createApi({ issuer, audience }: ApiConfig): Express {
  let keys: JWTVerifyGetKey | undefined;
  const api = express();

  api.get('/v1/orders', async (req, res) => {
    const token = await verify(req.headers.authorization);
    // RFC 6750 §3: the challenge tells the client that another token may help.
    if (token === undefined) res.status(401).set('WWW-Authenticate', 'Bearer error="invalid_token"').json({ error: 'invalid_token' });
    else res.json(ordersOf(token));
  });
  return api;

  async function verify(authorization = ''): Promise<JWTPayload | undefined> {
    keys ??= await keysOf(issuer);
    try {
      const { payload } = await jwtVerify(authorization.replace(/^Bearer /i, ''), keys, { issuer, audience });
      return payload;
    } catch (error) {
      // Whatever is wrong with the token, the answer is the same. That its keys are out of reach is not the token's fault.
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

function ordersOf({ sub, iat, exp, scope }: JWTPayload): object {
  const clock = (seconds = 0): string => new Date(seconds * 1000).toISOString().slice(11, 19);
  return {
    customer: sub,
    orders: [
      { id: 1042, item: 'Espresso machine', status: 'shipped' },
      { id: 1057, item: 'Coffee beans, 1 kg', status: 'packed' },
    ],
    calledWith: { tokenIssued: `${clock(iat)} UTC`, tokenEnds: `${clock(exp)} UTC`, scope },
  };
}

/** The server's public keys, found as clients find them (OpenID Connect Discovery §4). */
async function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
  const answer = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const { jwks_uri } = (await answer.json()) as { jwks_uri: string };
  return createRemoteJWKSet(new URL(jwks_uri));
}
