/** An app, an authorization server, and what fast-check may throw at them: `npm test` does it briefly, `npm run test:soak` at length. */
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { CodeFlowError } from '../../lib/index.js';
import { safeReturnTo } from '../../lib/urls.js';
import { goToCallback, providerFor } from '../hostile/client.js';
import { startApp, type TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import { readBody } from '../support/http.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';
import { siteAt } from '../support/site.js';
import { cookieHeader, formBody, hostileText, mutated, ownRouteIn, queryText, serverAnswer } from './properties.js';

export interface FuzzWorld {
  readonly properties: Readonly<Record<string, fc.IAsyncProperty<unknown>>>;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
}

export async function startFuzzWorld(): Promise<FuzzWorld> {
  const server = await startLyingServer();
  const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret };
  const app = await startApp('express5', { options: { provider } });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const send = (path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> => sendRaw(app, agent, path, headers, body);
  return {
    properties: { ...(await browserProperties(app, server, send)), ...serverProperties(server), 'B: the return path': returnPath() },
    async close() {
      agent.destroy();
      await app.close();
      await server.close();
    },
  };
}

function sendRaw(app: TestApp, agent: Agent, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const onResponse = (res: Parameters<typeof readBody>[0]): void => void readBody(res).then(() => resolve({ status: res.statusCode!, headers: res.headers }), reject);
    request({ host: '127.0.0.1', port: app.port, path, method, headers: { ...headers, ...length }, agent }, onResponse).once('error', reject).end(body);
  });
}

/** A login under way in a browser of its own. */
async function pendingLogin(app: TestApp): Promise<{ name: string; value: string; state: string }> {
  const begun = await createBrowser().get(`${app.origin}/login`, { follow: false });
  const [, name = '', value = ''] = /^(session-login-[\w-]+)=([^;]+)/.exec(begun.setCookies[0] ?? '') ?? [];
  return { name, value, state: new URL(begun.headers.location!).searchParams.get('state')! };
}

async function browserProperties(app: TestApp, server: LyingServer, send: (path: string, headers?: Record<string, string>, body?: string) => Promise<Answer>) {
  const { name, value, state } = await pendingLogin(app);
  const paths = fc.constantFrom('/', '/public', '/private', '/login', '/logout', '/callback?code=a&state=b', `/callback?state=${state}&error=x`);
  const refused = async (answer: Promise<Answer>): Promise<void> => {
    const before = server.count('token');
    const { status } = await answer;
    if (status !== 400 || server.count('token') !== before) throw new Error(`answered ${status}, with ${server.count('token') - before} token calls`);
  };
  return {
    'C15: the Cookie and Authorization headers': fc.asyncProperty(cookieHeader([name, 'session', `${name}=${value}`]), cookieHeader(['Bearer', 'Basic']), paths, async (Cookie, Authorization, path) => {
      const { status } = await send(path, { Cookie, Authorization, Accept: 'text/html' });
      if (status >= 500) throw new Error(`${path} answered ${status}`);
    }),
    // Another state than the one of this cookie: nothing may be redeemed.
    'A3, C15: the callback’s query': fc.asyncProperty(queryText(['code', 'state', 'iss', 'error', 'id_token', 'response']), async (query) =>
      refused(send(`/callback?${query}`, { Cookie: `${name}=${value}` })),
    ),
    'A3, C15: the callback’s body': fc.asyncProperty(formBody, fc.constantFrom('application/x-www-form-urlencoded', 'application/json', 'text/plain', 'multipart/form-data; boundary=x'), async (body, type) =>
      refused(send('/callback', { 'Content-Type': type, Cookie: `${name}=${value}` }, body)),
    ),
    'A5: the cookie of a login under way': fc.asyncProperty(mutated(value), async (changed) => refused(send(`/callback?code=c&state=${state}&iss=${encodeURIComponent(server.issuer)}`, { Cookie: `${name}=${changed}` }))),
  };
}

/** Whatever the server answers, it is tokens that a header can carry, or an error of ours. With and without an ID Token to check. */
function serverProperties(server: LyingServer) {
  const providers = [providerFor(server), providerFor(server, { scope: 'read' })];
  return {
    'A18: the token answer': fc.asyncProperty(serverAnswer, fc.constantFrom(...providers), async ({ status, type, body }, provider) => {
      const { callback, checks } = await goToCallback(provider, server);
      server.answers.token = (res) => void res.writeHead(status, { 'content-type': type }).end(body);
      try {
        checkOutcome(await provider.exchangeCode(callback, checks).catch((error: unknown) => error));
        const outcome = await provider.refresh('r', {});
        if (outcome.kind === 'failed') checkOutcome(outcome.error);
        else if ('tokens' in outcome) checkOutcome(outcome.tokens);
      } finally {
        delete server.answers.token;
        server.requests.length = 0;
        server.secrets.clear();
      }
    }),
  };
}

function checkOutcome(outcome: unknown): void {
  if (outcome instanceof CodeFlowError) {
    if (![400, 502, 503, 504].includes(outcome.status)) throw outcome;
    return;
  }
  const { accessToken, refreshToken = 'x', idToken = 'x', scope = 'x', expiresInSeconds = 0 } = outcome as Record<string, unknown>;
  const texts = [accessToken, refreshToken, idToken, scope].every((value) => typeof value === 'string');
  if (!texts || !/^[\x21-\x7e]+$/.test(String(accessToken)) || !Number.isSafeInteger(expiresInSeconds)) throw new Error('neither tokens nor an error of ours');
}

function returnPath() {
  const routes = ['/login', '/callback', '/logout'];
  const site = siteAt('https://app.example.com');
  return fc.asyncProperty(hostileText('app.example.com'), (address) => {
    const url = new URL(safeReturnTo(address, site, 'https://app.example.com/start'));
    if (url.origin !== site.baseUrl.origin || url.username !== '' || ownRouteIn(url.pathname, routes) !== undefined) throw new Error(`led to ${url.href}`);
    return Promise.resolve();
  });
}
