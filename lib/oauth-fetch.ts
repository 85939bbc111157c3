/** `req.oauthFetch`: the fetch that carries the user's token, to the configured APIs and nowhere else. */
import { AuthenticationRequiredError, ConfigurationError } from './errors.js';
import type { UsableToken, TokenWish } from './grants/grant.js';
import type { ResolvedApi } from './types.js';
import { findApi } from './urls.js';

type FetchInput = Parameters<typeof fetch>[0];

/**
 * `fetch` with the user's access token (RFC 6750 §2.1), renewed first if it has to be. Rejects before anything is sent: with
 * ConfigurationError if the URL lies under no entry of `apis` or the caller sets `Authorization`; with AuthenticationRequiredError,
 * ProviderError or StoreError if there is no token.
 *
 * A 401 that a new token may mend is tried once more with one, unless the body is a stream. Redirects come back as they are; with
 * `redirect: 'follow'` in `init`, each hop is checked like the first.
 */
export type OAuthFetch = typeof fetch;

interface OAuthFetchSettings {
  apis: readonly ResolvedApi[];
  fetch: typeof fetch;
  /** A usable token, or a rejection: without a token there is no request. */
  accessToken: (wish: TokenWish) => Promise<UsableToken>;
}

/** As many as the Fetch standard follows (HTTP-redirect fetch, step 5). */
const MOST_REDIRECTS = 20;

/** One request, taken apart so that it can be sent again to the same or to another place. */
interface Outgoing {
  readonly url: URL;
  readonly method: string;
  /** Absent: the caller has none. Making them costs more than all else here. */
  readonly headers: Headers | undefined;
  readonly body: RequestInit['body'];
  readonly rest: RequestInit;
}

/** @internal */
export function createOAuthFetch({ apis, fetch, accessToken }: OAuthFetchSettings): OAuthFetch {
  async function send(request: Outgoing, { token }: UsableToken): Promise<Response> {
    const { method, body } = request;
    const headers = withToken(request.headers, token);
    return fetch(request.url, { ...request.rest, method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) });
  }

  async function authorized(request: Outgoing): Promise<Response> {
    const { resource, scope, provider } = allowed(request.url, apis);
    const signal = request.rest.signal ?? undefined;
    const token = await accessToken({ resource, scope, provider, signal });
    const response = await send(request, token);
    if (response.status !== 401) return response;
    const challenge = bearerChallenge(response.headers.get('www-authenticate'));
    if (challenge.error === 'insufficient_user_authentication') {
      await response.body?.cancel();
      throw stepUp(challenge);
    }
    if (!challenge.refreshable || !isReplayable(request.body)) return response;
    await response.body?.cancel();
    return send(request, await accessToken({ resource, scope, provider, signal, refusedVersion: token.version }));
  }

  return async function oauthFetch(input, init) {
    let request = outgoing(input, init);
    for (let hops = 0; ; hops += 1) {
      const response = await authorized(request);
      const location = redirectTarget(response, request.url);
      // A Request says `follow` when nobody chose: only `init` counts, so that following is always the caller's own word.
      if (location === undefined || init?.redirect === undefined || init.redirect === 'manual') return response;
      await response.body?.cancel();
      if (init.redirect === 'error') throw new TypeError('oauthFetch: the API redirects, and `redirect` is `error`');
      if (hops === MOST_REDIRECTS) throw new TypeError('oauthFetch: too many redirects');
      request = nextHop(request, response.status, location);
    }
  };
}

function outgoing(input: FetchInput, init: RequestInit = {}): Outgoing {
  const base = input instanceof Request ? input : undefined;
  const url = new URL(input instanceof Request ? input.url : input);
  const given = init.headers ?? base?.headers;
  const headers = given === undefined ? undefined : new Headers(given);
  if (headers?.has('authorization') === true) {
    throw new ConfigurationError(
      'ERR_CODE_FLOW_AUTHORIZATION_HEADER',
      'oauthFetch sets the Authorization header itself: leave it out, or call the API with the global fetch',
    );
  }
  const { method, headers: _, body, redirect: __, ...rest } = init;
  const signal = init.signal ?? base?.signal;
  return {
    url,
    method: method ?? base?.method ?? 'GET',
    headers,
    body: body ?? base?.body ?? undefined,
    // A stream body needs `duplex` (Fetch standard, RequestInit); it does no harm to others.
    rest: { ...rest, ...(signal === undefined ? {} : { signal }), duplex: 'half' },
  };
}

