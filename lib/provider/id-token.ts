/** The ID Token checks that openid-client leaves to us. */
import { createHash, createHmac } from 'node:crypto';
import { isSameBytes } from '../constant-time.js';
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
  return isSameBytes(Buffer.from(signature, 'base64url'), expected);
}

/** The claims as they stand, without any check; `undefined` if this is no JWT. */
export const readClaims = (idToken: string | undefined): JsonObject | undefined => decoded(idToken, 1);

/** The same of the header. */
export const readHeader = (idToken: string | undefined): JsonObject | undefined => decoded(idToken, 0);

function decoded(idToken: string | undefined, part: 0 | 1): JsonObject | undefined {
  const encoded = idToken?.split('.', 2)[part];
  return encoded === undefined ? undefined : asJsonObject(Buffer.from(encoded, 'base64url').toString('utf8'));
}

/**
 * `at_hash` ties the access token to the ID Token that came along (OpenID Connect Core §3.1.3.6). It may be left out; a wrong one says
 * that the two do not belong together. Algorithms without an agreed hash have none to compare with.
 */
export function hasForeignAccessToken(idToken: string, { at_hash: given }: JsonObject, accessToken: string): boolean {
  if (given === undefined) return false;
  const { alg } = readHeader(idToken) ?? {};
  const hash = typeof alg === 'string' ? hashOf(alg) : undefined;
  if (hash === undefined) return false;
  const digest = createHash(hash).update(accessToken).digest();
  return given !== digest.subarray(0, digest.length / 2).toString('base64url');
}

function hashOf(algorithm: string): string | undefined {
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return 'sha512';
  const [, bits] = /^(?:RS|PS|ES|HS)(256|384|512)$/.exec(algorithm) ?? [];
  return bits === undefined ? undefined : `sha${bits}`;
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
