/** `session`: the session and its cookie. */
import type { ResolvedOptions, SessionOptions } from '../types.js';
import { type Check, type Checks, flag, listOf, oneOf, optional, readTable, refuse, show, text, wholeSeconds } from './check.js';

/** Browsers keep no cookie longer than 400 days (RFC 6265bis §5.5). */
const longest = 400 * 24 * 60 * 60;
const defaultIdle = 8 * 60 * 60;
const defaultAbsolute = 7 * 24 * 60 * 60;
const defaultGrantIdle = 30 * 24 * 60 * 60;

/** RFC 9110 §5.6.2 */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const readCookieName: Check<string> = (value, path) => {
  if (typeof value === 'string' && token.test(value)) return value;
  return refuse(path, `must be a cookie name of letters, digits and -_.; got ${show(value)}`);
};

/** Of `req.session`: `cookie` belongs to express-session. */
const readKept: Check<string> = (value, path) => {
  const name = text('the name of a `req.session` property')(value, path);
  if (name === 'cookie' || name === '__proto__') refuse(path, `must name data of your own; got ${show(name)}`);
  return name;
};

export const sessionChecks = {
  cookieName: optional(readCookieName),
  sameSite: optional(oneOf('lax', 'strict'), 'lax'),
  idleTimeoutSeconds: optional(wholeSeconds(1, longest)),
  absoluteTimeoutSeconds: optional(wholeSeconds(1, longest), defaultAbsolute),
  keep: optional(listOf(readKept), []),
  keepGrant: optional(flag, false),
  grantIdleTimeoutSeconds: optional(wholeSeconds(1, longest)),
} satisfies Checks<SessionOptions>;

/** What `session` says by itself; `resolveSession` adds what `baseUrl` decides. */
export const readSession = (value: unknown, path: string) => readTable(sessionChecks, value === undefined ? {} : value, path);

export function resolveSession(session: ReturnType<typeof readSession>, baseUrl: URL, basePath: string): ResolvedOptions['session'] {
  const secure = baseUrl.protocol === 'https:';
  const { absoluteTimeoutSeconds, idleTimeoutSeconds = Math.min(defaultIdle, absoluteTimeoutSeconds) } = session;
  if (idleTimeoutSeconds > absoluteTimeoutSeconds) {
    const problem = `is ${idleTimeoutSeconds}, which is longer than \`session.absoluteTimeoutSeconds\`, ${absoluteTimeoutSeconds}: lengthen that too`;
    refuse('session.idleTimeoutSeconds', problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  const cookieName = session.cookieName ?? defaultCookieName(secure, basePath);
  refuseImpossiblePrefix(cookieName, secure, basePath);
  const grantIdleTimeoutSeconds = grantTimeoutOf(session);
  return { cookieName, sameSite: session.sameSite, secure, idleTimeoutSeconds, absoluteTimeoutSeconds, keep: session.keep, grantIdleTimeoutSeconds };
}

function grantTimeoutOf({ keepGrant, grantIdleTimeoutSeconds }: ReturnType<typeof readSession>): number | undefined {
  if (!keepGrant && grantIdleTimeoutSeconds !== undefined) {
    refuse('session.grantIdleTimeoutSeconds', 'needs `session.keepGrant: true`: without it tokens end with their session', 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return keepGrant ? (grantIdleTimeoutSeconds ?? defaultGrantIdle) : undefined;
}

/** OWASP: a name that tells nothing. The prefixes are RFC 6265bis §4.1.3. */
function defaultCookieName(secure: boolean, basePath: string): string {
  if (!secure) return 'session';
  return basePath === '' ? '__Host-session' : '__Secure-session';
}

/** Browsers drop such a cookie without a word, and the user would be sent to the login for ever. */
function refuseImpossiblePrefix(cookieName: string, secure: boolean, basePath: string): void {
  const name = cookieName.toLowerCase();
  const conflict = (problem: string): never => refuse('session.cookieName', `${show(cookieName)} ${problem}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  if ((name.startsWith('__host-') || name.startsWith('__secure-')) && !secure) conflict('needs an https `baseUrl`: browsers drop it over http');
  if (name.startsWith('__host-') && basePath !== '') conflict('needs a `baseUrl` without a path, since its own is always "/": use "__Secure-…"');
}
