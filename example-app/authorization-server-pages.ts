/** What a person sees of the authorization server: a login form, and for a moment the sign-out. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { errors, type ErrorOut, type KoaContextWithOIDC, type Provider } from 'oidc-provider';

export function interactionRoutes(provider: Provider, appUrl: string): RequestListener {
  const standard = provider.callback();
  return (req, res) => {
    const answered = req.url?.startsWith('/interaction/') === true ? interact(provider, req, res) : standard(req, res);
    answered.catch((error: unknown) => {
      // The back button leads to a login that is over, or its cookie is gone.
      if (error instanceof errors.SessionNotFound) show(res, 410, finishedPage(appUrl));
      else show(res, 500, page('Something went wrong', '<p>The authorization server could not go on.</p>'));
    });
  };
}

async function interact(provider: Provider, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(req, res);
  if (prompt.name === 'consent') return provider.interactionFinished(req, res, { consent: {} });
  const accountId = req.method === 'POST' ? await submittedName(req) : undefined;
  if (accountId !== undefined) return provider.interactionFinished(req, res, { login: { accountId } });
  const hint = params['login_hint'];
  show(res, 200, loginPage(typeof hint === 'string' ? hint : ''));
}

async function submittedName(req: IncomingMessage): Promise<string | undefined> {
  let body = '';
  for await (const chunk of req.setEncoding('utf8')) body += String(chunk);
  const name = new URLSearchParams(body).get('username')?.trim().toLowerCase();
  return name === '' ? undefined : name;
}

/** RP-Initiated Logout §2 lets the server ask again; this one takes the user at their word. */
export function signOutPage(ctx: KoaContextWithOIDC, form: string): void {
  const confirmed = form.replace('</form>', '<input type="hidden" name="logout" value="yes"><noscript><button>Sign out</button></noscript></form>');
  ctx.body = page('Signing out', `${confirmed}<script>document.forms[0].submit()</script>`);
}

export function signedOutPage(ctx: KoaContextWithOIDC): void {
  ctx.body = page('Signed out', '<p>You can close this page.</p>');
}

/** `out` is OAuth's own error and description (RFC 6749 §4.1.2.1), shown because it could not be sent to the app. */
export function errorPage(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  ctx.body = page('This request was refused', `<p>${escapeHtml(out.error)}: ${escapeHtml(out.error_description ?? 'no details')}</p>`);
}

function show(res: ServerResponse, status: number, html: string): void {
  if (res.headersSent) return;
  res.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  res.end(html);
}

function loginPage(hint: string): string {
  return page(
    'Sign in',
    `<form method="post">
      <label for="username">User name</label>
      <input id="username" name="username" value="${escapeHtml(hint)}" placeholder="ada" required autofocus autocomplete="username" autocapitalize="none" maxlength="40">
      <button>Continue</button>
      <p>Any name will do: this server believes everybody.</p>
    </form>`,
  );
}

function finishedPage(appUrl: string): string {
  return page('This sign-in is over', `<p>It was finished, or took too long.</p><p><a href="${escapeHtml(appUrl)}/">Back to the app</a></p>`);
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function page(title: string, content: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Authorization server</title>
<style>
  :root { color-scheme: light dark; --page: #eceef6; --card: #fff; --text: #1a1d2b; --muted: #646a80; --line: #d5d9e6; --accent: #4f46e5 }
  @media (prefers-color-scheme: dark) { :root { --page: #0c0e16; --card: #171a26; --text: #e9ebf4; --muted: #9298ae; --line: #2c3146; --accent: #6d66f5 } }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
  main { width: min(24rem, 100%); padding: 2.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; box-shadow: 0 1rem 3rem rgb(20 24 60 / .08) }
  small { color: var(--muted); letter-spacing: .06em; text-transform: uppercase; font-size: .75rem; font-weight: 600 }
  h1 { margin: .25rem 0 1.5rem; font-size: 1.6rem; line-height: 1.2 }
  label { display: block; margin-bottom: .4rem; font-weight: 600 }
  input, button { width: 100%; padding: .75rem 1rem; border-radius: .6rem; font: inherit }
  input { border: 1px solid var(--line); background: transparent; color: inherit }
  button { margin-top: 1rem; border: 0; background: var(--accent); color: #fff; font-weight: 600; cursor: pointer }
  input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  p { margin: 1rem 0 0; color: var(--muted); font-size: .9rem }
  a { color: var(--accent) }
</style>
<main><small>Authorization server</small><h1>${title}</h1>${content}</main>
</html>`;
}
