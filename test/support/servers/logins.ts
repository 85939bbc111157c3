/** What an emulator remembers of a login: the request, who it is, what was given out. */
import { createHash } from 'node:crypto';

/** A checked authorization request. */
export interface Authorization {
  redirectUri: string;
  state: string | undefined;
  scope?: string | undefined;
  nonce?: string | undefined;
  codeChallenge?: string | undefined;
  prompt?: string | undefined;
  loginHint?: string | undefined;
  responseType?: string | undefined;
  /** What the system remembers beside: its organisation, for example. */
  detail?: Readonly<Record<string, string>> | undefined;
}

/** What a user has given to the app by one login. */
export interface Login extends Authorization {
  account: string;
  /** Of the browser's session at the server. */
  browserSession: string;
  ended: boolean;
}

/** What an API call looked like from the server. */
export interface ApiCall {
  path: string;
  status: number;
  account: string | undefined;
}

export interface IssuedCode {
  login: Login;
  redeemed: boolean;
}

export interface IssuedToken {
  login: Login;
  /** Epoch milliseconds. */
  endsAt: number;
  /** Replaced by a newer one, or revoked. */
  spent: boolean;
}

export function isAlive({ spent, endsAt, login }: IssuedToken): boolean {
  return !spent && !login.ended && Date.now() < endsAt;
}

/** RFC 7636 §4.1 and §4.6. */
export function verifies(verifier: string, challenge: string): boolean {
  return /^[\w.~-]{43,128}$/.test(verifier) && createHash('sha256').update(verifier).digest('base64url') === challenge;
}