/** RFC 6750 §2.1: in the header only, never in a URL. */
function withToken(headers: Headers | undefined, token: string): Headers | Record<string, string> {
  const authorization = `Bearer ${token}`;
  if (headers === undefined) return { authorization };
  const all = new Headers(headers);
  all.set('authorization', authorization);
  return all;
}

function allowed(url: URL, apis: readonly ResolvedApi[]): ResolvedApi {
  const api = findApi(url, apis);
  if (api !== undefined) return api;
  throw new ConfigurationError(
    'ERR_CODE_FLOW_API_NOT_LISTED',
    `oauthFetch sends the token only to the option \`apis\`, and ${url.origin} with this path is not among them: add its URL prefix there`,
  );
}

/** Bodies that can be sent twice. A stream is spent after the first time. */
function isReplayable(body: RequestInit['body']): boolean {
  return !(body instanceof ReadableStream) && !(typeof body === 'object' && body !== null && Symbol.asyncIterator in body);
}

interface Challenge {
  /** A new token may help: the token was refused (`invalid_token`), or the API gave no reason (RFC 6750 §3.1). */
  readonly refreshable: boolean;
  readonly error?: string | undefined;
  readonly acrValues?: readonly string[] | undefined;
  readonly maxAgeSeconds?: number | undefined;
}

function parameter(challenge: string, name: string): string | undefined {
  const found = new RegExp(`[\\s,]${name}\\s*=\\s*(?:"([^"]{0,500})"|([^\\s,"]{1,500}))`, 'i').exec(challenge);
  return found?.[1] ?? found?.[2];
}

/**
 * RFC 6750 §3, and what stands in its place: parameters without a scheme (lemonldap-ng), the scheme `Token` (Salesforce). Many APIs answer
 * 401 without any challenge, against RFC 9110 §11.6.1; that reads like a bare one.
 */
const BEARER = /(?:^|,)\s*(?:bearer|token)(?=[\s,]|$)|^\s*[\w-]{1,50}=/i;

function bearerChallenge(header: string | null): Challenge {
  if (header === null) return { refreshable: true };
  const bearer = BEARER.exec(header);
  if (bearer === null) return { refreshable: false };
  // A parameter is found behind a space or a comma.
  const challenge = ` ${header.slice(bearer.index, bearer.index + 4000)}`;
  const error = parameter(challenge, 'error');
  const maxAge = Number(parameter(challenge, 'max_age'));
  return {
    refreshable: error === undefined || error === 'invalid_token',
    error,
    acrValues: parameter(challenge, 'acr_values')?.split(' '),
    maxAgeSeconds: Number.isSafeInteger(maxAge) && maxAge >= 0 ? maxAge : undefined,
  };
}

/** RFC 9470 §3: the API wants the user to authenticate again or better. */
function stepUp({ acrValues, maxAgeSeconds }: Challenge): AuthenticationRequiredError {
  return new AuthenticationRequiredError('ERR_CODE_FLOW_STEP_UP_REQUIRED', 'the API asks for a stronger or fresher login', {
    stepUp: { ...(acrValues === undefined ? {} : { acrValues }), ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }) },
  });
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

function redirectTarget(response: Response, base: URL): URL | undefined {
  const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
  return location === null || !URL.canParse(location, base.href) ? undefined : new URL(location, base);
}

/** What describes the body, dropped with it; and what of the caller's headers may go on to another origin (THREATS F3). */
const BODY_HEADERS = ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-location'];
const HARMLESS_HEADERS = ['accept', 'accept-language', ...BODY_HEADERS];

/** Fetch standard, HTTP-redirect fetch. Whether the new place gets a token is decided anew by its URL. */
function nextHop(request: Outgoing, status: number, location: URL): Outgoing {
  const headers = new Headers(request.headers);
  const toGet = (status === 303 && request.method !== 'HEAD') || ((status === 301 || status === 302) && request.method === 'POST');
  if (!toGet && !isReplayable(request.body)) throw new TypeError('oauthFetch: a stream body cannot follow a redirect');
  if (location.origin !== request.url.origin) {
    for (const name of [...headers.keys()]) if (!HARMLESS_HEADERS.includes(name)) headers.delete(name);
  }
  if (toGet) for (const name of BODY_HEADERS) headers.delete(name);
  return { ...request, url: location, headers, ...(toGet ? { method: 'GET', body: undefined } : {}) };
}
