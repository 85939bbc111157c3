import { baseOf, preset, type PresetProvider, type PresetSettings } from './preset.js';

export type AidboxLegacyOptions = PresetSettings & {
  /** The Aidbox instance, such as `https://acme.aidbox.app`. */
  baseUrl: string;
};

/**
 * Aidbox by its older endpoints under `/oauth2`. Access tokens do not say when they end, and there is no refresh token: they are used until an API
 * refuses them. As it is, this is plain OAuth 2.0 without a scope, and nobody knows who the user is; for an ID Token write
 * `responseType: 'code id_token'`, which makes the scope `openid`.
 * @example aidboxLegacy({ baseUrl: 'https://acme.aidbox.app', clientId: 'web', clientSecret, responseType: 'code id_token' })
 * @throws ConfigurationError if `baseUrl` is missing
 */
export function aidboxLegacy({ baseUrl, ...settings }: AidboxLegacyOptions): PresetProvider {
  const base = baseOf('aidboxLegacy', baseUrl);
  const server = { issuer: base, authorization_endpoint: `${base}/oauth2/authorize`, token_endpoint: `${base}/oauth2/token` };
  const { clientSecret, clientAuthentication, responseType = 'code' } = settings;
  const defaults = {
    responseType,
    // The code comes alone in the query, whatever the response type.
    responseMode: 'query' as const,
    scope: responseType === 'code' ? (false as const) : 'openid',
    ...(clientSecret === undefined || clientAuthentication !== undefined ? {} : { clientAuthentication: 'client_secret_basic' as const }),
  };
  return preset(server, defaults, settings);
}
