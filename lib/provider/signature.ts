/** Signatures of tokens that openid-client does not see (RFC 7515, RFC 7518 §3, RFC 8037 §3.1). */
import { constants, createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { ServerKey } from './server-keys.js';

interface Algorithm {
  /** `undefined`: part of the algorithm. */
  readonly digest: string | undefined;
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
  readonly pss?: boolean;
  readonly curve?: string;
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  RS256: { digest: 'sha256', keyType: 'rsa' },
  RS384: { digest: 'sha384', keyType: 'rsa' },
  RS512: { digest: 'sha512', keyType: 'rsa' },
  PS256: { digest: 'sha256', keyType: 'rsa', pss: true },
  PS384: { digest: 'sha384', keyType: 'rsa', pss: true },
  PS512: { digest: 'sha512', keyType: 'rsa', pss: true },
  ES256: { digest: 'sha256', keyType: 'ec', curve: 'prime256v1' },
  ES384: { digest: 'sha384', keyType: 'ec', curve: 'secp384r1' },
  ES512: { digest: 'sha512', keyType: 'ec', curve: 'secp521r1' },
  EdDSA: { digest: undefined, keyType: 'ed25519' },
  Ed25519: { digest: undefined, keyType: 'ed25519' },
};

/** Neither `none` nor those that are keyed with the client secret. */
export const isPublicKeyAlgorithm = (name: unknown): name is string => typeof name === 'string' && Object.hasOwn(ALGORITHMS, name);

/** RFC 7518 §3.3. */
const SMALLEST_RSA_BITS = 2048;

/** Whether one of the keys made this signature, in the very algorithm, whatever the token says of itself (RFC 8725 §3.1). */
export function isSignedBy(keys: readonly ServerKey[], name: string, signed: string, signature: Buffer): boolean {
  const algorithm = ALGORITHMS[name];
  return algorithm !== undefined && keys.some((key) => verifies(key, algorithm, Buffer.from(signed), signature));
}

function verifies(jwk: ServerKey, { digest, keyType, pss, curve }: Algorithm, signed: Buffer, signature: Buffer): boolean {
  const key = publicKey(jwk);
  const { modulusLength = 0, namedCurve } = key?.asymmetricKeyDetails ?? {};
  if (key?.asymmetricKeyType !== keyType || namedCurve !== curve) return false;
  if (keyType === 'rsa' && modulusLength < SMALLEST_RSA_BITS) return false;
  const padding = pss === true ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  return verify(digest, signed, { key, dsaEncoding: 'ieee-p1363', ...padding }, signature);
}

/** `undefined`: not a key, or of a kind that Node does not know. */
function publicKey(jwk: ServerKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}
