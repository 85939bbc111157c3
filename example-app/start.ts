/** `npm start`: the app, an authorization server and an API, each on its own port of this machine. */
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApi } from './api.js';
import { createAuthorizationServer } from './authorization-server.js';
import { readSettings } from './config.js';
import { createServer } from './server.js';

const { port, authorizationServerHost, apiAudience, accessTokenSeconds, ...settings } = readSettings();

// Everybody listens before anybody answers: each must know the addresses of the others.
const servers = { app: await listen(port), authorizationServer: await listen(port && port + 1), api: await listen(port && port + 2) };
const baseUrl = `http://127.0.0.1:${portOf(servers.app)}`;
const issuer = settings.issuer ?? `http://${authorizationServerHost}:${portOf(servers.authorizationServer)}`;
const apiUrl = `http://127.0.0.1:${portOf(servers.api)}/v1/`;

if (settings.issuer === undefined) {
  servers.authorizationServer.on('request', createAuthorizationServer({ ...settings, issuer, baseUrl, apiAudience, accessTokenSeconds }));
}
servers.api.on('request', createApi({ issuer, audience: apiAudience }));
const { app, auth } = createServer({ ...settings, issuer, baseUrl, apiUrl });
servers.app.on('request', app);

console.log(`Open ${baseUrl} in a browser. Ctrl+C ends it.`);

process.once('SIGINT', stop);
process.once('SIGTERM', stop);

function stop(): void {
  for (const server of Object.values(servers)) {
    server.close();
    server.closeAllConnections();
  }
  auth.close().catch((error: unknown) => console.error(error));
}

/** On that port, or on any free one if somebody else has it. */
async function listen(wanted: number): Promise<Server> {
  const server = createHttpServer().listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (wanted === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return listen(0);
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
