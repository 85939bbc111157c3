/** The token request as the server wants it (RFC 6749 §4.1.3 and §6, or JSON with the same parameters). */
import type { CustomFetchOptions } from 'openid-client';
import type { ResolvedProvider } from '../types.js';

export type TokenRequestStyle = Pick<ResolvedProvider, 'tokenRequestFormat' | 'redirectUriInTokenRequest'>;

/** openid-client writes forms and always adds the `redirect_uri`. Client authentication is done by then: in the header or among the parameters. */
export function styledTokenRequest(init: CustomFetchOptions, { tokenRequestFormat, redirectUriInTokenRequest }: TokenRequestStyle): CustomFetchOptions {
  if (tokenRequestFormat === 'form' && redirectUriInTokenRequest) return init;
  const parameters = new URLSearchParams(init.body as URLSearchParams); // openid-client's token requests have no other body
  if (!redirectUriInTokenRequest) parameters.delete('redirect_uri');
  if (tokenRequestFormat === 'form') return { ...init, body: parameters };
  return {
    ...init,
    headers: { ...init.headers, 'content-type': 'application/json' },
    body: JSON.stringify(Object.fromEntries(parameters)),
  };
}
