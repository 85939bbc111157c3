/** A provider of ours that is set up for the lying server, and a browser's part of a login. */
import { inspect } from 'node:util';
import { systemClock, type Clock } from '../../lib/clock.js';
import type { TellProblem } from '../../lib/problems.js';
import { createProvider } from '../../lib/provider/create-provider.js';
import type { CodeChecks, Provider } from '../../lib/provider/provider.js';
import type { ResolvedProvider } from '../../lib/types.js';
import type { LyingServer } from '../support/lying-server.js';

export { HandClock } from '../support/hand-clock.js';

/** Under a path, as an app behind a prefix has it. */
export const redirectUri = 'https://app.example.com/shop/callback';

export function optionsFor(server: LyingServer, changes: Partial<ResolvedProvider> = {}): ResolvedProvider {
  const { scope = 'openid profile' } = changes;
  return {
    name: 'main',
    issuer: new URL(server.issuer),
    server: undefined,
    clientId: server.clientId,
    clientSecret: server.clientSecret,
    signingKey: undefined,
    clientAuthentication: undefined,
    basicCredentialsEncoding: 'percent',
    scope,
    authorizationParams: {},
    responseType: 'code',
    responseMode: 'query',
    tokenRequestFormat: 'form',
    redirectUriInTokenRequest: true,
    idToken: scope.split(' ').includes('openid') ? true : undefined,
    userInfo: false,
    identity: undefined,
    revocation: 'refresh_token',
    endSession: undefined,
    callbackPath: undefined,
    clientMetadata: {},
    allowHttp: true,
    ...changes,
  };
}

export interface Dependencies {
  fetch?: typeof fetch;
  httpTimeoutSeconds?: number;
  clock?: Clock;
  tell?: TellProblem;
}

export function providerFor(server: LyingServer, changes: Partial<ResolvedProvider> = {}, dependencies: Dependencies = {}): Provider {
  return createProvider(optionsFor(server, changes), { fetch, httpTimeoutSeconds: 5, clock: systemClock, ...dependencies });
}

/** Until the browser stands at our callback. */
export async function goToCallback(provider: Provider, server: LyingServer): Promise<{ callback: URL; checks: CodeChecks }> {
  const checks = { state: server.secret('state'), nonce: server.secret('nonce'), codeVerifier: server.secret('verifier') };
  const url = await provider.authorizationUrl({ ...checks, redirectUri, parameters: {} });
  const response = await fetch(url, { redirect: 'manual' });
  return { callback: new URL(response.headers.get('location') ?? ''), checks };
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('This should have been refused.');
    },
    (error: unknown) => error,
  );
}

/** Everything that a logger could print of it (THREATS I2). */
export function expectNoSecretIn(value: unknown, server: LyingServer): void {
  const printed = `${inspect(value, { depth: null, showHidden: true })} ${String((value as Error).stack)}`;
  for (const secret of server.secrets) if (printed.includes(secret)) throw new Error(`a secret is told: ${secret.slice(0, 30)}`);
}
