/** Parameters of the authorization request that are set by us alone (THREATS A16). */
import { type Check, listOf, record, refuse, show, text } from './check.js';

const perLogin = 'it is made anew for every login';
const unsupported = 'it is not supported';

/** Why each is refused, or where to say it instead. */
const protocolParameters = new Map([
  ['response_type', 'it is always `code`'],
  ['response_mode', 'it is always `query`'],
  ['client_id', 'use `provider.clientId`'],
  ['redirect_uri', 'it is made of `baseUrl` and `routes.callback`'],
  ['scope', 'use `provider.scope`'],
  ['state', perLogin],
  ['nonce', perLogin],
  ['code_challenge', perLogin],
  ['code_challenge_method', 'it is always `S256`'],
  ['request', unsupported],
  ['request_uri', unsupported],
]);

/** Refuses a protocol parameter, at start-up and in `req.oauth.login()` alike. */
export function refuseProtocolParameter(name: string, path: string): void {
  const reason = protocolParameters.get(name.toLowerCase());
  if (reason !== undefined) refuse(path, `must not name ${show(name)}: ${reason}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
}

export const readAuthorizationParams: Check<Readonly<Record<string, string>>> = (value, path) => {
  const entries = Object.entries(record(value, path)).map(([name, item]): [string, string] => {
    refuseProtocolParameter(name, path);
    if (typeof item !== 'string') refuse(`${path}.${name}`, `must be a string; got ${show(item)}`);
    return [name, item];
  });
  return Object.fromEntries(entries);
};

/** Names that a link to the login route may set. */
export const readLoginParams: Check<readonly string[]> = listOf((value, path) => {
  const name = text('the name of a query parameter')(value, path);
  refuseProtocolParameter(name, path);
  return name;
});
