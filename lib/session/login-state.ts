/** What the session of a request says of its login. */
import type { StoreError } from '../errors.js';
import type { LoginRecord } from './login-record.js';

/** The three answers: a store that cannot tell is never taken for "nobody is logged in". */
export type LoginState =
  | { readonly kind: 'authenticated'; readonly login: LoginRecord }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'unknown'; readonly error: StoreError };
