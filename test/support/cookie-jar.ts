/** Cookies as browsers keep them (RFC 6265bis), as far as the tests need it: by host, not by port. */
export interface Cookie {
  name: string;
  value: string;
  host: string;
  path: string;
  secure: boolean;
  httpOnly: boolean;
  sameSite: string | undefined;
  /** Epoch milliseconds; absent: until the browser closes. */
  expires: number | undefined;
}

/** Browsers take a cookie without SameSite for Lax. */
const sameSiteOrder = ['none', 'lax', 'strict'];

export class CookieJar {
  /** Browsers let http://localhost set Secure cookies, and none lets other plain http. */
  readonly #secureOnLoopback: boolean;
  #cookies: Cookie[] = [];

  constructor({ secureOnLoopback = false }: { secureOnLoopback?: boolean } = {}) {
    this.#secureOnLoopback = secureOnLoopback;
  }

  /** What is still alive, of one host or of all. */
  all(host?: string): Cookie[] {
    this.#cookies = this.#cookies.filter(({ expires }) => expires === undefined || expires > Date.now());
    return this.#cookies.filter((cookie) => host === undefined || cookie.host === host);
  }

  get(name: string, host?: string): Cookie | undefined {
    return this.all(host).find((cookie) => cookie.name === name);
  }

  /** Plants a cookie, as an attacker or an old browser profile would. */
  set(cookie: Pick<Cookie, 'name' | 'value' | 'host'> & Partial<Cookie>): void {
    this.#store({ path: '/', secure: false, httpOnly: false, sameSite: undefined, expires: undefined, ...cookie });
  }

  delete(name: string): void {
    this.#cookies = this.#cookies.filter((cookie) => cookie.name !== name);
  }

  clear(): void {
    this.#cookies = [];
  }

  /**
   * The `Cookie` header for a request; `undefined` when there is nothing to send. Longer paths go first (§5.8.3).
   * @param least What SameSite must at least allow: `none` for a cross-site POST, `lax` for a cross-site visit. Default: no limit.
   */
  header(url: URL, least: 'none' | 'lax' | 'strict' = 'strict'): string | undefined {
    const matching = this.all(url.hostname)
      .filter((cookie) => pathMatches(url.pathname, cookie.path) && (!cookie.secure || this.#isSecure(url)))
      .filter(({ sameSite }) => sameSiteOrder.indexOf(sameSite?.toLowerCase() ?? 'lax') <= sameSiteOrder.indexOf(least));
    matching.sort((a, b) => b.path.length - a.path.length);
    return matching.length === 0 ? undefined : matching.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  /** Takes one `Set-Cookie` line. */
  receive(line: string, url: URL): void {
    const [pair, ...rest] = line.split(';');
    const separator = pair!.indexOf('=');
    const attributes = new Map(rest.map(attributeOf));
    const cookie: Cookie = {
      name: pair!.slice(0, separator).trim(),
      value: pair!.slice(separator + 1).trim(),
      host: url.hostname,
      path: attributes.get('path')?.startsWith('/') === true ? attributes.get('path')! : defaultPath(url.pathname),
      secure: attributes.has('secure'),
      httpOnly: attributes.has('httponly'),
      sameSite: attributes.get('samesite'),
      expires: expiry(attributes),
    };
    if (this.#accepts(cookie, url, attributes.has('domain'))) this.#store(cookie);
  }

  #accepts(cookie: Cookie, url: URL, hasDomain: boolean): boolean {
    if (cookie.secure && !this.#isSecure(url)) return false;
    if (cookie.sameSite?.toLowerCase() === 'none' && !cookie.secure) return false;
    if (cookie.name.startsWith('__Secure-')) return cookie.secure;
    if (cookie.name.startsWith('__Host-')) return cookie.secure && cookie.path === '/' && !hasDomain;
    return true;
  }

  #isSecure({ protocol, hostname }: URL): boolean {
    return protocol === 'https:' || (this.#secureOnLoopback && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
  }

  #store(cookie: Cookie): void {
    const same = (other: Cookie): boolean => other.name === cookie.name && other.host === cookie.host && other.path === cookie.path;
    this.#cookies = [...this.#cookies.filter((other) => !same(other)), cookie];
  }
}

function attributeOf(attribute: string): [string, string] {
  const separator = attribute.indexOf('=');
  if (separator === -1) return [attribute.trim().toLowerCase(), ''];
  return [attribute.slice(0, separator).trim().toLowerCase(), attribute.slice(separator + 1).trim()];
}

/** Max-Age goes before Expires (§5.5). */
function expiry(attributes: ReadonlyMap<string, string>): number | undefined {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Date.now() + Number(maxAge) * 1000;
  const expires = Date.parse(attributes.get('expires') ?? '');
  return Number.isNaN(expires) ? undefined : expires;
}

function defaultPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function pathMatches(path: string, cookiePath: string): boolean {
  return path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
