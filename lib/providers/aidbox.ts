import type { Claims, EndSessionContext } from '../types.js';
import { baseOf, preset, secretInBody, type PresetProvider, type PresetSettings } from './preset.js';

export type AidboxOptions = PresetSettings & {
  /** The Aidbox instance, such as `https://acme.aidbox.app`. */
  baseUrl: string;
};

/**
 * Aidbox by its endpoints under `/auth`: JSON token requests, the user in the token response, and a logout that closes Aidbox's own session with
 * `DELETE /Session`. With `clientSecret` for a client that requires one; without, for a PKCE client.
 * @example aidbox({ baseUrl: 'https://acme.aidbox.app', clientId: 'web', clientSecret })
 * @throws ConfigurationError if `baseUrl` is missing
 */
export function aidbox({ baseUrl, ...settings }: AidboxOptions): PresetProvider {
  const base = baseOf('aidbox', baseUrl);
  const server = { issuer: base, authorization_endpoint: `${base}/auth/authorize`, token_endpoint: `${base}/auth/token` };
  const closeSession = async ({ fetch }: EndSessionContext): Promise<void> => {
    const answer = await fetch(`${base}/Session`, { method: 'DELETE' });
    await answer.body?.cancel(); // frees the connection
    if (!answer.ok) throw new Error(`DELETE /Session was answered with HTTP ${answer.status}`);
  };
  const defaults = {
    scope: false as const,
    tokenRequestFormat: 'json' as const,
    redirectUriInTokenRequest: false,
    identity: userInfoOf,
    endSession: closeSession,
    ...secretInBody(settings),
  };
  return preset(server, defaults, settings);
}

/** `userinfo` of the token response is the User resource; its id is who this is. */
function userInfoOf({ userinfo }: Readonly<Record<string, unknown>>): Claims | undefined {
  if (typeof userinfo !== 'object' || userinfo === null || !('id' in userinfo) || typeof userinfo.id !== 'string') return undefined;
  return { ...userinfo, sub: userinfo.id };
}
