import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { attachParts } from '../../lib/request-parts.js';
import type { RequestSession } from '../../lib/session/opened-session.js';

type Attached = IncomingMessage & { oauth: { isAuthenticated: boolean }; oauthFetch: typeof fetch };

function attached(): Attached {
  const req = new IncomingMessage(new Socket());
  const session = { state: { kind: 'anonymous' } } as unknown as RequestSession; // nothing else is asked for here
  const settings = { options: { apis: [], fetch }, clock: { monotonic: () => 0 } } as unknown as Parameters<typeof attachParts>[0];
  attachParts(settings, session, req, new ServerResponse(req));
  return req as Attached;
}

describe('req.oauthFetch', () => {
  it('is one function per request, made at its first use', () => {
    const [req, other] = [attached(), attached()];
    expect(req.oauthFetch).toBe(req.oauthFetch);
    expect(req.oauthFetch).not.toBe(other.oauthFetch);
  });

  it('is there for whoever wraps the request, or copies its members', () => {
    const req = attached();
    expect((Object.create(req) as Attached).oauthFetch).toBe(req.oauthFetch);
    expect(Object.keys(req)).toEqual(expect.arrayContaining(['oauth', 'oauthFetch']));
  });

  it('gives way to what an app puts in its place, for tests of its own', () => {
    const req = attached();
    const fake = (() => undefined) as unknown as typeof fetch;
    req.oauthFetch = fake;
    expect(req.oauthFetch).toBe(fake);
  });
});
