/**
 * The fetch that openid-client gets. It bounds time and size, never follows a redirect, turns every unusable answer into a
 * RequestFailure, and hands on only what openid-client can work with.
 */
import type { CustomFetch, CustomFetchOptions } from 'openid-client';
import type { Clock } from '../clock.js';
import type { ResolvedProvider } from '../types.js';
import { readHeader } from './id-token.js';
import { createKeySet } from './key-set.js';
import { isBusy, judge, registeredError } from './refusal.js';
import { RequestFailure, type RequestKind } from './request-failure.js';
import { parseRetryAfter } from './retry-after.js';
import { timeout, within, type ServerCall } from './server-call.js';
import { asJsonObject, parseTokenAnswer, toWire, type JsonObject } from './token-answer.js';
import { styledTokenRequest, type TokenRequestStyle } from './token-request.js';

/** No token answer, metadata document or key set comes near (THREATS J5). */
const LONGEST_BODY_BYTES = 256 * 1024;

/**
 * The fetch of one call: it is told on whose behalf it asks. AsyncLocalStorage would know as well, but its first use makes every promise of the
 * whole process dearer on Node before 24.
 */
export type ServerFetch = (call: ServerCall) => CustomFetch;

interface ServerFetchDependencies {
  /** The fetch for one call. */
  readonly fetch: (call: ServerCall) => typeof fetch;
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
}

/** What differs from server to server. */
type ServerStyle = TokenRequestStyle & Pick<ResolvedProvider, 'server' | 'idToken'>;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** `undefined`: it is no JSON object. */
  readonly body: JsonObject | undefined;
}

export function createServerFetch(style: ServerStyle, { fetch, httpTimeoutSeconds, clock }: ServerFetchDependencies): ServerFetch {
  const keySet = createKeySet(clock);

  return (call) => async function serverFetch(url, init) {
    const kind = requestKind(call, init.method);
    // Kept by server-keys.ts, which asks to see what is new: not what is kept here.
    if (call.operation === 'keys') return jsonResponse(await fetchKeys(call, url, init));
    if (kind === 'keys') return jsonResponse(await keySet.get(keyIdOf(call), () => fetchKeys(call, url, init)));
    const request = kind === 'token' ? styledTokenRequest(init, style) : init;
    const answer = await send(fetch(call), url, request, kind, call.deadline);
    if (!isSuccess(answer) || (call.operation === 'refresh' && saysNo(answer))) throw refusalOf(kind, answer, clock.now());
    return usableResponse(kind, answer, call, style);
  };

  /** All callers share this request: it must not die with the deadline of the call that began it. */
  async function fetchKeys(call: ServerCall, url: string, init: CustomFetchOptions): Promise<JsonObject> {
    const answer = await send(fetch(call), url, init, 'keys', timeout(httpTimeoutSeconds));
    if (!isSuccess(answer)) throw refusalOf('keys', answer, clock.now());
    const body = usableBody('keys', answer);
    if (!isKeySet(body)) throw unusable('keys', 'something that is no key set');
    return body;
  }
}

const isSuccess = ({ status }: Answer): boolean => status >= 200 && status <= 299;

/** The key that the ID Token in question names (RFC 7515 §4.1.4). */
function keyIdOf({ tokens, frontIdToken }: ServerCall): string | undefined {
  const keyId = readHeader(tokens?.idToken ?? frontIdToken)?.['kid'];
  return typeof keyId === 'string' ? keyId : undefined;
}

function requestKind(call: ServerCall, method: string): RequestKind {
  if (call.operation === 'login' || call.operation === 'refresh') return method === 'POST' ? 'token' : 'keys';
  return call.operation;
}

