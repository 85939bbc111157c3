/** The few pages of our own: no script, nothing from elsewhere, and no word that a request or a provider brought along. */
import { createHash } from 'node:crypto';
import type { CodeFlowErrorCode } from './errors.js';
import type { Page } from './http.js';

/** A link or button; `url` is always made of `baseUrl` by us. */
export interface PageAction {
  url: string;
  label: string;
}

/** What an error page says. */
export interface ErrorPageDetails {
  status: number;
  code: CodeFlowErrorCode;
  title: string;
  detail: string;
  /** Names this answer in the app's log. */
  correlationId: string;
  /** What the user can do about it, if anything. */
  action?: PageAction | undefined;
}

interface Explanation {
  title: string;
  detail: string;
}

const say = (title: string, detail: string): Explanation => ({ title, detail });

const ours = say('Something went wrong', 'This application is not set up correctly. Its operator has to look into it.');
const startAgain = say('Sign-in did not work', 'This sign-in could not be finished. Please start again.');
const untrusted = say('Sign-in did not work', 'The answer of the sign-in service could not be trusted. Please start again.');
const unavailable = say('Sign-in service unavailable', 'The sign-in service does not answer as it should just now. Please try again in a moment.');
const unclear = say('Please try again', 'We cannot tell just now whether you are signed in. Nothing was lost. Please try again in a moment.');
const denied = say('No access', 'You are signed in, but you do not have access to this page.');

/** For people. A code that is missing here does not compile. */
const explanations: Readonly<Record<CodeFlowErrorCode, Explanation>> = {
  ERR_CODE_FLOW_OPTION_MISSING: ours,
  ERR_CODE_FLOW_OPTION_UNKNOWN: ours,
  ERR_CODE_FLOW_OPTION_INVALID: ours,
  ERR_CODE_FLOW_OPTION_CONFLICT: ours,
  ERR_CODE_FLOW_SECRET_WEAK: ours,
  ERR_CODE_FLOW_HTTP_REFUSED: ours,
  ERR_CODE_FLOW_MEMORY_IN_PRODUCTION: ours,
  ERR_CODE_FLOW_REDIS_INCOMPATIBLE: ours,
  ERR_CODE_FLOW_REDIS_EVICTS: ours,
  ERR_CODE_FLOW_BASE_URL_MISMATCH: ours,
  ERR_CODE_FLOW_COOKIE_LOST: ours,
  ERR_CODE_FLOW_COOKIE_AMBIGUOUS: ours,
  ERR_CODE_FLOW_NOT_MOUNTED: ours,
  ERR_CODE_FLOW_MOUNTED_TWICE: ours,
  ERR_CODE_FLOW_API_NOT_LISTED: ours,
  ERR_CODE_FLOW_AUTHORIZATION_HEADER: ours,
  ERR_CODE_FLOW_PROVIDER_UNKNOWN: say('Sign-in did not work', 'There is no sign-in service of this name here.'),
  ERR_CODE_FLOW_CALLBACK_INVALID: startAgain,
  ERR_CODE_FLOW_STATE_MISSING: startAgain,
  ERR_CODE_FLOW_STATE_UNKNOWN: say(
    'Sign-in expired',
    'This sign-in took too long, was begun in another browser, or this browser keeps no cookies. Please start again.',
  ),
  ERR_CODE_FLOW_LOGIN_USED: say('Already used', 'This sign-in was already finished. Please start again if you are not signed in.'),
  ERR_CODE_FLOW_LOGIN_REFUSED: say('Sign-in refused', 'The sign-in service did not sign you in. You can start again.'),
  ERR_CODE_FLOW_CODE_REFUSED: startAgain,
  ERR_CODE_FLOW_ISSUER_MISMATCH: untrusted,
  ERR_CODE_FLOW_ID_TOKEN_INVALID: untrusted,
  ERR_CODE_FLOW_CLOCK_SKEW: say('Sign-in did not work', 'The clocks of this application and of the sign-in service differ too much. Its operator has to look into it.'),
  ERR_CODE_FLOW_SUBJECT_MISMATCH: say('Another account', 'You signed in with another account than before. Please start again with the first one.'),
  ERR_CODE_FLOW_ACR_NOT_MET: say('Sign-in not strong enough', 'This page needs a stronger way to sign in. Please start again.'),
  ERR_CODE_FLOW_NOT_A_NAVIGATION: say('Please open the page itself', 'Signing in works only in a browser window of its own.'),
  ERR_CODE_FLOW_LOGIN_LOOP: say(
    'Sign-in goes round in circles',
    'You were signed in several times just now, and yet asked to sign in again. Please allow this site to keep its cookies, wait a minute, and start again.',
  ),
  ERR_CODE_FLOW_SIGNED_OUT: say('Signed out', 'You were signed out while this sign-in was finishing. Please start again.'),
  ERR_CODE_FLOW_LOGIN_REQUIRED: say('Please sign in', 'This page needs you to be signed in.'),
  ERR_CODE_FLOW_LOGIN_ENDED: say('Please sign in again', 'Your sign-in has ended.'),
  ERR_CODE_FLOW_STEP_UP_REQUIRED: say('Please confirm that it is you', 'This page needs you to sign in once more.'),
  ERR_CODE_FLOW_SCOPE_MISSING: denied,
  ERR_CODE_FLOW_CLAIMS_REFUSED: denied,
  ERR_CODE_FLOW_CROSS_ORIGIN: say('Refused', 'This request came from another site and was not carried out.'),
  ERR_CODE_FLOW_SESSION_UNKNOWN: say('Refused', 'There is no session of this name.'),
  ERR_CODE_FLOW_PROVIDER_UNAVAILABLE: unavailable,
  ERR_CODE_FLOW_PROVIDER_TIMEOUT: unavailable,
  ERR_CODE_FLOW_PROVIDER_RESPONSE_INVALID: unavailable,
  ERR_CODE_FLOW_CLIENT_REFUSED: unavailable,
  ERR_CODE_FLOW_TOKEN_UNAVAILABLE: unavailable,
  ERR_CODE_FLOW_STORE_UNAVAILABLE: unclear,
  ERR_CODE_FLOW_STORE_TIMEOUT: unclear,
  ERR_CODE_FLOW_LOGOUT_INCOMPLETE: say('Not signed out yet', 'Signing out did not work just now: you are still signed in. Please try again.'),
  ERR_CODE_FLOW_CLOSED: unclear,
};

