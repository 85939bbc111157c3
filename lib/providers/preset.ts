/** What the presets share. A preset returns plain options; they are checked like any others when codeFlow() gets them. */
import { ConfigurationError } from '../errors.js';
import type { ProviderSettings, ServerMetadata } from '../types.js';

/** Everything that a `provider` takes. `server` adds to the preset's metadata, or takes its place. */
export type PresetSettings = ProviderSettings & { server?: Partial<ServerMetadata> | undefined };

/** What a preset returns: a server described by hand. */
export type PresetProvider = ProviderSettings & { server: ServerMetadata; issuer?: undefined };

/** The preset's defaults under what the user wrote; a member that is there but undefined counts as left out. */
export function preset(server: ServerMetadata, defaults: Partial<ProviderSettings>, { server: changes, ...settings }: PresetSettings): PresetProvider {
  const written = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  // Spreading forgets that `clientId` is among what was written.
  return { ...defaults, ...(written as Pick<ProviderSettings, 'clientId'>), server: { ...server, ...changes } };
}

/** `client_secret_post` where there is a secret; otherwise the common rules apply. */
export function secretInBody({ clientSecret, clientAuthentication }: PresetSettings): Pick<PresetSettings, 'clientAuthentication'> {
  return clientSecret === undefined || clientAuthentication !== undefined ? {} : { clientAuthentication: 'client_secret_post' };
}

/** Without a slash at the end, so that paths can follow. Whether it is a URL that may be used is checked with the others. */
export function baseOf(name: string, baseUrl: unknown): string {
  if (typeof baseUrl === 'string' && baseUrl !== '') return baseUrl.replace(/\/+$/, '');
  throw missing(`${name}({ baseUrl })`, 'the URL under which the server is reached');
}

/** Goes into a path: a name that a request brought along must not lead elsewhere. */
export function pathSegment(option: string, value: unknown): string {
  if (value === undefined || value === '') throw missing(option, 'the name of the tenant');
  if (typeof value === 'string' && /^(?!\.+$)[A-Za-z0-9._~-]+$/.test(value)) return value;
  throw new ConfigurationError('ERR_CODE_FLOW_OPTION_INVALID', `option \`${option}\` must be one segment of a URL's path, of letters, digits and -._~`);
}

/** Goes into `acr_values`, where a space would begin another value. */
export function singleWord(option: string, value: unknown): string {
  if (value === undefined || value === '') throw missing(option, 'a code without spaces');
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new ConfigurationError('ERR_CODE_FLOW_OPTION_INVALID', `option \`${option}\` must be one word`);
}

function missing(option: string, meaning: string): ConfigurationError {
  return new ConfigurationError('ERR_CODE_FLOW_OPTION_MISSING', `option \`${option}\` is missing: it must be ${meaning}. If it comes from an environment variable, is that set?`);
}
