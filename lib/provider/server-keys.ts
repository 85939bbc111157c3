/** The server's public keys, for what comes from it by itself and not as an answer to openid-client. */
import type { JsonWebKey } from 'node:crypto';
import { backOffMilliseconds } from '../back-off.js';
import type { Clock } from '../clock.js';
import { ProviderError } from '../errors.js';
import { toProviderError } from './provider-errors.js';
import { runCall, startCall } from './server-call.js';
import type { ServerFetch } from './server-fetch.js';

export type ServerKey = JsonWebKey & { readonly kid?: string; readonly use?: string; readonly key_ops?: unknown; readonly alg?: string };

/** The keys that suit, fetched anew when none does. Throws ProviderError while that cannot be said. */
export type FindServerKeys = (jwksUri: string, suits: (key: ServerKey) => boolean) => Promise<readonly ServerKey[]>;

interface ServerKeysDependencies {
  readonly name: string;
  readonly serverFetch: ServerFetch;
  readonly httpTimeoutSeconds: number;
  readonly clock: Clock;
}

const KEPT_MS = 300_000;

/** Anybody can ask for a key that nobody has: the server is not asked more often for it. */
const UNKNOWN_KEY_PAUSE_MS = 10_000;

export function createServerKeys({ name, serverFetch, httpTimeoutSeconds, clock }: ServerKeysDependencies): FindServerKeys {
  let kept: { readonly keys: readonly ServerKey[]; readonly at: number } | undefined;
  let inFlight: Promise<readonly ServerKey[]> | undefined;
  /** Whoever makes up tokens must not make requests either while none is answered (THREATS D6). */
  let failed: { readonly times: number; readonly error: ProviderError; readonly notBefore: number } | undefined;

  async function ask(jwksUri: string): Promise<readonly ServerKey[]> {
    const init = { method: 'GET', headers: { accept: 'application/json' }, body: undefined, redirect: 'manual' } as const;
    const call = startCall('keys', httpTimeoutSeconds);
    try {
      const answer = await runCall(call, () => serverFetch(call)(jwksUri, init));
      const { keys } = (await answer.json()) as { keys: readonly ServerKey[] }; // serverFetch hands on key sets alone
      kept = { keys, at: clock.monotonic() };
      failed = undefined;
      return keys;
    } catch (cause) {
      const error = toProviderError(cause, name);
      const times = (failed?.times ?? 0) + 1;
      failed = { times, error, notBefore: clock.monotonic() + backOffMilliseconds(times) };
      throw error;
    } finally {
      inFlight = undefined;
    }
  }

  return async function findServerKeys(jwksUri, suits) {
    const ageMs = kept === undefined ? Infinity : clock.monotonic() - kept.at;
    const suitable = ageMs < KEPT_MS ? (kept?.keys ?? []).filter(suits) : [];
    if (suitable.length > 0) return suitable;
    // It may be a new one: whoever sent this tries again when we could not tell.
    if (ageMs < UNKNOWN_KEY_PAUSE_MS) throw askedAMomentAgo(name);
    if (failed !== undefined && clock.monotonic() < failed.notBefore) throw failed.error;
    inFlight ??= ask(jwksUri);
    return (await inFlight).filter(suits);
  };
}

function askedAMomentAgo(name: string): ProviderError {
  const message = `The authorization server "${name}" did not have this key a moment ago.`;
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, message, { retryAfterSeconds: UNKNOWN_KEY_PAUSE_MS / 1000 });
}
