/** `provider`: the authorization server and our registration there. */
import type { ProviderOptions, ProviderSettings, ResolvedProvider } from '../types.js';
import { isLoopback } from '../urls.js';
import { readAuthorizationParams } from './authorization-params.js';
import { type Check, type Checks, flag, oneOf, optional, readTable, record, refuse, show, text } from './check.js';
import { readPrivateKey, resolveSigningKey } from './private-key.js';
import { refuseCredentialConflicts, refuseIdentityConflicts, refuseMissingEndpoints } from './provider-conflicts.js';
import { readIssuer, readServer, resolveServer, urlsOf } from './server.js';
import { readRoute } from './site.js';
import { refuseHttp } from './url.js';

/** A line break at the end is what reading a file leaves, and what no server accepts. */
const trimmed =
  (check: Check<string>): Check<string> =>
  (value, path) => {
    const checked = check(value, path);
    if (checked !== checked.trim()) refuse(path, 'begins or ends with white space: trim it');
    return checked;
  };

const readClientSecret: Check<string> = (value, path) => {
  const isText = typeof value === 'string' && !/\p{Cs}/u.test(value);
  if (isText && value !== '') return value;
  const got = value === '' ? 'the empty string' : isText || typeof value !== 'string' ? `a ${typeof value}` : 'one with half of a character';
  return refuse(path, `must be the app's secret at the authorization server, or left out for a public client; got ${got}`);
};

/** RFC 6749 §3.3 */
const scopeSyntax = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

export const readScope: Check<string> = (value, path) => {
  if (typeof value === 'string' && scopeSyntax.test(value)) return value;
  return refuse(path, `must be one string of scopes with a single space between them, such as "openid profile"; got ${show(value)}`);
};

/** `false`, and nothing else, means none: an empty environment variable must not. */
const readScopeOrNone: Check<string> = (value, path) => (value === false ? '' : readScope(value, path));

const readRevocation: Check<ResolvedProvider['revocation']> = (value, path) =>
  value === false ? false : oneOf('refresh_token', 'access_token')(value, path);

function readFunction<T>(meaning: string): Check<T> {
  return (value, path) => {
    if (typeof value !== 'function') refuse(path, `must be ${meaning}; got ${show(value)}`);
    return value as T; // no more can be seen from here
  };
}

const metadataOfOptions = new Map([
  ['client_id', '`provider.clientId`'],
  ['client_secret', '`provider.clientSecret`'],
  ['token_endpoint_auth_method', '`provider.clientAuthentication`'],
  ['response_types', '`provider.responseType`'],
  ['jwks', '`provider.privateKey`'],
  ['redirect_uris', '`baseUrl` and `routes.callback`'],
  ['scope', '`provider.scope`'],
]);

const readClientMetadata: Check<Readonly<Record<string, unknown>>> = (value, path) => {
  const metadata = record(value, path);
  for (const name of Object.keys(metadata)) {
    const option = metadataOfOptions.get(name);
    if (option !== undefined) refuse(`${path}.${name}`, `has its own place: use ${option}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return metadata;
};

export const providerChecks = {
  issuer: optional(readIssuer),
  server: optional(readServer),
  clientId: trimmed(text("the app's id at the authorization server")),
  clientSecret: optional(trimmed(readClientSecret)),
  privateKey: optional(readPrivateKey),
  privateKeyId: optional(text('the `kid` of the private key')),
  clientAuthentication: optional(
    oneOf('client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth', 'none'),
  ),
  basicCredentialsEncoding: optional(oneOf('percent', 'form', 'raw')),
  scope: optional(readScopeOrNone, 'openid profile email'),
  authorizationParams: optional(readAuthorizationParams, {}),
  responseType: optional(oneOf('code', 'code id_token'), 'code'),
  responseMode: optional(oneOf('query', 'form_post')),
  tokenRequestFormat: optional(oneOf('form', 'json'), 'form'),
  redirectUriInTokenRequest: optional(flag, true),
  idToken: optional(flag),
  userInfo: optional(flag, false),
  identity: optional(readFunction<ProviderSettings['identity']>('a function that makes claims of a token response')),
  revocation: optional(readRevocation),
  endSession: optional(readFunction<ProviderSettings['endSession']>("a function that ends the server's session")),
  callbackPath: optional(readRoute),
  clientMetadata: optional(readClientMetadata, {}),
  dangerouslyAllowHttp: optional(flag, false),
} satisfies Checks<ProviderOptions>;

export const readProvider: Check<ResolvedProvider> = (value, path) => {
  const given = readTable(providerChecks, value, path);
  const { dangerouslyAllowHttp, privateKey, privateKeyId, ...provider } = given;
  const { issuer, scope, responseType, clientMetadata } = provider;
  const server = resolveServer(issuer, provider.server, path);
  refuseCredentialConflicts(given, path);
  refuseIdentityConflicts(given, path);
  refuseMissingEndpoints(given, path);

  const urls = urlsOf(issuer, server, path);
  if (!dangerouslyAllowHttp) {
    for (const [name, url] of urls) refuseHttp(url, name, `Use https, or \`${path}.dangerouslyAllowHttp: true\` in a closed test network.`);
  }
  const registered = clientMetadata['token_endpoint_auth_signing_alg'];
  return {
    name: 'default',
    ...provider,
    server,
    signingKey: privateKey === undefined ? undefined : resolveSigningKey(privateKey, privateKeyId, registered, path),
    basicCredentialsEncoding: provider.basicCredentialsEncoding ?? 'percent',
    responseMode: provider.responseMode ?? (responseType === 'code' ? 'query' : 'form_post'),
    idToken: provider.idToken ?? (asksForIdToken(scope) ? true : undefined),
    revocation: provider.revocation ?? 'refresh_token',
    allowHttp: dangerouslyAllowHttp || [...urls.values()].some((url) => isLoopback(url)),
  };
};

/** OpenID Connect Core §3.1.2.1: with `openid` in the scope, and only then, there is an ID Token. */
function asksForIdToken(scope: string): boolean {
  return scope.split(' ').includes('openid');
}
