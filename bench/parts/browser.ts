/** A browser that costs little: cookies of one app, redirects, and a login as each contestant wants it. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { readBody } from '../../test/support/http.js';
import type { Contestant } from '../contestants.js';
import type { App } from './app.js';
import type { World } from './world.js';

interface Page {
  readonly status: number;
  readonly text: string;
  /** Of all answers of the app on the way. */
  readonly setCookieBytes: number;
}

const MOST_REDIRECTS = 8;
const agent = new Agent({ keepAlive: true });
const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Not `fetch`, which says itself what kind of request it is. */
async function send(url: URL, { method = 'GET', headers = {}, body }: Sent): Promise<{ answer: IncomingMessage; text: string }> {
  const sent = request(url, { agent, method, headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) } });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { answer, text: (await readBody(answer)).toString() };
}

export class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** The Cookie header. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Follows redirects to the end; the app is asked where it really listens. */
  async visit(path: string, first: Sent = {}): Promise<Page> {
    let url = new URL(path, this.#app.baseUrl);
    let next = first;
    let setCookieBytes = 0;
    for (let hops = 0; hops < MOST_REDIRECTS; hops += 1) {
      const own = url.origin === this.#app.baseUrl;
      const cookie = own && this.#cookies.size > 0 ? { cookie: this.cookie } : {};
      const headers = { host: url.host, ...NAVIGATION, ...next.headers, ...cookie };
      const { answer, text } = await send(own ? new URL(url.pathname + url.search, this.#app.origin) : url, { ...next, headers });
      const { statusCode: status = 0 } = answer;
      if (own) setCookieBytes += this.#keep(answer.headers['set-cookie'] ?? []);
      if (answer.headers.location === undefined) return { status, text, setCookieBytes };
      url = new URL(answer.headers.location, url);
      next = {};
    }
    throw new Error(`the bench was sent round in circles at ${url.origin}${url.pathname}`);
  }

  /** Opens a page that has to lead somewhere else at once, and does not follow. */
  async leave(path: string): Promise<void> {
    const { host } = new URL(this.#app.baseUrl);
    const { answer } = await send(new URL(path, this.#app.origin), { headers: { host, ...NAVIGATION } });
    if (answer.headers.location === undefined) throw new Error(`${path} led nowhere, with HTTP ${answer.statusCode}`);
  }

  #keep(cookies: readonly string[]): number {
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/;\s*(?:max-age=0|expires=thu, 01 jan 1970)/i.test(cookie)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return cookies.reduce((sum, cookie) => sum + cookie.length, 0);
  }
}

export interface LoggedIn {
  readonly cookie: string;
  readonly setCookieBytes: number;
}

/** A user who has just logged in, and has seen the first page. */
export async function login(world: World, contestant: Contestant, app: App, query: Readonly<Record<string, string>> = {}): Promise<LoggedIn> {
  const browser = new Browser(app);
  const { status, setCookieBytes } = await begin(world, contestant, browser, query);
  const page = await browser.visit('/me');
  if (page.status !== 200) throw new Error(`${contestant.name}: the login ended with ${status}, and the first page with ${page.status}: ${page.text.slice(0, 300)}`);
  return { cookie: browser.cookie, setCookieBytes };
}

async function begin(world: World, { login: how }: Contestant, browser: Browser, query: Readonly<Record<string, string>>): Promise<Page> {
  switch (how) {
    case 'GET /login':
      return browser.visit(`/login?${new URLSearchParams(query).toString()}`);
    case 'form with CSRF token': {
      const { csrfToken } = JSON.parse((await browser.visit('/auth/csrf')).text) as { csrfToken: string };
      const body = new URLSearchParams({ csrfToken, callbackUrl: '/me' });
      return browser.visit('/auth/signin/bench', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: body.toString() });
    }
    case 'brought':
      return browser.visit('/bring', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(await codeFlowByHand(world)) });
  }
}

/** For the floors, which have no login of their own. */
async function codeFlowByHand({ server, settings }: World): Promise<object> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const redirectUri = 'http://127.0.0.1/callback';
  const query = new URLSearchParams({ client_id: String(settings['clientId']), redirect_uri: redirectUri, code_challenge: challenge });
  const authorized = await fetch(`${server.origin}/auth?${query.toString()}`, { redirect: 'manual' });
  await authorized.text();
  const code = new URL(authorized.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const body = new URLSearchParams({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri });
  const tokens = (await (await fetch(`${server.origin}/token`, { method: 'POST', body })).json()) as { id_token: string };
  const user: unknown = JSON.parse(Buffer.from(tokens.id_token.split('.')[1] ?? '', 'base64url').toString());
  return { user, tokens };
}
