/** The two pages that an emulator shows to browsers. */
import type { ServerResponse } from 'node:http';

export function page(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' });
  res.end(`<!DOCTYPE html><html lang="en"><title>Authorization server</title>${body}</html>`);
}

/** Sent to the address of the page itself. */
export function loginForm(loginHint = ''): string {
  return `<form method="post"><input name="username" value="${loginHint.replace(/["&<>]/g, '')}" required> <button>Sign in</button></form>`;
}
