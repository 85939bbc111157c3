/** A JWT in place of a secret (RFC 7523 §2.2). openid-client makes each of them anew, with the issuer alone as its audience. */
import { KeyObject, webcrypto } from 'node:crypto';
import { PrivateKeyJwt, modifyAssertion, type ClientAuth } from 'openid-client';
import type { SigningKey } from '../types.js';

/** The key is fitted for its algorithm at the first use; options have made sure that this works. */
export function privateKeyJwt({ key, algorithm, id }: SigningKey): ClientAuth {
  let ready: Promise<ClientAuth> | undefined;
  const prepare = async (): Promise<ClientAuth> => {
    const cryptoKey = key instanceof KeyObject ? await importKey(key, algorithm) : key;
    // openid-client names Ed25519 as RFC 9864 does; most servers know it as EdDSA only.
    const rename = { [modifyAssertion]: (header: Record<string, unknown>) => Object.assign(header, { alg: algorithm }) };
    return PrivateKeyJwt(id === undefined ? cryptoKey : { key: cryptoKey, kid: id }, rename);
  };
  const authenticate = async (...request: Parameters<ClientAuth>): Promise<void> => (await (ready ??= prepare()))(...request);
  // openid-client waits for it, as it does for its own, whatever the type says.
  // eslint-disable-next-line @typescript-eslint/no-misused-promises
  return authenticate;
}

function importKey(key: KeyObject, algorithm: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', key.export({ format: 'der', type: 'pkcs8' }), parametersOf(algorithm), false, ['sign']);
}

/** RFC 7518 §3.1, as Web Cryptography names them. */
function parametersOf(algorithm: string): webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | webcrypto.Algorithm {
  const bits = algorithm.slice(2);
  switch (algorithm.slice(0, 2)) {
    case 'RS':
      return { name: 'RSASSA-PKCS1-v1_5', hash: `SHA-${bits}` };
    case 'PS':
      return { name: 'RSA-PSS', hash: `SHA-${bits}` };
    case 'ES':
      return { name: 'ECDSA', namedCurve: bits === '512' ? 'P-521' : `P-${bits}` };
    default:
      return { name: 'Ed25519' };
  }
}
