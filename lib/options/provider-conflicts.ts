/** Options of a provider that contradict each other. */
import type { ClientAuthenticationMethod, ProviderSettings, ServerMetadata } from '../types.js';
import { refuse } from './check.js';

/** As written, before defaults: only what somebody asked for can be a contradiction. */
type Given = Pick<
  ProviderSettings,
  | 'clientSecret'
  | 'clientAuthentication'
  | 'privateKeyId'
  | 'basicCredentialsEncoding'
  | 'responseType'
  | 'responseMode'
  | 'idToken'
  | 'userInfo'
  | 'identity'
  | 'revocation'
  | 'clientMetadata'
> & { privateKey?: unknown; scope: string; server?: Partial<ServerMetadata> | undefined; issuer?: unknown };

const conflict = (path: string, problem: string): never => refuse(path, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');

const credentialOf: Record<ClientAuthenticationMethod, 'clientSecret' | 'privateKey' | undefined> = {
  client_secret_basic: 'clientSecret',
  client_secret_post: 'clientSecret',
  client_secret_jwt: 'clientSecret',
  private_key_jwt: 'privateKey',
  tls_client_auth: undefined,
  none: undefined,
};

export function refuseCredentialConflicts(given: Given, path: string): void {
  const { clientSecret, privateKey, clientAuthentication: method, clientMetadata } = given;
  if (clientSecret !== undefined && privateKey !== undefined) {
    conflict(`${path}.privateKey`, `cannot go with \`${path}.clientSecret\`: the app proves itself in one way`);
  }
  if (given.privateKeyId !== undefined && privateKey === undefined) conflict(`${path}.privateKeyId`, `needs \`${path}.privateKey\``);
  if (method !== undefined) {
    const needed = credentialOf[method];
    for (const name of ['clientSecret', 'privateKey'] as const) {
      if (name === needed && given[name] === undefined) conflict(`${path}.clientAuthentication`, `is '${method}', which needs \`${path}.${name}\``);
      if (name !== needed && given[name] !== undefined) {
        conflict(`${path}.clientAuthentication`, `is '${method}', which goes without \`${path}.${name}\`: leave out one of them`);
      }
    }
  }
  if (given.basicCredentialsEncoding !== undefined && (clientSecret === undefined || (method ?? 'client_secret_basic') !== 'client_secret_basic')) {
    conflict(`${path}.basicCredentialsEncoding`, "has no effect without `client_secret_basic`: leave it out");
  }
  const algorithm = clientMetadata?.['token_endpoint_auth_signing_alg'];
  if (method === 'client_secret_jwt' && algorithm !== undefined && algorithm !== 'HS256') {
    conflict(`${path}.clientMetadata.token_endpoint_auth_signing_alg`, "must be 'HS256' with `client_secret_jwt`: nothing else is supported");
  }
}

export function refuseIdentityConflicts(given: Given, path: string): void {
  const asksForIdToken = given.scope.split(' ').includes('openid');
  const isHybrid = given.responseType === 'code id_token';
  if (given.userInfo === true && given.identity !== undefined) {
    conflict(`${path}.userInfo`, `cannot go with \`${path}.identity\`, which can fetch the UserInfo claims itself`);
  }
  if (given.idToken === true && !asksForIdToken) conflict(`${path}.idToken`, `needs "openid" in \`${path}.scope\` (OpenID Connect Core §3.1.2.1)`);
  if (isHybrid && (!asksForIdToken || given.idToken === false)) {
    const reason = asksForIdToken ? `goes without \`${path}.idToken: false\`` : `needs "openid" in \`${path}.scope\``;
    conflict(`${path}.responseType`, `is 'code id_token', which ${reason} (OpenID Connect Core §3.3.2.1)`);
  }
  const algorithm = given.clientMetadata?.['id_token_signed_response_alg'];
  if (isHybrid && given.responseMode !== 'query' && typeof algorithm === 'string' && algorithm.startsWith('HS')) {
    conflict(`${path}.responseType`, `is 'code id_token', whose ID Token travels through the browser: it needs a signature, not ${algorithm}`);
  }
}

/** What a server that is described by hand would need to have. */
export function refuseMissingEndpoints({ issuer, server, userInfo, revocation, responseType, responseMode }: Given, path: string): void {
  if (issuer !== undefined) return;
  if (responseType === 'code id_token' && responseMode !== 'query' && server?.jwks_uri === undefined) {
    conflict(`${path}.responseType`, `is 'code id_token', whose ID Token travels through the browser: it needs \`${path}.server.jwks_uri\` to be checked`);
  }
  if (userInfo === true && server?.userinfo_endpoint === undefined) conflict(`${path}.userInfo`, `needs \`${path}.server.userinfo_endpoint\``);
  if (typeof revocation === 'string' && server?.revocation_endpoint === undefined) {
    conflict(`${path}.revocation`, `needs \`${path}.server.revocation_endpoint\``);
  }
}
