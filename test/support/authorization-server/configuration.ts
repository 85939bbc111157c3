/** How the real oidc-provider of the tests is set up: strict, rotating, JWT access tokens for one API. */
import { generateKeyPairSync } from 'node:crypto';
import { errors, type Configuration, type Grant, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import type { Store } from './store.js';

/** What a test may change, also while the server runs. */
export interface Settings {
  /** Seconds. Default 60. */
  accessTokenTtl: number;
  /** Default: yes, also without `offline_access`; many servers do. */
  issueRefreshTokens: boolean;
  /** Default: yes. A used refresh token that comes back then ends its whole family (RFC 9700 §4.14.2). */
  rotateRefreshToken: boolean;
  /** Whoever comes is logged in as this account, without a form. `login_hint` goes first. */
  account: string | undefined;
  /** The error with which every login ends, such as `access_denied`. */
  refuseLogin: string | undefined;
  /** The identifiers of the APIs; the first is meant when nobody names one (RFC 8707). */
  resources: readonly string[];
  /** The scopes that an API knows, space-separated. */
  resourceScope: string;
}

export const apiAudience = 'https://api.example.test/';

export const defaultSettings: Settings = {
  accessTokenTtl: 60,
  issueRefreshTokens: true,
  rotateRefreshToken: true,
  account: undefined,
  refuseLogin: undefined,
  resources: [apiAudience],
  resourceScope: 'orders:read orders:write',
};

let signingKey: JWK | undefined;

/** One for the process: making it takes long. */
export function testSigningKey(): JWK {
  signingKey ??= { ...(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }) as JWK), use: 'sig', alg: 'RS256' };
  return signingKey;
}

export function providerConfiguration(settings: Settings, store: Store, signingKeys: readonly JWK[]): Configuration {
  return {
    adapter: store.adapter,
    jwks: { keys: signingKeys },
    cookies: { keys: ['signs the cookies of the tests'], names: { session: 'as_session', interaction: 'as_interaction', resume: 'as_resume' } },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    acrValues: ['bronze', 'silver', 'gold'],
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: displayName(sub), email: `${sub}@example.test`, email_verified: true }) }),
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    responseTypes: ['code', 'code id_token'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
    rotateRefreshToken: () => settings.rotateRefreshToken,
    // Without prompt=consent oidc-provider drops offline_access (OpenID Connect Core §11): do not insist on it.
    issueRefreshToken: (_ctx, client) => settings.issueRefreshTokens && client.grantTypeAllowed('refresh_token'),
    // Tokens end by revocation or in time, not with the user's session at the server: so that a missing revocation shows.
    expiresWithSession: () => false,
    loadExistingGrant: grantEverything,
    ttl: { AccessToken: () => settings.accessTokenTtl, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 86_400, Grant: 86_400, RefreshToken: 86_400 },
    renderError: (ctx, out) => void (ctx.body = { ...out }),
    // Without its guard against addresses of the inner network: the apps live there.
    fetch: (url, { method, headers, body, redirect }: RequestInit = {}) => fetch(url, { method: method!, headers: headers!, body: body!, redirect: redirect! }),
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      userinfo: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: confirmLogout, postLogoutSuccessSource: (ctx) => void (ctx.body = 'Signed out at the authorization server.') },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? settings.resources[0]!,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (!settings.resources.includes(resource)) throw new errors.InvalidTarget();
          return { audience: resource, scope: settings.resourceScope, accessTokenFormat: 'jwt', accessTokenTTL: settings.accessTokenTtl, jwt: { sign: { alg: 'RS256' } } };
        },
      },
    },
  };
}

function displayName(account: string): string {
  return account.charAt(0).toUpperCase() + account.slice(1);
}

/** Our own apps need no consent: whatever they ask for is granted. The grant is shared by the logins of one browser, as usual. */
async function grantEverything({ oidc }: KoaContextWithOIDC): Promise<Grant> {
  const { session, client, provider } = oidc;
  const clientId = client!.clientId;
  const known = session?.grantIdFor(clientId);
  const existing = known === undefined ? undefined : await provider.Grant.find(known);
  const grant = existing?.accountId === session?.accountId && existing !== undefined ? existing : new provider.Grant({ clientId, accountId: session!.accountId! });
  grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(' '));
  for (const [resource, { scopes }] of Object.entries(oidc.resourceServers ?? {})) {
    grant.addResourceScope(resource, [...oidc.requestParamScopes].filter((scope) => scopes.has(scope)).join(' '));
  }
  await grant.save();
  return grant;
}

/** RP-Initiated Logout §2 lets the server ask the user; this one answers for them. */
function confirmLogout(ctx: KoaContextWithOIDC, form: string): void {
  const confirmed = form.replace('</form>', '<input type="hidden" name="logout" value="yes"/></form>');
  ctx.body = `<!DOCTYPE html><title>Signing out</title><body onload="document.forms[0].submit()">${confirmed}</body>`;
}
