/** The pages and what they show. Nothing here is about logging in. */
import { fileURLToPath } from 'node:url';
import express, { type Request, type RequestHandler } from 'express';
import { decodeJwt } from 'jose';

declare module 'express-session' {
  interface SessionData {
    tokenId: string;
    refreshes: number;
  }
}

const folder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** No inline script or style, nothing from elsewhere. No form-action: signing out leads to the authorization server. */
const contentSecurityPolicy = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'";

export const pageHeaders: RequestHandler = (_req, res, next) => {
  res.setHeader('Content-Security-Policy', contentSecurityPolicy);
  res.setHeader('X-Content-Type-Options', 'nosniff');
  // After signing out, the back button would bring pages and answers of /status back from the browser's cache.
  res.setHeader('Cache-Control', 'no-store');
  next();
};

/** Style sheet, script and icon, for everybody: they come before codeFlow() and cost no session. */
export const assets: RequestHandler = express.static(folder('assets'), { setHeaders: (res) => res.setHeader('Cache-Control', 'no-cache') });

export function page(file: string): RequestHandler {
  return (_req, res) => res.sendFile(file, { root: folder('pages') });
}

/** Server-sent events: the only one is that the login has ended. */
export const loginEvents: RequestHandler = (req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
  req.oauth.signal?.addEventListener('abort', () => res.end('event: signed-out\ndata:\n\n'));
};

/**
 * When the access token ends and how often it was renewed in this login. The token itself stays on the server.
 * A real app needs none of this; the demo looks into the token, whose content is the API's business alone.
 */
export async function tokenFacts(req: Request): Promise<{ accessTokenExpiresAt: number | undefined; refreshes: number }> {
  const { jti, exp } = decodeJwt(await req.oauth.getAccessToken());
  const { session } = req;
  if (jti !== undefined && session.tokenId !== jti) {
    session.refreshes = session.tokenId === undefined ? 0 : (session.refreshes ?? 0) + 1;
    session.tokenId = jti;
  }
  return { accessTokenExpiresAt: exp, refreshes: session.refreshes ?? 0 };
}
