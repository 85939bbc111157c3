/** Logout tokens that were carried out: each counts once (OpenID Connect Back-Channel Logout §2.6). */
import { hashId } from '../seal.js';
import type { SessionKeys } from './session-keys.js';

export interface UsedLogoutTokens {
  /** Rejects with StoreError: whoever cannot tell must not carry it out (THREATS H7). */
  has(provider: string, tokenId: string, usableForSeconds: number): Promise<boolean>;
  /** Called when everything is done: a token whose logout failed is sent again, and has to count then. */
  add(provider: string, tokenId: string, usableForSeconds: number): Promise<void>;
}

const keyOf = (provider: string, tokenId: string): string => `ecf:j:${hashId(JSON.stringify([provider, tokenId]))}`;

export function createUsedLogoutTokens(keys: SessionKeys): UsedLogoutTokens {
  return {
    has: async (provider, tokenId, usableForSeconds) => (await keys.getAndRenew(keyOf(provider, tokenId), usableForSeconds)) !== undefined,
    async add(provider, tokenId, usableForSeconds) {
      await keys.set(keyOf(provider, tokenId), Buffer.from('1'), usableForSeconds, 'NX');
    },
  };
}
