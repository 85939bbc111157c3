/** Hears what every HTTP server of this process answers: to learn from authorization servers, and to hold it against apps. */
import { ServerResponse, type Server } from 'node:http';
import type { CodeFlowRequest } from '../../../lib/index.js';
import { misshapen } from './shape.js';
import type { DisclosureWatch } from './watch.js';

const longestBody = 300_000;

const tokens = /"(access_token|refresh_token|id_token)"\s*:\s*"((?:[^"\\]|\\.)*)"/g;
const formFields = /name="(code|id_token|access_token)"\s+value="([^"]*)"/g;
/** The session cookie, as express-session writes it, percent-encoded. */
const sessionCookie = /(set-cookie: [^\r\n=;]+=)s%3A([\w-]{43})\.([\w%+/-]+)/gi;

interface Raw {
  _header?: string | undefined;
}

/** Returns how to stop. */
export function listenToAnswers(watch: DisclosureWatch): () => void {
  const { write, end } = ServerResponse.prototype as unknown as Record<'write' | 'end', (...all: unknown[]) => unknown>;
  const bodies = new WeakMap<ServerResponse, Buffer[]>();
  const keep = (res: ServerResponse, chunk: unknown, encoding: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return;
    const kept = bodies.get(res) ?? [];
    if (kept.reduce((sum, { length }) => sum + length, 0) < longestBody) kept.push(Buffer.from(chunk as string, encoding as BufferEncoding));
    bodies.set(res, kept);
  };
  Object.assign(ServerResponse.prototype, {
    write(this: ServerResponse, ...all: unknown[]) {
      keep(this, all[0], typeof all[1] === 'string' ? all[1] : 'utf8');
      return Reflect.apply(write, this, all);
    },
    end(this: ServerResponse, ...all: unknown[]) {
      if (!this.writableEnded) keep(this, all[0], typeof all[1] === 'string' ? all[1] : 'utf8');
      const result = Reflect.apply(end, this, all);
      hear(watch, this, Buffer.concat(bodies.get(this) ?? []).toString());
      bodies.delete(this);
      return result;
    },
  });
  return () => Object.assign(ServerResponse.prototype, { write, end });
}

function hear(watch: DisclosureWatch, res: ServerResponse, body: string): void {
  const head = (res as Raw)._header ?? ''; // what really goes out, status line included; node:http has no other name for it
  learnFromAnswer(watch, head, body);
  const server = (res.req.socket as { server?: Server } | undefined)?.server;
  if (server === undefined) return;
  const path = (res.req.url ?? '').split('?', 1)[0] ?? '';
  const where = `the answer ${res.statusCode} to ${res.req.method ?? ''} ${path}`;
  const isApp = 'oauth' in res.req;
  const problem = isApp ? misshapen(res.statusCode, head, body) : undefined;
  if (problem !== undefined) watch.object(`${problem} in ${where}`);
  watch.answered(server, isApp, where, `${withoutPermitted(head)}\n${watch.isByApp(res) ? withoutGrantId(res, body) : body}`);
}

function withoutGrantId({ req }: ServerResponse, body: string): string {
  try {
    const { oauth } = req as unknown as CodeFlowRequest; // an app's handler ran: codeFlow() ran before it
    return oauth.grantId === undefined ? body : body.replaceAll(oauth.grantId, '');
  } catch {
    return body; // the store cannot tell: then neither could the handler
  }
}

function learnFromAnswer({ secrets }: DisclosureWatch, head: string, body: string): void {
  for (const [, kind = '', value = ''] of body.matchAll(tokens)) secrets.learn(kind.replace('_', ' '), JSON.parse(`"${value}"`) as string);
  for (const [, kind = '', value = ''] of body.matchAll(formFields)) secrets.learn(kind.replace('_', ' '), value);
  for (const [, , id = '', signature = ''] of head.matchAll(sessionCookie)) {
    secrets.learn('session id', id);
    secrets.learn('signature of the session cookie', decodeURIComponent(signature));
  }
  const location = locationOf(head);
  const code = location?.get('code') ?? undefined;
  if (code !== undefined) secrets.learn('code', code);
  // An authorization request, or a logout at the server: what travels in the open there opens nothing by itself.
  if (location?.has('response_type') === true || location?.has('post_logout_redirect_uri') === true) for (const name of ['state', 'nonce']) secrets.publish(location.get(name) ?? '');
}

function locationOf(head: string): URLSearchParams | undefined {
  const [, location] = /^location: (.*)$/im.exec(head) ?? [];
  return location === undefined ? undefined : new URL(location.trim(), 'http://here').searchParams;
}

/** The session id stands in its own cookie, and the ID Token in the logout request of RP-Initiated Logout §2; nowhere else. */
function withoutPermitted(head: string): string {
  return head.replace(sessionCookie, '$1').replace(/^(location: .*[?&])id_token_hint=[^&\r\n]*/im, '$1');
}
