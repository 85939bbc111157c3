/** The token endpoint's successful answer (RFC 6749 §5.1): checked, and mended where a server errs without harm. */
import type { TokenResponse } from '../types.js';

export type JsonObject = Record<string, unknown>;

/** A year. Longer lives are mistakes, and sums with them must not overflow (THREATS D7). */
const LONGEST_LIFE_SECONDS = 31_536_000;

/** What fits into an `Authorization` header without doubt. RFC 6750 §2.1 allows less, but some servers' tokens need the rest. */
const HEADER_SAFE = /^[\x21-\x7e]+$/;

export function asJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    // Not JSON is an answer of its own here; SyntaxError would quote the text.
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The tokens, or what is wrong with them, in words that complete "answered with …". */
export function parseTokenAnswer(body: JsonObject): TokenResponse | string {
  const { access_token: accessToken, token_type: tokenType } = body;
  if (typeof accessToken !== 'string' || accessToken === '') return 'no access token';
  if (!HEADER_SAFE.test(accessToken)) return 'an access token that no header can carry';
  if (typeof tokenType !== 'string' || tokenType.toLowerCase() !== 'bearer') return 'a token type other than Bearer';
  const scope = parseScope(body['scope']);
  if (scope === false) return 'a scope that is no text';
  return withoutAbsent({
    accessToken,
    expiresInSeconds: parseLifetime(body['expires_in']),
    refreshToken: nonEmptyText(body['refresh_token']),
    idToken: nonEmptyText(body['id_token']),
    scope,
  });
}

/** For openid-client, which checks the ID Token. */
export function toWire(tokens: TokenResponse): JsonObject {
  return {
    access_token: tokens.accessToken,
    token_type: 'bearer',
    expires_in: tokens.expiresInSeconds,
    refresh_token: tokens.refreshToken,
    id_token: tokens.idToken,
    scope: tokens.scope,
  };
}

function parseLifetime(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) return undefined;
  return Math.min(LONGEST_LIFE_SECONDS, Math.max(0, Math.floor(seconds)));
}

/** `false`: not to be understood. Taking it for absent would mean "all that was asked for" (RFC 6749 §5.1). */
function parseScope(value: unknown): string | undefined | false {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(' ') : false;
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function withoutAbsent(tokens: { [member in keyof TokenResponse]: TokenResponse[member] | undefined }): TokenResponse {
  // Absent members are left out, so that spreading one answer over another keeps what the newer one does not have.
  return Object.fromEntries(Object.entries(tokens).filter(([, value]) => value !== undefined)) as unknown as TokenResponse;
}
