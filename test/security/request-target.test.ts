/**
 * THREATS B4, B8: Node hands on whatever stands in the request line. The guard makes no return address of what is no path of the app, and sends
 * nobody away whose content would be lost. Over raw sockets: a client library would mend the line first.
 */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect as connectTo, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { codeFlow, handleAuthErrors, requireAuth, type CodeFlow } from '../../lib/index.js';
import { testSecret } from '../support/apps.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';

const baseUrl = 'https://app.example.com';
const afterLogin = `${baseUrl}/start`;
const page = 'Host: app.example.com\r\nAccept: text/html\r\nConnection: close\r\n';

let idp: LyingServer;
beforeAll(async () => {
  idp = await startLyingServer();
});
afterAll(() => idp.close());

const frameworks: Record<string, (auth: CodeFlow) => RequestListener> = {
  express5: (auth) => guardAll(express(), auth),
  express4: (auth) => guardAll(express4(), auth),
  connect: (auth) => connect().use(auth).use(requireAuth()).use(handleAuthErrors()),
  'node:http': (auth) => (req, res) => {
    const answer = handleAuthErrors();
    const next = (error?: unknown): void => (error === undefined ? requireAuth()(req, res, fail) : fail(error));
    const fail = (error: unknown): void => answer(error, req, res, () => res.writeHead(500).end());
    auth(req, res, next);
  },
};

const guardAll = (app: express.Express, auth: CodeFlow): RequestListener => app.use(auth, requireAuth(), handleAuthErrors());

describe.each(Object.entries(frameworks))('on %s', (_name, build) => {
  let auth: CodeFlow;
  let server: Server;
  beforeAll(async () => {
    auth = codeFlow({ provider: { issuer: idp.issuer, clientId: 'web' }, baseUrl, secret: testSecret, afterLogin });
    server = createServer(build(auth)).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await auth.close();
  });

  async function send(line: string, headers = page): Promise<{ status: number; location: string | undefined; setCookie: boolean }> {
    const socket = connectTo((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(Buffer.from(`${line} HTTP/1.1\r\n${headers}\r\n`, 'latin1'));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('latin1');
    return { status: Number(text.split(' ', 2)[1]), location: /^location: (.*)\r$/im.exec(text)?.[1], setCookie: /^set-cookie:/im.test(text) };
  }

  const returnToOf = (location: string | undefined): string | null => {
    const url = new URL(location ?? '');
    expect([url.origin, url.pathname, [...url.searchParams.keys()]]).toEqual([baseUrl, '/login', ['returnTo']]);
    return url.searchParams.get('returnTo');
  };

  it.each([
    '//evil.example', '///evil.example', '//evil.example/%2f..', '/\\evil.example', '/\\/evil.example', '//evil.example@app.example.com/', '//app.example.com@evil.example/',
    'http://evil.example/p', 'https://evil.example/p', 'HTTP://EVIL.EXAMPLE/', 'http://app.example.com@evil.example/', 'javascript://app.example.com/%0aalert(1)', 'http:///evil.example',
    '/login/', '/LOGIN', '/%6cogin', '/x/..%2flogin', '//app.example.com/login', '/logout;x', '/callback/', '/%', '/%zz', '/\\', '//', '/\t/evil.example',
  ])('B4, B7: GET %s leads back to the default page', async (target) => {
    const { status, location } = await send(`GET ${target}`);
    if (status === 400) return; // Node, or the framework, took it for no request at all
    expect(status).toBe(302);
    expect(returnToOf(location)).toBe(afterLogin);
  });

  it.each([
    ['/orders?x=1', `${baseUrl}/orders?x=1`],
    ['/.//evil.example', `${baseUrl}//evil.example`],
    ['/@evil.example', `${baseUrl}/@evil.example`],
    ['/%09/evil.example', `${baseUrl}/%09/evil.example`],
    ['/%0d%0aSet-Cookie:a=b', `${baseUrl}/%0d%0aSet-Cookie:a=b`],
    ['/?next=https://evil.example/', `${baseUrl}/?next=https://evil.example/`],
    ['/"><script>', `${baseUrl}/%22%3E%3Cscript%3E`],
  ])('B2, B4: GET %s is a page of ours, emitted whole', async (target, expected) => {
    const { location } = await send(`GET ${target}`);
    expect(returnToOf(location)).toBe(expected);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])('B8: %s is answered 401 and sent nowhere, also as a navigation', async (method) => {
    for (const headers of [page, `${page}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: same-origin\r\n`]) {
      expect(await send(`${method} /orders`, `${headers}Content-Length: 0\r\n`)).toEqual({ status: 401, location: undefined, setCookie: false });
    }
  });

  it('B4: OPTIONS * and a target without a slash end in an answer', async () => {
    for (const line of ['OPTIONS *', 'GET evil.example', 'GET evil.example:443', 'GET ?x', 'GET ..']) {
      const { status, location } = await send(line);
      expect(status).toBeGreaterThanOrEqual(300);
      expect(status).toBeLessThan(500);
      if (location !== undefined) expect(returnToOf(location)).toBe(afterLogin);
    }
  });
});
