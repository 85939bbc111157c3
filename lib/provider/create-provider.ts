/**
 * A provider by its options. openid-client with its parts is loaded when the authorization server is first asked something: no app needs it to start,
 * or to answer whoever is logged in.
 *
 * It is not loaded in the background before that: a module that is still being loaded when an app's test has ended makes Jest fail.
 */
import { ProviderError } from '../errors.js';
import type { ResolvedProvider } from '../types.js';
import type { ProviderDependencies } from './connection.js';
import type { AuthorizationServer, Provider } from './provider.js';
import { codeOf, inBrackets, toProviderError } from './provider-errors.js';
import { checkRegistration } from './registration-options.js';

/** Loads and sends nothing yet. Throws ConfigurationError for options that can never work. */
export function createProvider(options: ResolvedProvider, dependencies: ProviderDependencies): Provider {
  checkRegistration(options);
  const server = onceLoaded(options, dependencies);
  return {
    name: options.name,
    responseMode: options.responseMode,
    callbackPath: options.callbackPath,
    scope: options.scope,
    mayBe: (issuer) => withoutSlash(issuer) === withoutSlash(options.issuer?.href ?? options.server?.issuer ?? ''),
    promisesIssuer: async () => (await server()).promisesIssuer(),
    authorizationUrl: async (request) => (await server()).authorizationUrl(request),
    exchangeCode: async (callback, checks) => (await server()).exchangeCode(callback, checks),
    // It never throws: whoever waits for a token learns that there is none yet, and stays logged in.
    refresh: (refreshToken, context) =>
      server().then(
        (loaded) => loaded.refresh(refreshToken, context),
        (error: unknown) => ({ kind: 'failed', error: toProviderError(error, options.name) }),
      ),
    revoke: async (token, hint) => (await server()).revoke(token, hint),
    logout: async (tokens) => (await server()).logout(tokens),
    endSessionUrl: async (request) => (await server()).endSessionUrl(request),
    issuer: async () => (await server()).issuer(),
    verifyLogoutToken: async (token) => (await server()).verifyLogoutToken(token),
  };
}

/**
 * One for all who wait, with what it knows of the server. After a failure the next one tries again, which helps where Node does: Node 20 remembers
 * that a package was missing. Rejects with ProviderError alone.
 */
function onceLoaded(options: ResolvedProvider, dependencies: ProviderDependencies): () => Promise<AuthorizationServer> {
  let loaded: Promise<AuthorizationServer> | undefined;

  async function load(): Promise<AuthorizationServer> {
    const { createAuthorizationServer } = await import('./authorization-server.js').catch((error: unknown) => {
      throw notLoaded(error, options.name);
    });
    return createAuthorizationServer(options, dependencies);
  }

  return () =>
    (loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw toProviderError(error, options.name);
    }));
}

/** Files that are missing, or were replaced under a running process. The paths in Node's own message are nobody's business who is not on the machine. */
function notLoaded(error: unknown, name: string): ProviderError {
  const message = `The authorization server "${name}" cannot be asked: openid-client, or the part of this package that uses it, could not be loaded${inBrackets(codeOf(error))}.`;
  return new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, `${message} Install the packages again, and start the app anew.`, { retryAfterSeconds: 5 });
}

/** A URL object of an origin alone has a slash that servers do not write. */
const withoutSlash = (issuer: string): string => issuer.replace(/\/$/, '');
