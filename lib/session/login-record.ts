/** The login as the session remembers it: who, since when, and which grant. Never a token. */
import type { Claims } from '../types.js';

export interface LoginRecord {
  /** The key of the provider in the options. */
  readonly provider: string;
  /** Stands for the server and our client id there: the name may come to mean another one. */
  readonly registration?: string;
  /** `sub` at that provider; absent: the server does not tell who logged in. */
  readonly subject?: string;
  /** Empty where nobody knows who logged in. */
  readonly claims: Partial<Claims>;
  /** 128 random bits or more, base64url; made at login, never reused. */
  readonly grantId: string;
  /** Epoch seconds. */
  readonly loginAt: number;
  /** Epoch seconds; the login ends then, whatever happens. */
  readonly expiresAt: number;
  /** The scope granted at login, which is the one asked for where the server did not say (RFC 6749 §5.1); absent: neither. */
  readonly scope?: string;
  /** `sid` of the ID Token (OpenID Connect Front-Channel Logout §3). */
  readonly idpSessionId?: string;
}

const text = (value: unknown): value is string => typeof value === 'string' && value !== '';
const instant = (value: unknown): value is number => Number.isSafeInteger(value);
const optionalText = (value: unknown): boolean => value === undefined || typeof value === 'string';

/** A login is an exact shape, never the truthiness of something (THREATS D9). */
export function isLoginRecord(value: unknown): value is LoginRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof LoginRecord, unknown>>;
  const claims = record.claims;
  return (
    text(record.provider) &&
    (record.subject === undefined || text(record.subject)) &&
    text(record.grantId) &&
    instant(record.loginAt) &&
    instant(record.expiresAt) &&
    optionalText(record.scope) &&
    optionalText(record.registration) &&
    optionalText(record.idpSessionId) &&
    typeof claims === 'object' &&
    claims !== null
  );
}
