/** The `fetch` that `identity` and `endSession` get: the login's access token, one deadline, no redirects, no plain http. */
import { ConfigurationError } from '../errors.js';
import type { BearerFetch } from '../types.js';
import { isLoopback } from '../urls.js';
import type { Connection } from './connection.js';
import { RequestFailure } from './request-failure.js';
import { within, type ServerCall } from './server-call.js';

export function createBearerFetch({ fetch, options }: Connection, call: ServerCall, accessToken: string | undefined): BearerFetch {
  const { deadline } = call;
  const kind = call.operation === 'login' ? 'identity' : 'end-session';
  return async function bearerFetch(input, init = {}) {
    if (accessToken === undefined) throw new RequestFailure(kind, { kind: 'unusable', what: 'nothing: there is no access token to ask with' });
    const url = new URL(input);
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (options.allowHttp || isLoopback(url)))) throw plainHttp(options.name, url);
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${accessToken}`);
    const signal = init.signal ? AbortSignal.any([deadline, init.signal]) : deadline;
    try {
      return await within(deadline, () => kind, fetch(url, { ...init, headers, signal, redirect: 'manual' }));
    } catch (error) {
      if (error instanceof RequestFailure) throw error;
      // As in server-fetch.ts: the error of a fetch may hold the request.
      throw new RequestFailure(kind, { kind: deadline.aborted ? 'timeout' : 'network' });
    }
  };
}

function plainHttp(name: string, { origin }: URL): ConfigurationError {
  return new ConfigurationError('ERR_CODE_FLOW_HTTP_REFUSED', `The access token of "${name}" never travels over plain http: use https for ${origin}.`);
}
