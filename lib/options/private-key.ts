/** `provider.privateKey`: read at start-up, so that a broken key is no surprise of the first login. Never shown. */
import { createPrivateKey, KeyObject, type JsonWebKey, type webcrypto } from 'node:crypto';
import { types } from 'node:util';
import type { SigningKey } from '../types.js';
import { type Check, isObject, refuse } from './check.js';

/** RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864: by the kind of key, the default first. */
const ALGORITHMS: Record<string, readonly string[]> = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  ed25519: ['EdDSA', 'Ed25519'],
};

/** RFC 7518 §3.3. */
const SHORTEST_RSA_BITS = 2048;

const CURVES: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

export interface GivenKey {
  readonly key: KeyObject | webcrypto.CryptoKey;
  /** What it can sign with, the default first. */
  readonly algorithms: readonly string[];
  readonly id: string | undefined;
}

export const readPrivateKey: Check<GivenKey> = (value, path) => {
  if (types.isCryptoKey(value)) return fromCryptoKey(value, path);
  const problem = 'must be a private key: PEM text without a password, a JWK with its private part, or a CryptoKey';
  if (typeof value !== 'string' && !isObject(value)) refuse(path, problem);
  const key = parse(value) ?? refuse(path, problem);
  const { kid, alg } = typeof value === 'string' ? {} : (value as { kid?: unknown; alg?: unknown });
  const algorithms = algorithmsOf(key, path);
  return {
    key,
    algorithms: typeof alg === 'string' && algorithms.includes(alg) ? [alg] : algorithms,
    id: typeof kid === 'string' ? kid : undefined,
  };
};

function parse(value: string | Record<string, unknown>): KeyObject | undefined {
  try {
    return typeof value === 'string' ? createPrivateKey(value) : createPrivateKey({ key: value as JsonWebKey, format: 'jwk' });
  } catch {
    return undefined; // the error would say where in the key it stumbled
  }
}

function algorithmsOf(key: KeyObject, path: string): readonly string[] {
  const { namedCurve = '', modulusLength = SHORTEST_RSA_BITS } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < SHORTEST_RSA_BITS) refuse(path, `is an RSA key of ${modulusLength} bits; it needs at least ${SHORTEST_RSA_BITS} (RFC 7518 §3.3)`);
  const algorithms = ALGORITHMS[CURVES[namedCurve] ?? key.asymmetricKeyType ?? ''];
  return algorithms ?? refuse(path, 'must be an RSA, EC (P-256, P-384, P-521) or Ed25519 key');
}

/** The algorithm is part of a CryptoKey. */
function fromCryptoKey(key: webcrypto.CryptoKey, path: string): GivenKey {
  if (key.type !== 'private' || !key.usages.includes('sign')) refuse(path, 'must be a private CryptoKey with the usage "sign"');
  const algorithms = algorithmsOf(KeyObject.from(key), path);
  const { name, hash } = key.algorithm as { name: string; hash?: { name: string } };
  const bits = hash?.name.slice('SHA-'.length) ?? '';
  const own = { 'RSASSA-PKCS1-v1_5': [`RS${bits}`], 'RSA-PSS': [`PS${bits}`] }[name] ?? algorithms;
  if (!own.every((algorithm) => algorithms.includes(algorithm))) refuse(path, 'must be a CryptoKey that signs with SHA-256, SHA-384 or SHA-512');
  return { key, algorithms: own, id: undefined };
}

/** The key with what it signs with: as registered (RFC 7591 §2), else its own default. */
export function resolveSigningKey(given: GivenKey, id: string | undefined, registered: unknown, path: string): SigningKey {
  const algorithm = given.algorithms.find((candidate) => registered === undefined || candidate === registered);
  if (algorithm === undefined) {
    const problem = `does not fit \`${path}.clientMetadata.token_endpoint_auth_signing_alg\`: the key signs with ${given.algorithms.join(', ')}`;
    refuse(`${path}.privateKey`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return { key: given.key, algorithm, id: id ?? given.id };
}
