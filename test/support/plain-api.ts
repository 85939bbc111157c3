/** An API that reads its tokens without checking them, for tests with many calls: it tells who called, or refuses whom the test says. */
import { decodeJwt } from 'jose';
import { listen, sendJson } from './http.js';

export interface PlainApiCall {
  /** With its query. */
  readonly path: string;
  readonly sub: string;
  readonly jti: string;
}

export interface PlainApi {
  /** What belongs into `apis`. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startPlainApi(isRefused: (call: PlainApiCall) => boolean = () => false): Promise<PlainApi> {
  const listening = await listen(() => (req, res) => {
    const { sub = '', jti = '' } = decodeJwt(req.headers.authorization?.replace('Bearer ', '') ?? '');
    if (isRefused({ path: req.url ?? '', sub, jti })) sendJson(res, 401, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    else sendJson(res, 200, { sub, jti });
  });
  return { url: `http://127.0.0.1:${listening.port}/v1/`, close: () => listening.close() };
}
