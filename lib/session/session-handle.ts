/**
 * The name of a session for the app and its pages: enough to end the session, too little to open it. It needs no table: it holds what
 * ending takes, the hashes of the two ids, and a MAC, so that nobody can make one up.
 */
import type { Sealer } from '../seal.js';
import type { LoginHashes } from './login-index.js';

export function sessionHandle(sealer: Sealer, { session, grant }: LoginHashes): string {
  const hashes = `${session}.${grant}`;
  return `${hashes}.${sealer.sign('session handle', hashes)}`;
}

/** `undefined`: not made here, or with a secret that was removed. */
export function openSessionHandle(sealer: Sealer, handle: string): LoginHashes | undefined {
  const parts = /^(?<session>[\w-]{43})\.(?<grant>[\w-]{43})\.(?<mac>[\w-]{43})$/.exec(handle)?.groups;
  if (parts === undefined) return undefined;
  const { session, grant, mac } = parts as typeof parts & LoginHashes & { mac: string }; // a match has all three
  return sealer.verify('session handle', `${session}.${grant}`, mac) ? { session, grant } : undefined;
}
