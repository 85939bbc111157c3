/**
 * Microsoft Entra ID's common issuers name a template, `https://login.microsoftonline.com/{tenantid}/v2.0`, and each ID Token its own tenant's. openid-client
 * fills the template in, from the ID Token's `tid`, but only in a configuration that its own discovery() made.
 */
import { customFetch, discovery, type ClientAuth, type Configuration, type ServerMetadata } from 'openid-client';
import type { Registration } from './registration.js';

export const isEntraId = (issuer: URL): boolean => issuer.origin === 'https://login.microsoftonline.com';

/** Sends nothing: what was found is read once more. */
export async function entraIdConfiguration(
  issuer: URL,
  server: Readonly<ServerMetadata>,
  { clientId, metadata, authentication: own, prepare }: Registration,
  authentication: ClientAuth = own,
): Promise<Configuration> {
  const found = (): Promise<Response> => Promise.resolve(Response.json(server));
  return prepare(await discovery(issuer, clientId, metadata, authentication, { [customFetch]: found }));
}
