/** The login page: a form for people, no form where the test already said who comes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { readBody } from '../http.js';
import type { Settings } from './configuration.js';

export async function interact(provider: Provider, settings: Settings, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(req, res);
  if (settings.refuseLogin !== undefined) {
    return provider.interactionFinished(req, res, { error: settings.refuseLogin, error_description: 'refused by the test' });
  }
  if (prompt.name === 'consent') return provider.interactionFinished(req, res, { consent: {} });
  const account = req.method === 'POST' ? await submittedAccount(req) : (textOf(params['login_hint']) ?? settings.account);
  if (account === undefined) {
    showForm(res);
    return;
  }
  const acr = textOf(params['acr_values'])?.split(' ')[0];
  return provider.interactionFinished(req, res, { login: { accountId: account, ...(acr === undefined ? {} : { acr }) } });
}

async function submittedAccount(req: IncomingMessage): Promise<string | undefined> {
  const form = new URLSearchParams((await readBody(req)).toString());
  return textOf(form.get('username'));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function showForm(res: ServerResponse): void {
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(`<!DOCTYPE html><html lang="en"><title>Authorization server</title>
<h1>Who are you?</h1>
<form method="post"><label>User name <input name="username" required autofocus></label> <button>Sign in</button></form></html>`);
}
