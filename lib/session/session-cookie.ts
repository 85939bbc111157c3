/** The session cookie, in express-session's own format: `s:<session id>.<HMAC-SHA256>`. */
import { createHmac } from 'node:crypto';
import { boundedMap } from '../bounded-map.js';
import { isSameText } from '../constant-time.js';
import { readCookies, writeCookie } from '../cookies.js';
import type { CookieFlags } from '../cookies.js';

export interface SessionCookie {
  readonly name: string;
  readonly flags: CookieFlags;
  /** The session id that the browser holds; `undefined` when there is none, its signature is wrong, or there are two. */
  read(cookieHeader: string | undefined): string | undefined;
  /** The Set-Cookie value for this session id. */
  write(sessionId: string): string;
  /** The Set-Cookie value that deletes the cookie. */
  clear(): string;
}

/** Without the one `=` that 32 bytes end in. */
const signature = (sessionId: string, key: string): string =>
  createHmac('sha256', key).update(sessionId).digest('base64').replace('=', '');

/** Some 1 MB. */
const REMEMBERED_SIGNATURES = 5000;

/** A piece of a long text keeps all of it: here the whole Cookie header. */
const unsliced = (text: string): string => Buffer.from(text).toString();

/** What is signed is signed alike each time: what was once found right is remembered, by its session. */
function createVerifier(keys: readonly string[]): (value: string) => string | undefined {
  const remembered = boundedMap<string>(REMEMBERED_SIGNATURES);
  return (value) => {
    const dot = value.lastIndexOf('.');
    if (!value.startsWith('s:') || dot < 3) return undefined;
    const sessionId = value.slice(2, dot);
    const given = value.slice(dot + 1);
    const known = remembered.get(sessionId);
    if (known !== undefined && isSameText(given, known)) return sessionId;
    if (!keys.some((key) => isSameText(given, signature(sessionId, key)))) return undefined;
    remembered.set(unsliced(sessionId), unsliced(given));
    return sessionId;
  };
}

/**
 * The first key signs, all of them verify.
 * @param onAmbiguous Called for each request that has more than one cookie of this name.
 */
export function createSessionCookie(name: string, flags: CookieFlags, keys: readonly [string, ...string[]], onAmbiguous: () => void = () => undefined): SessionCookie {
  const pair = `${name}=`;
  const verify = createVerifier(keys);
  return {
    name,
    flags,
    read(cookieHeader) {
      if (cookieHeader?.includes(pair) !== true) return undefined;
      const [only, ...more] = readCookies(cookieHeader).filter((cookie) => cookie.name === name);
      if (only === undefined) return undefined;
      if (more.length === 0) return verify(only.value);
      // Two of the same name: one of them may be an attacker's, set from a sibling domain. Neither is believed (THREATS C14).
      onAmbiguous();
      return undefined;
    },
    write: (sessionId) => writeCookie(name, `s:${sessionId}.${signature(sessionId, keys[0])}`, flags),
    clear: () => writeCookie(name, '', flags, 0),
  };
}