async function send(
  fetch: typeof globalThis.fetch,
  url: string,
  init: CustomFetchOptions,
  kind: RequestKind,
  deadline: AbortSignal,
): Promise<Answer> {
  const expired = (): RequestKind => kind;
  try {
    // The two types differ in how they spell optional members only.
    const request = { ...init, redirect: 'manual', signal: deadline } as RequestInit;
    const response = await within(deadline, expired, fetch(url, request));
    if (isRedirect(response)) throw unusable(kind, 'a redirect, which is never followed');
    return { status: response.status, headers: response.headers, body: asJsonObject(await readBody(response, kind, deadline)) };
  } catch (error) {
    if (error instanceof RequestFailure) throw error;
    // The error of a fetch is not kept: it may hold the request, and says no more than that there is no answer.
    throw new RequestFailure(kind, { kind: deadline.aborted ? 'timeout' : 'network' });
  }
}

function isRedirect(response: Response): boolean {
  return response.redirected || response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400);
}

/** Counts while reading: neither a missing `Content-Length` nor compression hides the size. */
async function readBody(response: Response, kind: RequestKind, deadline: AbortSignal): Promise<string> {
  if (response.body === null) return '';
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  try {
    for (;;) {
      const chunk = await within(deadline, () => kind, reader.read());
      if (chunk.done) return text + decoder.decode();
      bytes += chunk.value.byteLength;
      if (bytes > LONGEST_BODY_BYTES) throw unusable(kind, 'more than 256 KB');
      text += decoder.decode(chunk.value, { stream: true });
    }
  } finally {
    // Frees the connection; a stream that has failed already says so again here, and that is known.
    reader.cancel().catch(() => undefined);
  }
}

/** GitHub refuses with status 200: without this, nobody would ever be told that a refresh token has ended. */
function saysNo({ body }: Answer): boolean {
  return typeof body?.['error'] === 'string' && body['error'] !== '' && body['access_token'] === undefined;
}

function refusalOf(kind: RequestKind, { status, headers, body }: Answer, now: number): RequestFailure {
  const error = typeof body?.['error'] === 'string' && body['error'] !== '' ? body['error'] : undefined;
  const isPage = /\bhtml\b/i.test(headers.get('content-type') ?? '');
  const verdict = kind === 'token' || kind === 'revocation' ? judge(status, error, isPage) : isBusy(status) ? 'unavailable' : 'unusable';
  const retryAfterSeconds = parseRetryAfter(headers.get('retry-after') ?? undefined, now);
  return new RequestFailure(kind, { kind: 'refusal', status, verdict, error: registeredError(error), retryAfterSeconds });
}

function usableResponse(kind: RequestKind, answer: Answer, call: ServerCall, style: ServerStyle): Response {
  // RFC 7009 §2.2: the status says it all. Some answer 204.
  if (kind === 'revocation') return new Response('', { status: 200 });
  const body = usableBody(kind, answer);
  // With an issuer, `server` is what takes the place of discovered metadata.
  if (kind === 'discovery') return jsonResponse({ ...body, ...style.server });
  if (kind !== 'token') return jsonResponse(body);
  const tokens = parseTokenAnswer(body);
  if (typeof tokens === 'string') throw unusable(kind, tokens);
  if (style.idToken === false) delete tokens.idToken;
  call.tokens = tokens;
  call.answer = body;
  return jsonResponse(toWire(tokens));
}

function usableBody(kind: RequestKind, { body }: Answer): JsonObject {
  if (body === undefined) throw unusable(kind, 'something that is no JSON object');
  return body;
}

function isKeySet(body: JsonObject): boolean {
  return Array.isArray(body['keys']) && body['keys'].every((key) => typeof key === 'object' && key !== null);
}

/**
 * Of what is parsed already. openid-client asks for `json()`, and gets this very object, without a stream to read it from once more; so it
 * also meets the same keys again, and takes those that it has imported. Should it ask for `text()` one day, that says the same.
 */
function jsonResponse(body: JsonObject): Response {
  const response = new Response(null, { status: 200, headers: { 'content-type': 'application/json' } });
  return Object.assign(response, { json: () => Promise.resolve(body), text: () => Promise.resolve(JSON.stringify(body)) });
}

function unusable(kind: RequestKind, what: string): RequestFailure {
  return new RequestFailure(kind, { kind: 'unusable', what });
}
