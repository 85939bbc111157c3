/** Parameters of the authorization request that are set by us alone (THREATS A16). */
import { PROTOCOL_PARAMETERS } from '../protocol-parameters.js';
import { type Check, listOf, record, refuse, show, text } from './check.js';

/** Refuses a protocol parameter, at start-up and in `req.oauth.login()` alike. */
export function refuseProtocolParameter(name: string, path: string): void {
  const reason = PROTOCOL_PARAMETERS.get(name.toLowerCase());
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
