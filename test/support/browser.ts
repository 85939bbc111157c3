/**
 * A small browser: cookies, navigations with Fetch Metadata, redirects by hand, forms. It speaks through node:http because
 * Node's fetch() writes its own Sec-Fetch-Mode.
 */
import { request, type IncomingHttpHeaders } from 'node:http';
import { CookieJar } from './cookie-jar.js';
import { readBody } from './http.js';

export interface BrowserOptions {
  /** The user name that is typed into login forms. */
  login?: string;
  /** Public origins and where they really listen, as behind a TLS-terminating proxy: `{ 'https://app.example.test': 'http://127.0.0.1:1234' }`. */
  proxies?: Readonly<Record<string, string>>;
  secureOnLoopback?: boolean;
}

export interface RequestOptions {
  /** A navigation asks for a page and follows redirects and self-submitting forms. Default `true`. */
  navigate?: boolean;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Default: as `navigate`. */
  follow?: boolean;
  /** What led here, for `Sec-Fetch-Site` and `Origin`. Absent: typed into the address bar. */
  from?: string;
}

/** As `fetch()` asks: no navigation, no redirects followed. */
export const asScript = { navigate: false } as const satisfies RequestOptions;
/** A navigation that stops at the first answer. */
export const asPage = { follow: false } as const satisfies RequestOptions;

export interface Page {
  url: string;
  status: number;
  headers: IncomingHttpHeaders;
  /** The `Set-Cookie` lines of this answer. */
  setCookies: readonly string[];
  text: string;
  json(): any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it
  /** Every answer on the way here, this one included. */
  hops: readonly Hop[];
}

export interface Hop {
  method: string;
  url: string;
  status: number;
  location?: string;
  setCookies: readonly string[];
}

type Answer = Omit<Page, 'hops'> & { location: string | undefined };
interface Target extends RequestOptions {
  url: URL;
  method: string;
  /** Where redirects already led this request. */
  visited?: readonly URL[];
}

const mostHops = 25;

export function createBrowser(options: BrowserOptions = {}): Browser {
  return new Browser(options);
}

export class Browser {
  readonly cookies: CookieJar;
  login: string | undefined;
  readonly #proxies: Readonly<Record<string, string>>;

  constructor({ login, proxies = {}, secureOnLoopback = false }: BrowserOptions) {
    this.login = login;
    this.#proxies = proxies;
    this.cookies = new CookieJar({ secureOnLoopback });
  }

  /** Opens a page, or with `navigate: false` calls it as a script would. */
  get(url: string | URL, options: RequestOptions = {}): Promise<Page> {
    return this.request(url, { ...options, method: 'GET' });
  }

