/** Logins without a page (`prompt=none`): that the user has to do something comes back to the app as a flag, never as an error page. */
import { LoginError } from '../errors.js';

const FLAG = 'login';
const FLAG_VALUE = 'required';

/** OpenID Connect Core §3.1.2.6. */
const NEEDS_THE_USER = new Set(['login_required', 'interaction_required', 'consent_required', 'account_selection_required']);

export const needsTheUser = (error: string | undefined): boolean => error !== undefined && NEEDS_THE_USER.has(error);

export const isForTheUser = (error: unknown): boolean => error instanceof LoginError && needsTheUser(error.providerError);

/** The return path with `login=required`. A page that sees it does not try again by itself: that would go round in circles. */
export function withFlag(returnTo: string): string {
  const url = new URL(returnTo);
  url.searchParams.set(FLAG, FLAG_VALUE);
  return url.href;
}

/** What an earlier attempt left behind is not true of this one. */
export function withoutFlag(returnTo: string): string {
  const url = new URL(returnTo);
  if (url.searchParams.get(FLAG) !== FLAG_VALUE) return returnTo;
  url.searchParams.delete(FLAG);
  return url.href;
}
