/**
 * One operation at the authorization server, such as redeeming a code: all its requests share one deadline, and what came back
 * is kept here, whatever openid-client makes of it.
 */
import type { TokenResponse } from '../types.js';
import type { JsonObject } from './token-answer.js';
import { RequestFailure, type RequestKind } from './request-failure.js';

export interface ServerCall {
  readonly operation: 'discovery' | 'login' | 'userinfo' | 'refresh' | 'revocation' | 'end-session' | 'keys';
  readonly deadline: AbortSignal;
  /**
   * The token endpoint's answer, from the moment it arrives. openid-client may still reject it, for its ID Token's sake, and a
   * rotated refresh token must outlive that (THREATS E17).
   */
  tokens?: TokenResponse;
  /** The ID Token of the authorization response, where there is one: with a hybrid response type. */
  frontIdToken?: string;
  /** How far the server's clock is ahead of ours, as far as its answer says. */
  clockDifferenceSeconds?: number;
  /** The same answer as it came, for the option `identity`. */
  answer?: JsonObject;
}

/** @param deadline Of what the operation is part of. */
export function startCall(operation: ServerCall['operation'], seconds: number, deadline = timeout(seconds)): ServerCall {
  return { operation, deadline };
}

/** A part of the operation with a name of its own, under the same deadline. */
export function callWithin({ deadline }: ServerCall, operation: ServerCall['operation']): ServerCall {
  return { operation, deadline };
}

/** Runs the part of the operation that is not ours; rejects with a RequestFailure at the deadline. */
export async function runCall<T>(call: ServerCall, work: () => Promise<T>): Promise<T> {
  return within(call.deadline, pendingRequest(call), work());
}

export function timeout(seconds: number): AbortSignal {
  return AbortSignal.timeout(Math.ceil(seconds * 1000));
}

/** Waits for the work until the deadline and no longer, even if the work ignores every signal. */
export async function within<T>(deadline: AbortSignal, request: () => RequestKind, work: Promise<T>): Promise<T> {
  let expire = (): void => undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    expire = () => reject(new RequestFailure(request(), { kind: 'timeout' }));
  });
  deadline.addEventListener('abort', expire);
  if (deadline.aborted) expire();
  try {
    return await Promise.race([work, expired]);
  } finally {
    deadline.removeEventListener('abort', expire);
  }
}

function pendingRequest(call: ServerCall): () => RequestKind {
  return () => {
    if (call.operation === 'login' || call.operation === 'refresh') return call.tokens === undefined ? 'token' : 'keys';
    return call.operation;
  };
}
