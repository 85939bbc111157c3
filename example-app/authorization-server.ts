/** A real authorization server for the demo: oidc-provider with a login form that believes every user name. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import './quiet-oidc-provider.js';
import { Provider, errors, type Configuration, type Grant, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import { errorPage, interactionRoutes, signOutPage, signedOutPage } from './authorization-server-pages.js';

interface AuthorizationServerConfig {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Of the app. */
  baseUrl: string;
  apiAudience: string;
  accessTokenSeconds: number;
}

export function createAuthorizationServer(config: AuthorizationServerConfig): RequestListener {
  const provider = new Provider(config.issuer, configuration(config));
  return interactionRoutes(provider, config.baseUrl);
}

function configuration({ clientId, clientSecret, baseUrl, apiAudience, accessTokenSeconds }: AuthorizationServerConfig): Configuration {
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [`${baseUrl}/callback`],
        post_logout_redirect_uris: [`${baseUrl}/`],
        require_auth_time: true,
      },
    ],
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')], names: { session: 'as_session', interaction: 'as_interaction', resume: 'as_resume' } },
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: displayName(sub), email: `${sub}@example.com` }) }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    expiresWithSession: () => false,
    loadExistingGrant: grantEverything,
    ttl: { AccessToken: accessTokenSeconds, AuthorizationCode: 60, IdToken: 3600, Interaction: 3600, Session: 86_400, Grant: 604_800, RefreshToken: 604_800 },
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      rpInitiatedLogout: { enabled: true, logoutSource: signOutPage, postLogoutSuccessSource: signedOutPage },
      // Access tokens are JWTs for one API, which can verify them by itself (RFC 8707, RFC 9068).
      resourceIndicators: {
        enabled: true,
        defaultResource: () => apiAudience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (resource !== apiAudience) throw new errors.InvalidTarget();
          return { audience: apiAudience, scope: 'orders:read', accessTokenFormat: 'jwt', accessTokenTTL: accessTokenSeconds, jwt: { sign: { alg: 'RS256' } } };
        },
      },
    },
  };
}

function signingKey(): JWK {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), use: 'sig', alg: 'RS256' };
}

function displayName(account: string): string {
  return account.charAt(0).toUpperCase() + account.slice(1);
}

/** Our own app needs no consent: whatever it asks for is granted. */
async function grantEverything({ oidc }: KoaContextWithOIDC): Promise<Grant> {
  const clientId = oidc.client!.clientId;
  const known = oidc.session!.grantIdFor(clientId);
  const existing = known === undefined ? undefined : await oidc.provider.Grant.find(known);
  const grant = existing ?? new oidc.provider.Grant({ clientId, accountId: oidc.session!.accountId! });
  grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(' '));
  for (const [resource, { scopes }] of Object.entries(oidc.resourceServers ?? {})) {
    grant.addResourceScope(resource, [...oidc.requestParamScopes].filter((scope) => scopes.has(scope)).join(' '));
  }
  await grant.save();
  return grant;
}