/**
 * What we tell a person, by the code alone.
 * @internal
 */
export function explain(code: CodeFlowErrorCode): Explanation {
  return explanations[code];
}

const style = `:root{color-scheme:light dark;--text:#1d2430;--soft:#5b6676;--back:#f4f6f9;--card:#fff;--line:#dfe4ec;--link:#1f5fd0;--on:#fff}
@media(prefers-color-scheme:dark){:root{--text:#e8ecf3;--soft:#9aa5b5;--back:#12161d;--card:#1b212b;--line:#2d3542;--link:#7fb0ff;--on:#0d1420}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;background:var(--back);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:27rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.9rem}
h1{margin:0 0 .6rem;font-size:1.4rem;line-height:1.25}p{margin:0 0 1.4rem;overflow-wrap:anywhere}form{margin:0}
.action{display:inline-block;padding:.65rem 1.15rem;border:0;border-radius:.55rem;background:var(--link);color:var(--on)}
.action{font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
a:focus-visible,button:focus-visible{outline:3px solid var(--text);outline-offset:2px}.other{margin-left:1rem;color:var(--link)}
small{display:block;margin-top:1.6rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);overflow-wrap:anywhere}`;

const styleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;
const policy = `default-src 'none'; style-src ${styleHash}; frame-ancestors 'none'; base-uri 'none'`;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');

const layout = (title: string, content: string, head = ''): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">${head}
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`;

/** @internal */
export function errorPage({ status, code, title, detail, correlationId, action }: ErrorPageDetails): Page {
  const link = action === undefined ? '' : `<a class="action" href="${escapeHtml(action.url)}">${escapeHtml(action.label)}</a>\n`;
  const small = `<small>${status} · ${escapeHtml(code)}<br>${escapeHtml(correlationId)}</small>`;
  return {
    html: layout(title, `<p>${escapeHtml(detail)}</p>\n${link}${small}`),
    contentSecurityPolicy: `${policy}; form-action 'none'`,
    referrerPolicy: 'no-referrer',
  };
}

/**
 * Asks before a logout that another site may have brought about.
 *
 * No `form-action`: Chromium applies it to the redirects after the form too, and the way leads to the authorization server.
 * Not `no-referrer`: under it browsers send `Origin: null` with the form (Fetch §3.2), and it would look like another site's.
 * @internal
 */
export function logoutPage({ logoutUrl, stayUrl }: { logoutUrl: string; stayUrl: string }): Page {
  const stay = `<a class="other" href="${escapeHtml(stayUrl)}">Stay signed in</a>`;
  const form = `<form method="post" action="${escapeHtml(logoutUrl)}"><button class="action">Sign out</button>${stay}</form>`;
  return {
    html: layout('Sign out?', `<p>You are about to sign out of this application.</p>\n${form}`),
    contentSecurityPolicy: policy,
    referrerPolicy: 'same-origin',
  };
}

/**
 * Asks before a login that another site brought about takes the place of the one that there is. A link does: what follows it comes from here.
 * @internal
 */
export function loginAgainPage({ loginUrl, stayUrl }: { loginUrl: string; stayUrl: string }): Page {
  const again = `<a class="action" href="${escapeHtml(loginUrl)}">Sign in again</a>`;
  const stay = `<a class="other" href="${escapeHtml(stayUrl)}">Stay signed in</a>`;
  const text = 'You are signed in. Another site asks you to sign in once more, perhaps elsewhere or as somebody else.';
  return {
    html: layout('Sign in again?', `<p>${text}</p>\n${again}${stay}`),
    contentSecurityPolicy: `${policy}; form-action 'none'`,
    referrerPolicy: 'no-referrer',
  };
}

/**
 * Leads on by itself, to `url` or to its own address once more, which is not repeated in the page. A browser sends no SameSite=Strict
 * cookie along the redirects that come from another site; it does once a page of ours asks.
 * @internal
 */
export function onwardPage(url?: string): Page {
  const refresh = `<meta http-equiv="refresh" content="0${url === undefined ? '' : `;url=${escapeHtml(url)}`}">`;
  const html = layout('Signing in', '<p>One moment, please.</p>', refresh);
  return { html, contentSecurityPolicy: `${policy}; form-action 'none'`, referrerPolicy: 'no-referrer' };
}

/**
 * The app's own HTML under the app's own rules; framing alone stays forbidden.
 * @internal
 */
export function customPage(html: string): Page {
  return { html, contentSecurityPolicy: "frame-ancestors 'none'; base-uri 'none'", referrerPolicy: 'no-referrer' };
}
