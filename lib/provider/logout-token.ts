/**
 * The Logout Token of OpenID Connect Back-Channel Logout 1.0 §2.4, checked as §2.6 says. It comes from anybody who can reach us: what it
 * claims is looked at first, so that no more than a server's own token leads to a request for its keys.
 */
import type { Clock } from '../clock.js';
import type { ResolvedProvider } from '../types.js';
import type { Connection } from './connection.js';
import { hasValidMac, isMeantFor } from './id-token.js';
import { macAlgorithm } from './registration-options.js';
import type { ServerKey } from './server-keys.js';
import { isPublicKeyAlgorithm, isSignedBy } from './signature.js';
import { asJsonObject, isJsonObject, type JsonObject } from './token-answer.js';

/** Which logins are over: those of the session `idpSessionId`, if there is one, else all of `subject`. */
export interface LogoutToken {
  readonly idpSessionId: string | undefined;
  readonly subject: string | undefined;
  /** `jti`: to be accepted once. */
  readonly id: string;
  /** After this time the token would be refused for its age. */
  readonly usableForSeconds: number;
}

/** The token, or what is wrong with it in words that hold nothing of it. */
export type LogoutTokenVerdict = LogoutToken | string;

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** §2.4 recommends two minutes at most. Servers may try again for a while. */
const LONGEST_LIFE_SECONDS = 600;

/** Between the server's clock and ours. */
const SKEW_SECONDS = 60;

/** `logout+jwt` is recommended; JWT, or none, is what most servers write. Another type is another token's (RFC 8725 §3.11). */
const TYPE = /^(?:application\/)?(?:logout\+)?jwt$/i;

interface Parts {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly signed: string;
  readonly signature: Buffer;
}

/** Throws ProviderError while the server's metadata or keys are out of reach. */
export async function verifyLogoutToken(connection: Connection, token: string): Promise<LogoutTokenVerdict> {
  const parts = partsOf(token);
  if (parts === undefined) return 'it is not a signed JWT';
  const server = await connection.server();
  const { options, clock } = connection;
  const expected = { issuer: server.issuer, clientId: options.clientId, clock };
  const problem = headerProblem(parts.header, algorithmsOf(options, server.id_token_signing_alg_values_supported)) ?? claimsProblem(parts.claims, expected);
  if (problem !== undefined) return problem;
  if (!(await hasValidSignature(connection, server.jwks_uri, token, parts))) return 'its signature is wrong, or made with an unknown key';
  return contentOf(parts.claims, clock);
}

/** What an unverified token says of its issuer, for finding whose it may be. */
export function claimedIssuer(token: string): string | undefined {
  const issuer = partsOf(token)?.claims['iss'];
  return typeof issuer === 'string' ? issuer : undefined;
}

function partsOf(token: string): Parts | undefined {
  const [, head, body, signature] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token) ?? [];
  if (head === undefined || body === undefined || signature === undefined) return undefined;
  const read = (part: string): JsonObject | undefined => asJsonObject(Buffer.from(part, 'base64url').toString('utf8'));
  const header = read(head);
  const claims = read(body);
  if (header === undefined || claims === undefined) return undefined;
  return { header, claims, signed: `${head}.${body}`, signature: Buffer.from(signature, 'base64url') };
}

/** As for ID Tokens: the registered algorithm, else what the server's metadata promise, else RS256 (OpenID Connect Core §3.1.3.7). */
function algorithmsOf(options: ResolvedProvider, supported: unknown): readonly string[] {
  const mac = macAlgorithm(options);
  if (mac !== undefined) return [mac];
  const registered = options.clientMetadata['id_token_signed_response_alg'];
  if (registered !== undefined) return [registered].filter(isPublicKeyAlgorithm);
  return Array.isArray(supported) ? supported.filter(isPublicKeyAlgorithm) : ['RS256'];
}

function headerProblem({ alg, typ, crit }: JsonObject, algorithms: readonly string[]): string | undefined {
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'it is signed in another way than was agreed on';
  if (typ !== undefined && (typeof typ !== 'string' || !TYPE.test(typ))) return 'it is a token of another type';
  return crit === undefined ? undefined : 'it asks for extensions that are not known here';
}

interface Expected {
  readonly issuer: string;
  readonly clientId: string;
  readonly clock: Clock;
}

function claimsProblem(claims: JsonObject, { issuer, clientId, clock }: Expected): string | undefined {
  const { iss, aud, iat, exp, jti, events, nonce, sub, sid } = claims;
  const now = clock.now() / 1000;
  if (iss !== issuer) return '`iss` is not the issuer';
  if (aud === undefined || !isMeantFor(aud, clientId)) return '`aud` is not this client';
  if (typeof iat !== 'number' || iat > now + SKEW_SECONDS) return '`iat` is missing, or in the future';
  if (iat < now - LONGEST_LIFE_SECONDS - SKEW_SECONDS) return '`iat` is too long ago';
  if (typeof exp !== 'number' || exp <= now - SKEW_SECONDS) return '`exp` is missing, or over';
  if (!isText(jti)) return '`jti` is missing';
  if (!isJsonObject(events) || !isJsonObject(events[LOGOUT_EVENT])) return '`events` does not say that this is a logout';
  if (nonce !== undefined) return 'it has a `nonce`, as an ID Token may'; // whoever has one must not end a login with it
  if (![sub, sid].every((claim) => claim === undefined || isText(claim))) return '`sub` or `sid` is no text';
  return sub === undefined && sid === undefined ? 'it has neither `sub` nor `sid`' : undefined;
}

const isText = (claim: unknown): claim is string => typeof claim === 'string' && claim !== '';

async function hasValidSignature({ options, findKeys }: Connection, jwksUri: string | undefined, token: string, parts: Parts): Promise<boolean> {
  const { header, signed, signature } = parts;
  const alg = String(header['alg']); // one of algorithmsOf()
  if (!isPublicKeyAlgorithm(alg)) return hasValidMac(token, alg, options.clientSecret ?? '');
  // Keys that come over plain http could be anybody's.
  if (jwksUri === undefined || !(jwksUri.startsWith('https:') || options.allowHttp)) return false;
  return isSignedBy(await findKeys(jwksUri, (key) => suits(key, alg, header['kid'])), alg, signed, signature);
}

/** RFC 7517 §4.2 to §4.5. */
function suits({ kid, use, key_ops: operations, alg }: ServerKey, algorithm: string, keyId: unknown): boolean {
  const isForSignatures = (use === undefined || use === 'sig') && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
  return (keyId === undefined || kid === keyId) && isForSignatures && (alg === undefined || alg === algorithm);
}

function contentOf({ sub, sid, jti, iat, exp }: JsonObject, clock: Clock): LogoutToken {
  const endsAt = Math.min(Number(exp), Number(iat) + LONGEST_LIFE_SECONDS) + SKEW_SECONDS;
  return {
    idpSessionId: isText(sid) ? sid : undefined,
    subject: isText(sub) ? sub : undefined,
    id: String(jti),
    usableForSeconds: Math.max(1, Math.ceil(endsAt - clock.now() / 1000)),
  };
}
