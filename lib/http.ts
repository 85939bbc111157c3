/** The one door for writing answers, over `node:http` alone; and what a request says about the browser that sent it. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { CodeFlowErrorCode } from './errors.js';
import type { Request, Response } from './types.js';

/** A page with the policies that fit it. */
export interface Page {
  html: string;
  contentSecurityPolicy: string;
  referrerPolicy: 'no-referrer' | 'same-origin';
}

/** What a program is told (RFC 9457). */
interface Problem {
  status: number;
  code: CodeFlowErrorCode;
  detail?: string | undefined;
  /** Where a browser can log in. */
  login?: string | undefined;
  retryAfterSeconds?: number | undefined;
}

/** Describe a body that is not sent any more once we answer instead of the app. */
const bodyHeaders = ['Accept-Ranges', 'Content-Disposition', 'Content-Encoding', 'Content-Language', 'Content-Range', 'ETag', 'Last-Modified'];

const nothingAllowed = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * Sends the browser on. 303 turns every method into GET; 307 and 308 would carry a form's content along (RFC 9700 §4.12).
 * Every writer here does nothing if another answer is already on its way.
 * @throws TypeError if `location` is not absolute: a relative one could be read as another host
 */
export function redirect(res: Response, location: string | URL, status: 302 | 303 = 303): void {
  const { href } = new URL(location);
  send(res, status, { Location: href, 'Content-Security-Policy': nothingAllowed }, '');
}

/** Answers a program. `type` is left out, so that `title` is the status' own (RFC 9457 §4.2.1) and `code` tells more. */
export function sendProblem(res: Response, problem: Problem): void {
  const { status, code, detail, login, retryAfterSeconds } = problem;
  const body = { title: STATUS_CODES[status], status, code, detail, login, correlationId: correlationId(res) };
  const headers = { 'Content-Type': 'application/problem+json', 'Content-Security-Policy': nothingAllowed, ...retryAfter(retryAfterSeconds) };
  send(res, status, headers, JSON.stringify(body));
}

/** Answers a program of the app's own origin, and no page of another one that embeds it. */
export function sendJson(res: Response, body: unknown): void {
  const headers = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Security-Policy': nothingAllowed, 'Cross-Origin-Resource-Policy': 'same-origin' };
  send(res, 200, headers, JSON.stringify(body));
}

/** Answers a person. */
export function sendPage(res: Response, status: number, page: Page, retryAfterSeconds?: number): void {
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': page.contentSecurityPolicy,
    'Referrer-Policy': page.referrerPolicy,
    ...retryAfter(retryAfterSeconds),
  };
  send(res, status, headers, page.html);
}

/** Answers a browser that looks ahead: it drops what has such a status, and asks again when the user does. */
export function refusePrefetch(res: Response): void {
  send(res, 503, { 'Content-Security-Policy': nothingAllowed }, '');
}

/** Answers another server, or a frame that shows nothing: the status says it all. */
export function sendEmpty(res: Response, status: number): void {
  send(res, status, { 'Content-Security-Policy': nothingAllowed }, '');
}

