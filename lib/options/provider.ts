/** `provider`: the authorization server and our registration there. */
import type { ProviderOptions, ResolvedProvider, ServerMetadata } from '../types.js';
import { isLoopback } from '../urls.js';
import { readAuthorizationParams } from './authorization-params.js';
import { type Check, type Checks, flag, oneOf, optional, readTable, record, refuse, refuseMissing, show, text } from './check.js';
import { readUrl, refuseHttp, refuseQuery } from './url.js';

const issuerMeaning = 'the issuer URL of the authorization server, such as "https://id.example.com"';
const endpointNames = ['authorization_endpoint', 'token_endpoint'];

const readIssuer: Check<URL> = (value, path) => {
  const issuer = readUrl(value, path, issuerMeaning);
  refuseQuery(issuer, path); // RFC 8414 §2
  return issuer;
};

const isUrlName = (name: string): boolean => name.endsWith('_endpoint') || name === 'jwks_uri';

const readServer: Check<ServerMetadata> = (value, path) => {
  const metadata = record(value, path);
  readIssuer(metadata.issuer, `${path}.issuer`);
  const names = new Set([...endpointNames, ...Object.keys(metadata).filter(isUrlName)]);
  for (const name of names) readUrl(metadata[name], `${path}.${name}`, `the URL of the server's ${name}`);
  return metadata as ServerMetadata; // the names that the type asks for were just checked
};

/** A line break at the end is what reading a file leaves, and what no server accepts. */
const trimmed =
  (check: Check<string>): Check<string> =>
  (value, path) => {
    const checked = check(value, path);
    if (checked !== checked.trim()) refuse(path, 'begins or ends with white space: trim it');
    return checked;
  };

const readClientSecret: Check<string> = (value, path) => {
  if (typeof value === 'string' && value !== '') return value;
  const got = value === '' ? 'the empty string' : `a ${typeof value}`;
  return refuse(path, `must be the app's secret at the authorization server, or left out for a public client; got ${got}`);
};

/** RFC 6749 §3.3 */
const scopeSyntax = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

export const readScope: Check<string> = (value, path) => {
  if (typeof value === 'string' && scopeSyntax.test(value)) return value;
  return refuse(path, `must be one string of scopes with a single space between them, such as "openid profile"; got ${show(value)}`);
};

const metadataOfOptions = new Map([
  ['client_id', '`provider.clientId`'],
  ['client_secret', '`provider.clientSecret`'],
  ['token_endpoint_auth_method', '`provider.clientAuthentication`'],
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
  clientAuthentication: optional(oneOf('client_secret_basic', 'client_secret_post', 'none')),
  scope: optional(readScope, 'openid profile email'),
  authorizationParams: optional(readAuthorizationParams, {}),
  clientMetadata: optional(readClientMetadata, {}),
  dangerouslyAllowHttp: optional(flag, false),
} satisfies Checks<ProviderOptions>;

export const readProvider: Check<ResolvedProvider> = (value, path) => {
  const { dangerouslyAllowHttp, ...provider } = readTable(providerChecks, value, path);
  const { issuer, server, clientSecret, clientAuthentication } = provider;
  if (issuer !== undefined && server !== undefined) {
    const problem = `cannot go with \`${path}.issuer\`: give the issuer for discovery, or the metadata by hand`;
    refuse(`${path}.server`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  if (issuer === undefined && server === undefined) {
    refuseMissing(`${path}.issuer`, `it must be ${issuerMeaning}; or describe the server by hand in \`${path}.server\``);
  }
  refuseUnmatchedAuthentication(clientAuthentication, clientSecret, path);

  const urls = urlsOf(issuer, server, path);
  if (!dangerouslyAllowHttp) {
    for (const [name, url] of urls) refuseHttp(url, name, `Use https, or \`${path}.dangerouslyAllowHttp: true\` in a closed test network.`);
  }
  const allowHttp = dangerouslyAllowHttp || [...urls.values()].some((url) => isLoopback(url));
  return { name: 'default', ...provider, allowHttp };
};

function refuseUnmatchedAuthentication(method: string | undefined, secret: string | undefined, path: string): void {
  if (method === undefined || (method === 'none') === (secret === undefined)) return;
  const problem = method === 'none' ? `goes without \`${path}.clientSecret\`: leave out one of them` : `needs \`${path}.clientSecret\``;
  refuse(`${path}.clientAuthentication`, `is '${method}', which ${problem}`, 'ERR_CODE_FLOW_OPTION_CONFLICT');
}

/** Every URL that we may call, by the option that says so. */
function urlsOf(issuer: URL | undefined, server: ServerMetadata | undefined, path: string): Map<string, URL> {
  if (issuer !== undefined) return new Map([[`${path}.issuer`, issuer]]);
  const names = Object.entries(server ?? {}).filter(([name]) => name === 'issuer' || isUrlName(name));
  return new Map(names.map(([name, url]) => [`${path}.server.${name}`, new URL(String(url))]));
}
