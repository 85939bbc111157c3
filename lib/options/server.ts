/** `provider.issuer` and `provider.server`: where the authorization server is. */
import type { ServerMetadata } from '../types.js';
import { type Check, record, refuse, refuseMissing } from './check.js';
import { readUrl, refuseQuery } from './url.js';

const issuerMeaning = 'the issuer URL of the authorization server, such as "https://id.example.com"';
const neededNames = ['authorization_endpoint', 'token_endpoint'];

export const readIssuer: Check<URL> = (value, path) => {
  const issuer = readUrl(value, path, issuerMeaning);
  refuseQuery(issuer, path); // RFC 8414 §2
  return issuer;
};

const isUrlName = (name: string): boolean => name.endsWith('_endpoint') || name === 'jwks_uri';

/** What is there is checked here; what must be there depends on the issuer. */
export const readServer: Check<Partial<ServerMetadata>> = (value, path) => {
  const metadata = record(value, path);
  for (const [name, url] of Object.entries(metadata)) {
    if (url !== undefined && isUrlName(name)) readEndpoint(url, name, path);
  }
  if (metadata['issuer'] !== undefined) readIssuer(metadata['issuer'], `${path}.issuer`);
  return metadata;
};

const readEndpoint = (url: unknown, name: string, path: string): URL => readUrl(url, `${path}.${name}`, `the URL of the server's ${name}`);

/** Found by its issuer, then `server` overrides single metadata; or described by hand, then `server` has to be complete. */
export function resolveServer(issuer: URL | undefined, server: Partial<ServerMetadata> | undefined, path: string): Partial<ServerMetadata> | undefined {
  if (issuer === undefined) {
    if (server === undefined) refuseMissing(`${path}.issuer`, `it must be ${issuerMeaning}; or describe the server by hand in \`${path}.server\``);
    readIssuer(server.issuer, `${path}.server.issuer`);
    for (const name of neededNames) readEndpoint(server[name], name, `${path}.server`);
    return server;
  }
  if (server === undefined) return undefined;
  const { issuer: named, ...overrides } = server;
  if (named !== undefined && new URL(named).href !== issuer.href) {
    const problem = `is not \`${path}.issuer\`: beside it, \`server\` changes addresses, never who the server is`;
    refuse(`${path}.server.issuer`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return overrides;
}

/** Every URL that we may call, by the option that says so. */
export function urlsOf(issuer: URL | undefined, server: Partial<ServerMetadata> | undefined, path: string): Map<string, URL> {
  const urls = new Map(issuer === undefined ? [] : [[`${path}.issuer`, issuer]]);
  for (const [name, url] of Object.entries(server ?? {})) {
    if (typeof url === 'string' && (name === 'issuer' || isUrlName(name))) urls.set(`${path}.server.${name}`, new URL(url));
  }
  return urls;
}
