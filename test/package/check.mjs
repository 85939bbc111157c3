/**
 * Runs a consumer's app while its authorization server is down: `node check.mjs ./app.js`.
 * The app's module exports `createApp({ issuer, baseUrl, secret })`, which returns `{ handler, close }`.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { pathToFileURL } from 'node:url';

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

/** The address of a server that was there a moment ago. */
async function addressOfNobody() {
  const server = createServer();
  const address = await listen(server);
  server.close();
  await once(server, 'close');
  return address;
}

/** Not `fetch`: it sets Sec-Fetch-Mode itself, and a page navigation needs another one. */
async function request(url, headers) {
  const [response] = await once(get(url, { headers, agent: false }), 'response');
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
const byFetch = { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' };

const { createApp } = await import(pathToFileURL(process.argv[2]).href);
const server = createServer();
const baseUrl = await listen(server);
const { handler, close } = await createApp({ issuer: await addressOfNobody(), baseUrl, secret: randomBytes(32).toString('hex') });
server.on('request', handler);

const home = await request(`${baseUrl}/`, navigation);
assert.equal(home.status, 200);
assert.equal(home.body, 'Hello');

const login = await request(`${baseUrl}/login`, navigation);
assert.equal(login.status, 503);
assert.match(login.headers['content-type'], /^text\/html/);
assert.ok(Number(login.headers['retry-after']) > 0, 'Retry-After');
assert.equal(login.headers['set-cookie'], undefined);

const page = await request(`${baseUrl}/private`, navigation);
assert.equal(page.status, 302);
assert.equal(new URL(page.headers.location, baseUrl).pathname, '/login');

const guarded = await request(`${baseUrl}/private`, byFetch);
assert.equal(guarded.status, 401);
assert.match(guarded.headers['content-type'], /^application\/problem\+json/);
assert.equal(JSON.parse(guarded.body).code, 'ERR_CODE_FLOW_LOGIN_REQUIRED');
assert.equal(guarded.headers['set-cookie'], undefined);

await close();
server.close();
// Nothing of the package may keep the process alive now: a timer that does is found by the time limit of the caller.
