/** Reading a request as strictly as a system's document is written. */
import type { IncomingMessage } from 'node:http';
import { readBody } from '../http.js';

/** The request departs from what the system's document says; no client that follows the document sends it. */
export class Departure extends Error {
  readonly status: number;
  /** RFC 6749 §4.1.2.1 and §5.2. */
  readonly code: string;

  constructor(reason: string, { status = 400, code = 'invalid_request' }: { status?: number; code?: string } = {}) {
    super(reason);
    this.status = status;
    this.code = code;
  }
}

export const wrongClient = (reason: string): Departure => new Departure(reason, { status: 401, code: 'invalid_client' });
export const wrongGrant = (reason: string): Departure => new Departure(reason, { code: 'invalid_grant' });

/** The parameters of one request, each there once and with a value. */
export class Fields {
  readonly #values: ReadonlyMap<string, string>;

  constructor(entries: Iterable<readonly [string, unknown]>) {
    const values = new Map<string, string>();
    for (const [name, value] of entries) {
      if (typeof value !== 'string' || value === '') throw new Departure(`${name} has no text`);
      // RFC 6749 §3.1 and §3.2.
      if (values.has(name)) throw new Departure(`${name} is there twice`);
      values.set(name, value);
    }
    this.#values = values;
  }

  optional(name: string): string | undefined {
    return this.#values.get(name);
  }

  need(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Departure(`${name} is missing`);
    return value;
  }

  /** There, and one of these. */
  expect(name: string, ...allowed: readonly string[]): string {
    const value = this.need(name);
    if (!allowed.includes(value)) throw new Departure(`${name} is none of ${allowed.join(', ')}`);
    return value;
  }

  /** What the document lists, and nothing else. */
  only(...names: readonly string[]): void {
    const unknown = [...this.#values.keys()].filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Departure(`the document has no ${unknown.join(', ')}`);
  }

  without(name: string, reason: string): void {
    if (this.#values.has(name)) throw new Departure(`${name}: ${reason}`);
  }
}

export async function readForm(req: IncomingMessage): Promise<Fields> {
  expectType(req, 'application/x-www-form-urlencoded');
  return new Fields(new URLSearchParams((await readBody(req)).toString()));
}

export async function readJson(req: IncomingMessage): Promise<Fields> {
  expectType(req, 'application/json');
  const body: unknown = JSON.parse((await readBody(req)).toString());
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Departure('the body is no JSON object');
  return new Fields(Object.entries(body));
}

export function hasType(req: IncomingMessage, type: string): boolean {
  return req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === type;
}

function expectType(req: IncomingMessage, type: string): void {
  if (!hasType(req, type)) throw new Departure(`Content-Type is not ${type}`, { status: 415 });
}

/** RFC 6749 §2.3.1; `undefined`: the request has no `Authorization` header. */
export function basicCredentials({ headers }: IncomingMessage): { clientId: string; clientSecret: string } | undefined {
  if (headers.authorization === undefined) return undefined;
  const encoded = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(headers.authorization)?.[1];
  if (encoded === undefined) throw wrongClient('the Authorization header is not Basic');
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':');
  return { clientId: formDecoded(id), clientSecret: formDecoded(secret.join(':')) };
}

const formDecoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));

export function bearerToken({ headers }: IncomingMessage): string | undefined {
  return /^Bearer ([\x21-\x7e]+)$/.exec(headers.authorization ?? '')?.[1];
}
