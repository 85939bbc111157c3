import { baseOf, pathSegment, preset, secretInBody, type PresetProvider, type PresetSettings } from './preset.js';

export type AritmaIdOptions = PresetSettings & {
  /** In the path of every address. */
  tenant: string;
  /** Default `https://id.aritma.io`. */
  baseUrl?: string | undefined;
};

/**
 * Aritma ID. Ask for `offline_access` to get a refresh token. A second factor is asked for with `prompt=login` and `acr_values=mfa` together.
 * @example aritmaId({ tenant: 'acme', clientId: 'web', clientSecret, scope: 'openid profile banking.ais.read offline_access' })
 * @throws ConfigurationError if `tenant` is missing, or no segment of a path
 */
export function aritmaId({ tenant, baseUrl = 'https://id.aritma.io', ...settings }: AritmaIdOptions): PresetProvider {
  const issuer = `${baseOf('aritmaId', baseUrl)}/${pathSegment('aritmaId({ tenant })', tenant)}`;
  const server = { issuer, authorization_endpoint: `${issuer}/connect/authorize`, token_endpoint: `${issuer}/connect/token` };
  return preset(server, secretInBody(settings), settings);
}
