/** The ID Token checks that openid-client leaves to us. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { asJsonObject, type JsonObject } from './token-answer.js';

/** Algorithms that are keyed with the client secret (OpenID Connect Core §10.1). openid-client refuses to verify them. */
const MAC_ALGORITHM = /^HS(256|384|512)$/;

export function isMacAlgorithm(algorithm: unknown): algorithm is string {
  return typeof algorithm === 'string' && MAC_ALGORITHM.test(algorithm);
}

/**
 * `algorithm` comes from the registration, never from the token: otherwise a token "signed" with the server's public key would
 * pass (THREATS D1). openid-client has compared the token's header with the registration before.
 */
export function hasValidMac(idToken: string, algorithm: string, clientSecret: string): boolean {
  const [header, payload, signature] = idToken.split('.');
  if (header === undefined || payload === undefined || signature === undefined) return false;
  const expected = createHmac(`sha${algorithm.slice(2)}`, clientSecret).update(`${header}.${payload}`).digest();
  const actual = Buffer.from(signature, 'base64url');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The claims as they stand, without any check; `undefined` if this is no JWT. */
export function readClaims(idToken: string | undefined): JsonObject | undefined {
  const payload = idToken?.split('.')[1];
  return payload === undefined ? undefined : asJsonObject(Buffer.from(payload, 'base64url').toString('utf8'));
}

/**
 * Whether a refreshed ID Token belongs to another login (OpenID Connect Core §12.2). Looks at the claims before any signature
 * check: whoever the token names, its access token is theirs, and when the keys are out of reach nobody else would notice.
 * A claim that is missing says nothing here; openid-client refuses the token for it.
 */
export function isForeign(fresh: JsonObject, held: JsonObject | undefined, server: { issuer: string; clientId: string }): boolean {
  const differs = (claim: string, expected: unknown): boolean =>
    fresh[claim] !== undefined && expected !== undefined && fresh[claim] !== expected;
  return (
    differs('iss', held?.['iss'] ?? server.issuer) ||
    differs('sub', held?.['sub']) ||
    differs('nonce', held?.['nonce']) ||
    !isMeantFor(fresh['aud'], server.clientId) ||
    wentBack(fresh['auth_time'], held?.['auth_time'])
  );
}

export function isMeantFor(audience: unknown, clientId: string): boolean {
  if (audience === undefined) return true;
  return Array.isArray(audience) ? audience.includes(clientId) : audience === clientId;
}

function wentBack(fresh: unknown, held: unknown): boolean {
  return typeof fresh === 'number' && typeof held === 'number' && fresh < held;
}
