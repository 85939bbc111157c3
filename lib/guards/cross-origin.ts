/** Whether another site made the browser send this. */
import { header } from '../http.js';
import type { Request } from '../types.js';

/**
 * As Go's `http.CrossOriginProtection`, and compared with `baseUrl` instead of the Host header: browsers cannot forge either
 * header. A request with neither comes from no current browser's cross-site form and is let through.
 *
 * The method is not looked at. For a GET, to which browsers add no `Origin`, `false` proves something only where
 * `Sec-Fetch-Site` was sent.
 */
export function isCrossOrigin(req: Request, baseUrl: URL): boolean {
  const site = header(req, 'sec-fetch-site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = header(req, 'origin');
  return origin !== undefined && origin !== baseUrl.origin;
}
