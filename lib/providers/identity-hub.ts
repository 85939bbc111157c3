import { baseOf, pathSegment, preset, secretInBody, type PresetProvider, type PresetSettings } from './preset.js';

export type IdentityHubOptions = PresetSettings & {
  /** In the path of every address. */
  tenant: string;
  /** Default `https://www.theidentityhub.com`. */
  baseUrl?: string | undefined;
};

/**
 * The Identity Hub. Every refresh brings a new refresh token. At logout the access token is revoked, the only kind that it takes back.
 * There is an ID Token with `openid` in the scope. To have its signature checked as well, add the address of the tenant's or the app's keys:
 * `server: { jwks_uri: 'https://www.theidentityhub.com/acme/oauth2/v1/certs' }`.
 * @example identityHub({ tenant: 'acme', clientId: 'web', clientSecret })
 * @throws ConfigurationError if `tenant` is missing, or no segment of a path
 */
export function identityHub({ tenant, baseUrl = 'https://www.theidentityhub.com', ...settings }: IdentityHubOptions): PresetProvider {
  const issuer = `${baseOf('identityHub', baseUrl)}/${pathSegment('identityHub({ tenant })', tenant)}`;
  const server = {
    issuer,
    // The slash at the end of each is part of the address.
    authorization_endpoint: `${issuer}/oauth2/v1/auth/`,
    token_endpoint: `${issuer}/oauth2/v1/token/`,
    revocation_endpoint: `${issuer}/oauth2/v1/revoke/`,
    // The revocation request has a client_id and no secret.
    revocation_endpoint_auth_methods_supported: ['none'],
  };
  return preset(server, { revocation: 'access_token', ...secretInBody(settings) }, settings);
}
