/** What the app gets of a connection. */
import type { IncomingMessage } from 'node:http';
import type { CodeFlow, CodeFlowRequest, ConnectionLogin } from 'express-code-flow';

export async function greet(auth: CodeFlow, req: IncomingMessage): Promise<string> {
  const login: ConnectionLogin | undefined = await auth.authenticate(req);
  // @ts-expect-error -- nobody may be logged in
  const careless = login.subject;
  if (login === undefined) return 'nobody';
  const signal: AbortSignal = login.signal;
  const answer: Response = await login.oauthFetch('https://api.example.com/', { signal });
  login.release();
  return `${login.claims.name ?? careless ?? ''} ${answer.status} ${await login.getAccessToken({ resource: 'urn:b' })}`;
}

export function watched({ oauth }: CodeFlowRequest): AbortSignal | undefined {
  if (!oauth.isAuthenticated) return oauth.signal satisfies undefined;
  return oauth.signal satisfies AbortSignal;
}
