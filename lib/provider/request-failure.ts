/** A request to the authorization server that brought no usable answer. Stays within this folder; provider-errors.ts translates it. */
import type { Verdict } from './refusal.js';

export type RequestKind = 'discovery' | 'token' | 'keys' | 'userinfo' | 'identity' | 'revocation' | 'end-session';

type FailureReason =
  | { readonly kind: 'timeout' }
  | { readonly kind: 'network' }
  /** Answered, but not with what was asked for. `what` completes "answered with …". */
  | { readonly kind: 'unusable'; readonly what: string }
  | Refusal;

/** An error status. `error` is a registered code. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly status: number;
  readonly verdict: Verdict;
  readonly error: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

export class RequestFailure extends Error {
  readonly request: RequestKind;
  readonly reason: FailureReason;

  constructor(request: RequestKind, reason: FailureReason) {
    super(`${request} request failed: ${reason.kind}`);
    this.name = 'RequestFailure';
    this.request = request;
    this.reason = reason;
  }
}

/** openid-client wraps what its fetch throws: the failure is somewhere down the `cause` chain. */
export function requestFailureIn(error: unknown): RequestFailure | undefined {
  let current = error;
  while (current instanceof Error) {
    if (current instanceof RequestFailure) return current;
    current = current.cause;
  }
  return undefined;
}
