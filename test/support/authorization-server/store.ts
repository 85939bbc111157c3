/** Everything that the authorization server remembers, in plain sight of the test. It outlives a restart of the server. */
import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Entry {
  model: string;
  id: string;
  payload: AdapterPayload;
}

/** Entries are found by model and id; expiry is oidc-provider's own business, which checks `exp` itself. */
export class Store {
  /** A used refresh token stays good for this long, as servers with an overlap window have it. */
  refreshTokenOverlapSeconds = 0;
  readonly #entries = new Map<string, Entry>();

  readonly adapter = (model: string): Adapter => {
    const key = (id: string): string => `${model}:${id}`;
    const find = (matches: (entry: Entry) => boolean): AdapterPayload | undefined => this.#all((entry) => entry.model === model && matches(entry))[0]?.payload;
    return {
      upsert: async (id, payload) => void this.#entries.set(key(id), { model, id, payload }),
      find: async (id) => this.#withOverlap(model, this.#entries.get(key(id))?.payload),
      findByUid: async (uid) => find(({ payload }) => payload.uid === uid),
      findByUserCode: async (userCode) => find(({ payload }) => payload.userCode === userCode),
      consume: async (id) => void (this.#entries.get(key(id))!.payload.consumed = Math.floor(Date.now() / 1000)),
      destroy: async (id) => void this.#entries.delete(key(id)),
      revokeByGrantId: async (grantId) => this.#remove((entry) => entry.model === model && entry.payload.grantId === grantId),
    };
  };

  /** Grants and everything issued under them; the user's session at the server stays, as when an administrator withdraws a consent. */
  revokeGrantsOf(accountId: string): void {
    const grants = new Set(this.#all(({ model, payload }) => model === 'Grant' && payload.accountId === accountId).map(({ id }) => id));
    this.#remove(({ model, id, payload }) => (model === 'Grant' ? grants.has(id) : payload.grantId !== undefined && grants.has(payload.grantId)));
  }

  /** How many refresh tokens could be used now. */
  liveRefreshTokens(): number {
    const grants = new Set(this.#all(({ model }) => model === 'Grant').map(({ id }) => id));
    return this.#all(({ model, payload }) => model === 'RefreshToken' && payload.consumed === undefined && grants.has(payload.grantId ?? '')).length;
  }

  #withOverlap(model: string, payload: AdapterPayload | undefined): AdapterPayload | undefined {
    if (model !== 'RefreshToken' || typeof payload?.consumed !== 'number') return payload;
    if (payload.consumed + this.refreshTokenOverlapSeconds <= Date.now() / 1000) return payload;
    const { consumed: _, ...unused } = payload;
    return unused;
  }

  #all(matches: (entry: Entry) => boolean): Entry[] {
    return [...this.#entries.values()].filter(matches);
  }

  #remove(matches: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) if (matches(entry)) this.#entries.delete(key);
  }
}
