/** The server's signing keys, kept for a while: asked for once however many need them, and once more for a key that is not among them. */
import type { Clock } from '../clock.js';
import type { JsonObject } from './token-answer.js';

/** As openid-client would keep them. */
const KEPT_MS = 300_000;

/** A token of an unknown key asks for the keys again at most this often (THREATS D6): whoever makes up tokens must not make requests. */
const COOL_DOWN_MS = 60_000;

interface KeySet {
  /** The keys, with the one of this id if the server has it. `request` sends; it is called only when need be, and rejects for all who wait. */
  get(keyId: string | undefined, request: () => Promise<JsonObject>): Promise<JsonObject>;
}

interface Kept {
  readonly keys: Promise<JsonObject>;
  readonly at: number;
}

export function createKeySet(clock: Clock): KeySet {
  let kept: Kept | undefined;
  /** Made for the sake of an unknown key; also a failure counts, for as long as the cool-down. */
  let again: Kept | undefined;

  const isYoung = (entry: Kept | undefined, milliseconds: number): entry is Kept => entry !== undefined && clock.monotonic() - entry.at < milliseconds;

  function ask(request: () => Promise<JsonObject>): Kept {
    const entry = { keys: request(), at: clock.monotonic() };
    entry.keys.then(
      () => (kept = entry),
      () => kept === entry && (kept = undefined), // what came before a failed second request is as good as it was
    );
    return entry;
  }

  return {
    async get(keyId, request) {
      if (!isYoung(kept, KEPT_MS)) kept = ask(request);
      const keys = await kept.keys;
      if (keyId === undefined || has(keys, keyId)) return keys;
      // A server may have changed its keys a moment ago, after the ones that we know were fetched.
      if (!isYoung(again, COOL_DOWN_MS)) again = ask(request);
      return again.keys;
    },
  };
}

function has({ keys }: JsonObject, keyId: string): boolean {
  return Array.isArray(keys) && keys.some((key: JsonObject) => key['kid'] === keyId);
}
