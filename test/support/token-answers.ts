/** Lies in the token endpoint's successful answers, after the real server has made them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthorizationServer } from './authorization-server.js';

export type TokenAnswer = Record<string, unknown>;

/** Every answer from now on; returns how to stop. */
export function changeTokenAnswers(server: AuthorizationServer, change: (answer: TokenAnswer) => TokenAnswer | Promise<TokenAnswer>): () => void {
  const intercept = (req: IncomingMessage, res: ServerResponse): boolean => {
    if (req.url?.split('?')[0] === '/token') changeEnd(res, change);
    return false;
  };
  server.intercept = intercept;
  return () => {
    if (server.intercept === intercept) server.intercept = undefined;
  };
}

/** oidc-provider writes head and body with this one call, so nothing has left before it. */
function changeEnd(res: ServerResponse, change: (answer: TokenAnswer) => TokenAnswer | Promise<TokenAnswer>): void {
  const end = res.end.bind(res) as (text?: string) => ServerResponse;
  res.end = ((body?: string | Buffer) => {
    if (res.statusCode !== 200) return end(body?.toString());
    Promise.resolve(change(JSON.parse(String(body)) as TokenAnswer)).then(
      (answer) => {
        const text = JSON.stringify(answer);
        res.setHeader('Content-Length', Buffer.byteLength(text));
        end(text);
      },
      (error: unknown) => res.destroy(error as Error),
    );
    return res;
  }) as typeof res.end;
}
