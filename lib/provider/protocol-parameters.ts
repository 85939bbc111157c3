/**
 * Authorization request parameters that this package alone decides on (THREATS A16). Neither a request nor the options may set
 * them as further parameters; `scope` has an option of its own.
 */
export const PROTOCOL_PARAMETERS: readonly string[] = Object.freeze([
  'response_type',
  'response_mode',
  'client_id',
  'client_secret',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'code_verifier',
  'request',
  'request_uri',
]);
