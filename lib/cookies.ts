/** Reading the Cookie header and writing Set-Cookie values (RFC 6265bis §4.1, §5.6). */

export interface CookieFlags {
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: string;
}

export interface Cookie {
  readonly name: string;
  /** Percent-decoded; as it came when it does not decode. */
  readonly value: string;
}

function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // Not ours: what we write always decodes.
  }
}

/** Far more than browsers keep for a site (RFC 6265bis §5.7) and than Node reads unless told otherwise; the rest is made up (THREATS J8). */
const LONGEST_HEADER = 65_536;

/** Every cookie in the order sent, those of equal names too: who picks one of two is told which by an attacker (THREATS C14). */
export function readCookies(header: string | undefined): Cookie[] {
  if (header === undefined || header.length > LONGEST_HEADER) return [];
  const cookies: Cookie[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, Math.max(equals, 0)).trim();
    if (name !== '') cookies.push({ name, value: decode(pair.slice(equals + 1).trim()) });
  }
  return cookies;
}

const SAME_SITE = { lax: 'SameSite=Lax', strict: 'SameSite=Strict', none: 'SameSite=None' };

/** A Set-Cookie value. Without `maxAgeSeconds` the cookie lives as long as the browser's session; 0 deletes it. */
export function writeCookie(name: string, value: string, flags: CookieFlags, maxAgeSeconds?: number): string {
  const parts = [`${name}=${encodeURIComponent(value)}`, `Path=${flags.path}`];
  if (maxAgeSeconds !== undefined) parts.push(`Max-Age=${maxAgeSeconds}`);
  if (maxAgeSeconds === 0) parts.push('Expires=Thu, 01 Jan 1970 00:00:00 GMT');
  parts.push('HttpOnly');
  if (flags.secure) parts.push('Secure');
  parts.push(SAME_SITE[flags.sameSite]);
  return parts.join('; ');
}

/** A value that was written as base64url (RFC 4648 §5); any other spelling of the same is nothing. */
export function decodedValue({ value }: Cookie): Buffer {
  const bytes = Buffer.from(value, 'base64url');
  return bytes.toString('base64url') === value ? bytes : Buffer.alloc(0);
}
