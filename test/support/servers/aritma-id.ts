/** Aritma ID, as in its document: a tenant in the path, form-encoded token requests, refreshes that hand out no new refresh token. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from '../http.js';
import { Departure, basicCredentials, readForm, wrongClient, wrongGrant, type Fields } from './fields.js';
import { idTokenOf } from './id-tokens.js';
import { StrictServer, type Authorization, type Handler, type Login } from './strict-server.js';

export class AritmaId extends StrictServer {
  readonly clientSecret = 'aritma-secret_for.tests';
  readonly tenants = ['acme', 'globex'] as const;
  /** How the app authenticated last. */
  clientAuthentication: 'client_secret_basic' | 'client_secret_post' | undefined;
  /** Logins that asked for the second factor again. */
  mfaLogins = 0;
  protected readonly authorizePaths = this.tenants.map((tenant) => `/${tenant}/connect/authorize`);
  protected readonly endpoints: Readonly<Record<string, Handler>> = Object.fromEntries(
    this.tenants.map((tenant): [string, Handler] => [`POST /${tenant}/connect/token`, (req, res) => this.#token(req, res, tenant)]),
  );

  constructor() {
    super({ accessTokenSeconds: 86_400 });
  }

  issuerOf(tenant: string): string {
    return `${this.origin}/${tenant}`;
  }

  protected checkAuthorization(fields: Fields, path: string): Authorization {
    const redirectUri = this.checkRedirectUri(fields);
    // The document's table, PKCE from the page that it links to, and the nonce of OpenID Connect, whose scopes it offers.
    fields.only(...['scope', 'response_type', 'client_id', 'state', 'redirect_uri', 'prompt', 'acr_values'], ...['code_challenge', 'code_challenge_method', 'nonce']);
    fields.expect('response_type', 'code');
    const scope = fields.need('scope');
    const prompt = fields.optional('prompt') === undefined ? undefined : fields.expect('prompt', 'none', 'login');
    if (fields.optional('acr_values') !== undefined) {
      fields.expect('acr_values', 'mfa');
      if (prompt !== 'login') throw new Departure('acr_values=mfa must come together with prompt=login');
      this.mfaLogins += 1;
    }
    const codeChallenge = fields.optional('code_challenge') === undefined ? undefined : this.checkS256(fields);
    const detail = { tenant: path.split('/')[1]! };
    return { redirectUri, scope, prompt, codeChallenge, state: fields.optional('state'), nonce: fields.optional('nonce'), detail };
  }

  async #token(req: IncomingMessage, res: ServerResponse, tenant: string): Promise<void> {
    const fields = await readForm(req);
    this.#authenticate(req, fields);
    if (fields.expect('grant_type', 'authorization_code', 'refresh_token') === 'refresh_token') return this.#refresh(res, fields, tenant);
    fields.only('grant_type', 'client_id', 'client_secret', 'code', 'redirect_uri', 'code_verifier');
    const login = this.redeem(fields);
    if (fields.need('redirect_uri') !== login.redirectUri) throw wrongGrant('redirect_uri is not the one of the authorization request');
    checkTenant(login, tenant);
    const scopes = login.scope?.split(' ') ?? [];
    sendJson(res, 200, {
      access_token: this.newAccessToken(login, `eyJ${crypto.randomUUID()}`),
      ...(scopes.includes('offline_access') ? { refresh_token: this.newRefreshToken(login) } : {}),
      ...(scopes.includes('openid') ? { id_token: await idTokenOf(login, { issuer: this.issuerOf(tenant), clientId: this.clientId }) } : {}),
      token_type: 'Bearer',
      expires_in: this.settings.accessTokenSeconds,
    });
  }

  #refresh(res: ServerResponse, fields: Fields, tenant: string): void {
    fields.only('grant_type', 'client_id', 'client_secret', 'refresh_token');
    const login = this.refreshed(fields);
    if (login === undefined) return sendJson(res, 400, { error: 'invalid_grant' });
    checkTenant(login, tenant);
    const access_token = this.newAccessToken(login, `eyJ${crypto.randomUUID()}`);
    sendJson(res, 200, { access_token, token_type: 'Bearer', expires_in: this.settings.accessTokenSeconds, scope: login.scope });
  }

  /** In the body or by HTTP Basic, never both (RFC 6749 §2.3). */
  #authenticate(req: IncomingMessage, fields: Fields): void {
    const basic = basicCredentials(req);
    if (basic !== undefined) fields.without('client_secret', 'the client authenticates by HTTP Basic already');
    const { clientId, clientSecret } = basic ?? { clientId: fields.need('client_id'), clientSecret: fields.need('client_secret') };
    this.clientAuthentication = basic === undefined ? 'client_secret_post' : 'client_secret_basic';
    if (clientId !== this.clientId || clientSecret !== this.clientSecret) throw wrongClient('client_id or client_secret is wrong');
  }
}

function checkTenant({ detail }: Login, tenant: string): void {
  if (detail?.['tenant'] !== tenant) throw wrongGrant('it was given out by another tenant');
}