/** An empty page that any page may frame: there is nothing on it that could be clicked. */
export function sendFramed(res: Response): void {
  send(res, 200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': "default-src 'none'; frame-ancestors *" }, '');
}

/** Answers a server that speaks OAuth (RFC 6749 §5.2). */
export function sendOAuthError(res: Response, status: number, error: string, description: string, retryAfterSeconds?: number): void {
  const headers = { 'Content-Type': 'application/json', 'Content-Security-Policy': nothingAllowed, ...retryAfter(retryAfterSeconds) };
  // Quotes and what is not ASCII may not stand in a description.
  send(res, status, headers, JSON.stringify({ error, error_description: description.replaceAll(/[^ !#-[\]-~]/g, '') }));
}

/** What of the app's data the browser drops with the answer that follows (W3C Clear Site Data §3.1). */
export function clearSiteData(res: Response, kinds: readonly string[]): void {
  if (kinds.length > 0 && !res.headersSent) res.setHeader('Clear-Site-Data', kinds.map((kind) => `"${kind}"`).join(', '));
}

/** Node leaves out the body of an answer to HEAD by itself. */
function send(res: Response, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  if (res.headersSent) return;
  for (const name of bodyHeaders) res.removeHeader(name);
  varyByCookie(res);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Referrer-Policy', 'no-referrer');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.statusCode = status;
  res.end(body);
}

/** RFC 9110 §10.2.3: whole seconds. */
const retryAfter = (seconds: number | undefined): Record<string, string> =>
  seconds === undefined || !Number.isFinite(seconds) ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };

/** Two users must never be served each other's answer by a cache in between (THREATS C13). */
export function varyByCookie(res: Response): void {
  const given = res.getHeader('Vary');
  if (given === undefined) {
    res.setHeader('Vary', 'Cookie');
    return;
  }
  const present = String(given);
  const names = present.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*') || names.includes('cookie')) return;
  res.setHeader('Vary', present === '' ? 'Cookie' : `${present}, Cookie`);
}

/** What a guarded page says by itself is for one user, now; the app may know better, before or after (OWASP ASVS 14.3.2). */
export function keepPrivate(res: Response): void {
  if (res.headersSent) return;
  varyByCookie(res);
  if (!res.hasHeader('Cache-Control')) res.setHeader('Cache-Control', 'no-store');
}

/**
 * An answer that turns out to set this cookie goes into no cache, whatever the app says: it would hand one user's session to the next (THREATS C13).
 * Call it before whoever sets the cookie as the headers go: the first to wrap `writeHead` is the last to be asked.
 */
export function keepCookiePrivate(res: Response, cookieName: string): void {
  const writeHead = res.writeHead.bind(res) as (...given: unknown[]) => Response; // its overloads, all the same to us
  res.writeHead = (...given: unknown[]): Response => {
    const cookies = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
    if (!res.headersSent && cookies.some((cookie) => cookie.startsWith(`${cookieName}=`))) {
      varyByCookie(res);
      res.setHeader('Cache-Control', 'no-store');
    }
    return writeHead(...given);
  };
}

export function appendSetCookie(res: Response, value: string): void {
  res.appendHeader('Set-Cookie', value);
}

/**
 * Joins what a user reports with what the app logged: the app's own `X-Request-Id`, if it set one on the answer, or a new one,
 * which is then set there for the app's log to find.
 */
export function correlationId(res: Response): string {
  const given = res.getHeader('X-Request-Id');
  if (typeof given === 'string' && /^[\w.-]{1,64}$/.test(given)) return given;
  const id = randomUUID();
  if (!res.headersSent) res.setHeader('X-Request-Id', id);
  return id;
}

/** A header as text, even if it was sent twice; two values then match nothing. */
export function header(req: Request, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/**
 * Whether a person waits for a page. `fetch()` accepts every type, so that where the browser sends no Fetch Metadata only a
 * `text/html` in so many words counts.
 */
export function isNavigation(req: Request): boolean {
  const mode = header(req, 'sec-fetch-mode');
  if (mode !== undefined) return mode === 'navigate';
  if (header(req, 'sec-fetch-site') !== undefined || header(req, 'sec-fetch-dest') !== undefined) return false;
  return req.method === 'GET' && namesHtml(header(req, 'accept') ?? '');
}

/** No browser's list is that long (THREATS J8). */
const LONGEST_ACCEPT = 4096;

function namesHtml(accept: string): boolean {
  if (accept.length > LONGEST_ACCEPT) return false;
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/html' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** A page of another site, or of a sibling domain, sent the browser here, directly or over redirects. Nobody can forge it; older browsers do not tell. */
export function comesFromElsewhere(req: Request): boolean {
  const site = header(req, 'sec-fetch-site');
  return site === 'cross-site' || site === 'same-site';
}

/** The browser looks ahead; nobody has asked for the page yet, and a login must not begin or end. */
export function isPrefetch(req: Request): boolean {
  const purpose = [header(req, 'sec-purpose'), header(req, 'purpose'), header(req, 'x-purpose'), header(req, 'x-moz')].join(' ');
  return /prefetch|prerender|preview/i.test(purpose);
}
