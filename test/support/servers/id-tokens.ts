/** ID Tokens of the emulators. RSA keys are slow to make: one pair for all servers of a test file. */
import { SignJWT, generateKeyPair } from 'jose';

let keyPair: ReturnType<typeof generateKeyPair> | undefined;

export async function idTokenOf(login: { account: string; nonce?: string | undefined }, server: { issuer: string; clientId: string }): Promise<string> {
  keyPair ??= generateKeyPair('RS256');
  const { privateKey } = await keyPair;
  return new SignJWT({ name: `${login.account} of the test`, ...(login.nonce === undefined ? {} : { nonce: login.nonce }) })
    .setProtectedHeader({ alg: 'RS256', kid: 'test' })
    .setIssuer(server.issuer)
    .setAudience(server.clientId)
    .setSubject(login.account)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey);
}
