/** Whether another site made the browser send this. */
import { AccessDeniedError } from '../errors.js';
import { header } from '../http.js';
import type { Request, ResolvedOptions } from '../types.js';

type Origins = Pick<ResolvedOptions, 'baseUrl' | 'trustedOrigins'>;

/** RFC 9110 §9.2.1, without TRACE, which nobody needs. What changes nothing may come from everywhere. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The error for a request that would change something and that a foreign page made the browser send (THREATS G6). */
export function crossOriginRefusal(req: Request, origins: Origins): AccessDeniedError | undefined {
  if (SAFE_METHODS.has(req.method ?? '') || !isCrossOrigin(req, origins)) return undefined;
  return refusal();
}

/**
 * The same for the handshake of a WebSocket. It is a GET, but what follows is not: the same-origin policy lets any page open one, and read along
 * (RFC 6455 §10.2).
 */
export function handshakeRefusal(req: Request, origins: Origins): AccessDeniedError | undefined {
  return isCrossOrigin(req, origins) ? refusal() : undefined;
}

function refusal(): AccessDeniedError {
  return new AccessDeniedError('ERR_CODE_FLOW_CROSS_ORIGIN', 'the request comes from another site; if that is one of yours, name its origin in `trustedOrigins`');
}

/**
 * As Go's `http.CrossOriginProtection`, and compared with `baseUrl` instead of the Host header: no page can forge either
 * header. A request with neither comes from no current browser's cross-site form and is let through.
 * `docs/decisions/cross-origin-requests.md` says where we differ.
 */
function isCrossOrigin(req: Request, { baseUrl, trustedOrigins }: Origins): boolean {
  const origin = header(req, 'origin');
  if (origin !== undefined && trustedOrigins.includes(origin)) return false;
  const site = header(req, 'sec-fetch-site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && origin !== baseUrl.origin;
}
