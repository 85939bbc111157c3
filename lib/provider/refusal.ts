/** What an error answer means. The rules come from servers that were watched, see the table of the tests. */

export type Verdict =
  /** `invalid_grant`: this code or refresh token is no longer good (RFC 6749 §5.2). */
  | 'grant'
  /** Most likely the same, from a server with words of its own. */
  | 'probably-grant'
  /** The server refuses our registration or what we ask for: it would refuse any user's grant. */
  | 'client'
  /** Down or busy: the same request may work later. */
  | 'unavailable'
  /** Nothing that a token endpoint says; perhaps not from the server at all, but from something in front of it. */
  | 'unusable';

/** RFC 6749 §5.2 and RFC 8707 §2: they concern the client's registration and configuration, never one user's grant. The last is GitHub's word. */
const ABOUT_THE_CLIENT = new Set([
  ...['invalid_client', 'unauthorized_client', 'invalid_scope', 'unsupported_grant_type', 'invalid_target'],
  'incorrect_client_credentials',
]);
/** RFC 8707 §2, RFC 6749 §5.2: where a resource is asked for, they are about that resource and the scope asked for with it. */
const ABOUT_THE_RESOURCE = new Set(['invalid_target', 'invalid_scope']);
const ABOUT_THE_MOMENT = new Set(['temporarily_unavailable', 'server_error']);
const BUSY = new Set([408, 425, 429]);

/** RFC 6749 §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 8707 §2: all that may appear in a message. */
const REGISTERED = new Set([
  ...ABOUT_THE_CLIENT,
  ...ABOUT_THE_MOMENT,
  'invalid_grant',
  'invalid_request',
  'invalid_token',
  'unsupported_token_type',
]);

/** `error`: the body's `error` member, if there is one. `isPage`: the body is HTML, so it does not come from a token endpoint. */
export function judge(status: number, error: string | undefined, isPage: boolean): Verdict {
  if (isBusy(status) || (error !== undefined && ABOUT_THE_MOMENT.has(error))) return 'unavailable';
  if (error === 'invalid_grant') return 'grant';
  if (error !== undefined) return ABOUT_THE_CLIENT.has(error) ? 'client' : 'probably-grant';
  if (status === 401) return 'client';
  // One server refuses every spent refresh token with a bare 400. A page with status 400 comes from a proxy: users stay signed in.
  return status === 400 && !isPage ? 'probably-grant' : 'unusable';
}

/** For everything that is not about a grant, such as metadata and keys. */
export function isBusy(status: number): boolean {
  return status >= 500 || BUSY.has(status);
}

/** `error`: a registered code. */
export const isAboutResource = (error: string | undefined): boolean => error !== undefined && ABOUT_THE_RESOURCE.has(error);

/** Only registered codes are repeated in messages: anything else is the server's free text (THREATS I1). */
export function registeredError(error: string | undefined): string | undefined {
  return error !== undefined && REGISTERED.has(error) ? error : undefined;
}
