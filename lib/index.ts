/**
 * An Express and Connect middleware for the OAuth 2.0 / OpenID Connect authorization code flow.
 * @packageDocumentation
 */
import type { IncomingMessage } from 'node:http';
import type { OAuthFetch } from './oauth-fetch.js';
import type { RequestOAuth } from './request-oauth.js';

export type { ConnectionLogin } from './authenticate.js';
export { codeFlow } from './code-flow.js';
export type { CodeFlow } from './code-flow.js';
export type { LoginParameters } from './context.js';
export {
  AccessDeniedError,
  AuthenticationRequiredError,
  CodeFlowError,
  ConfigurationError,
  LoginError,
  ProviderError,
  StoreError,
} from './errors.js';
export type { CodeFlowErrorCode, StepUp } from './errors.js';
export type { CodeFlowEvents, RefreshEvent } from './events.js';
export { handleAuthErrors } from './guards/handle-auth-errors.js';
export type { ErrorPageDetails, HandleAuthErrorsOptions } from './guards/handle-auth-errors.js';
export { requireAuth } from './guards/require-auth.js';
export type { RequireAuthOptions } from './guards/require-auth.js';
export type { OAuthFetch } from './oauth-fetch.js';
export type { OfflineGrant } from './offline-grant.js';
export type { ListedSession } from './session/session-administration.js';
export type { AnonymousOAuth, AuthenticatedOAuth, RequestOAuth } from './request-oauth.js';
export type {
  ApiOptions,
  BearerFetch,
  Claims,
  ClientAuthenticationMethod,
  CodeFlowOptions,
  EndSessionContext,
  FindProvider,
  IdentityContext,
  Middleware,
  PrivateKey,
  ProviderOptions,
  ProviderSettings,
  RouteOptions,
  ServerMetadata,
  SessionOptions,
} from './types.js';

/** A request after codeFlow(), for Connect and plain `node:http`. In Express, `req` has these members by itself. */
export type CodeFlowRequest = IncomingMessage & { oauth: RequestOAuth; oauthFetch: OAuthFetch };

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the one way that @types/express offers for adding members
  namespace Express {
    interface Request {
      /** Who is logged in, and the flows by hand. */
      oauth: RequestOAuth;
      /** `fetch` with the user's access token, for the URLs in the option `apis`; see `OAuthFetch`. */
      oauthFetch: OAuthFetch;
    }
  }
}