  /** Sends a form from a page of the same origin, or with `navigate: false` calls as a script would. */
  post(url: string | URL, form: Readonly<Record<string, string>> = {}, options: RequestOptions = {}): Promise<Page> {
    const origin = new URL(url).origin;
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...options.headers };
    return this.request(url, { from: origin, body: new URLSearchParams(form).toString(), ...options, headers, method: 'POST' });
  }

  async request(url: string | URL, options: RequestOptions = {}): Promise<Page> {
    const follow = options.follow ?? options.navigate ?? true;
    const hops: Hop[] = [];
    let target: Target | undefined = { ...options, url: new URL(url), method: options.method ?? 'GET' };
    for (;;) {
      const answer: Answer = await this.#send(target);
      const { location, ...page } = answer;
      hops.push({ method: target.method, url: page.url, status: page.status, setCookies: page.setCookies, ...(location === undefined ? {} : { location }) });
      const next: Target | undefined = follow ? (redirected(target, answer) ?? refreshed(answer) ?? this.#submitted(answer)) : undefined;
      if (next === undefined) return { ...page, hops };
      if (hops.length >= mostHops) throw new Error(`a redirect loop:\n${hops.map((hop) => `${hop.status} ${withoutQuery(hop.url)}`).join('\n')}`);
      target = next;
    }
  }

  async #send(target: Target): Promise<Answer> {
    const { url, method } = target;
    const real = new URL(this.#proxies[url.origin] ?? url.origin);
    const cookie = this.cookies.header(url, sameSiteOf(target));
    const headers = { Host: url.host, ...fetchMetadata(target), ...(cookie === undefined ? {} : { Cookie: cookie }), ...target.headers };
    const path = url.pathname + url.search;
    const res = await new Promise<Parameters<typeof readBody>[0]>((resolve, reject) => {
      const length = target.body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(target.body)) };
      request({ host: real.hostname, port: real.port, path, method, headers: { ...headers, ...length }, agent: false }, resolve)
        .once('error', reject)
        .end(target.body);
    });
    const text = (await readBody(res)).toString();
    const setCookies = res.headers['set-cookie'] ?? [];
    for (const line of setCookies) this.cookies.receive(line, url);
    return { url: url.href, status: res.statusCode!, headers: res.headers, setCookies, text, json: () => JSON.parse(text), location: res.headers.location };
  }

  /** A form that submits itself, or a login form when it is known who we are. */
  #submitted({ url, status, headers, text }: Answer): Target | undefined {
    if (headers['content-type']?.startsWith('text/html') !== true) return undefined;
    const form = /<form\b[^>]*>[^]*?<\/form>/i.exec(text)?.[0];
    if (form === undefined) return undefined;
    const isLogin = /name="username"/.test(form);
    // A page submits itself whatever its status: errors by form_post may come with 400.
    if (isLogin ? status !== 200 || this.login === undefined : !text.includes('.submit()')) return undefined;
    const body = new URLSearchParams([...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]): [string, string] => [name!, unescapeHtml(value!)]));
    if (isLogin) body.set('username', this.login!);
    const action = /<form\b[^>]*\baction="([^"]*)"/i.exec(form)?.[1];
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return { url: new URL(action === undefined ? url : unescapeHtml(action), url), method: 'POST', body: body.toString(), headers: type, from: url, navigate: true };
  }
}

/** A page that leads on at once, to another address or to its own once more; from here on the way begins anew, at this page. */
function refreshed({ url, headers, text }: Answer): Target | undefined {
  if (headers['content-type']?.startsWith('text/html') !== true) return undefined;
  const [found, address] = /<meta http-equiv="refresh" content="0(?:;url=([^"]*))?">/.exec(text) ?? [];
  if (found === undefined) return undefined;
  return { url: new URL(address === undefined ? url : unescapeHtml(address), url), method: 'GET', from: url, navigate: true };
}

/** 303 becomes GET, and so do 301 and 302 after a POST; 307 and 308 keep everything (RFC 9110 §15.4). */
function redirected(target: Target, { status, location, url }: Answer): Target | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const next = { ...target, url: new URL(location, url), visited: [...(target.visited ?? []), target.url] };
  if (status === 307 || status === 308) return next;
  const { body: _body, headers: _headers, ...rest } = next;
  return { ...rest, method: target.method === 'HEAD' ? 'HEAD' : 'GET' };
}

function fetchMetadata({ url, visited = [], method, navigate = true, from }: Target): Record<string, string> {
  const site = from === undefined ? 'none' : siteRelation(new URL(from), [...visited, url]);
  const origin = from !== undefined && method !== 'GET' && method !== 'HEAD' ? { Origin: new URL(from).origin } : {};
  if (!navigate) return { Accept: '*/*', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': site === 'none' ? 'same-origin' : site, ...origin };
  return { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-Site': site, ...origin };
}

/** Where a chain of redirects left a site once, it stays cross-site (Fetch Metadata §2.2). */
function siteRelation(from: URL, chain: readonly URL[]): string {
  if (chain.every(({ origin }) => origin === from.origin)) return 'same-origin';
  return chain.every(({ hostname, protocol }) => hostname === from.hostname && protocol === from.protocol) ? 'same-site' : 'cross-site';
}

/** RFC 6265bis §5.2, §5.8.3: what another site brought about carries SameSite=None cookies, and Lax ones when it is a visit. */
function sameSiteOf({ url, visited = [], method, navigate = true, from }: Target): 'none' | 'lax' | 'strict' {
  if (from === undefined || siteRelation(new URL(from), [...visited, url]) !== 'cross-site') return 'strict';
  return navigate && (method === 'GET' || method === 'HEAD') ? 'lax' : 'none';
}

function unescapeHtml(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/** Codes and states stay out of test output. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0]!;
}
