/**
 * Authorization request parameters that this package alone decides on (THREATS A16), and what to say to who sets them as
 * further parameters, in the options or in a request.
 */
const perLogin = 'it is made anew for every login';
const unsupported = 'it is not supported';
const never = 'it never belongs into a URL';

export const PROTOCOL_PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['response_type', 'use `provider.responseType`'],
  ['response_mode', 'use `provider.responseMode`'],
  ['client_id', 'use `provider.clientId`'],
  ['client_secret', never],
  ['redirect_uri', 'it is made of `baseUrl` and `routes.callback` or `provider.callbackPath`'],
  ['scope', 'use `provider.scope`'],
  ['state', perLogin],
  ['nonce', perLogin],
  ['code_challenge', perLogin],
  ['code_challenge_method', 'it is always `S256`'],
  ['code_verifier', never],
  ['request', unsupported],
  ['request_uri', unsupported],
]);
