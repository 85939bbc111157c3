import { baseOf, preset, secretInBody, singleWord, type PresetProvider, type PresetSettings } from './preset.js';

export type AtHocOptions = PresetSettings & {
  /** `https://<server>`. */
  baseUrl: string;
  /** The organization that the login is for: an access token is good for one. */
  organizationCode: string;
};

/**
 * BlackBerry AtHoc: JSON token requests, a public client unless there is a secret, and no ID Token although `openid` is asked for. Refused credentials
 * end on a page of the server; nothing comes back to the app.
 * @example athoc({ baseUrl: 'https://alerts.example.com', organizationCode: 'acme', clientId: 'web' })
 * @throws ConfigurationError if `baseUrl` or `organizationCode` is missing
 */
export function athoc({ baseUrl, organizationCode, ...settings }: AtHocOptions): PresetProvider {
  const issuer = `${baseOf('athoc', baseUrl)}/AuthServices/Auth`;
  const server = { issuer, authorization_endpoint: `${issuer}/connect/authorize`, token_endpoint: `${issuer}/connect/token` };
  const organization = { acr_values: `tenant:${singleWord('athoc({ organizationCode })', organizationCode)}` };
  const defaults = {
    scope: 'openid profile athoc.iws.web.api offline_access',
    tokenRequestFormat: 'json' as const,
    idToken: false,
    ...secretInBody(settings),
  };
  return preset(server, defaults, { ...settings, authorizationParams: { ...organization, ...settings.authorizationParams } });
}
