/** Aidbox's `/oauth2` endpoints, as in their document: two forms of the token request; tokens that neither say when they end nor can be refreshed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from '../http.js';
import { Departure, basicCredentials, hasType, readForm, readJson, wrongClient, wrongGrant, type Fields } from './fields.js';
import { idTokenOf } from './id-tokens.js';
import { StrictServer, type Authorization, type Handler } from './strict-server.js';

/**
 * The documents know neither PKCE nor a nonce. RFC 6749 §3.1 and §3.2 have a server ignore what it does not know, RFC 7636 §5 builds on that, and
 * these are the parameters that every app sends for its own protection: they alone are ignored.
 */
const ignoredAtAuthorize = ['code_challenge', 'code_challenge_method'];
const ignoredAtToken = ['code_verifier'];

export class AidboxOAuth2 extends StrictServer {
  readonly clientSecret = 'aidbox-secret_for.tests';
  /** How the token requests were written. */
  readonly tokenRequests = { form: 0, json: 0 };
  protected readonly authorizePaths = ['/oauth2/authorize'];
  protected readonly endpoints: Readonly<Record<string, Handler>> = { 'POST /oauth2/token': (req, res) => this.#token(req, res) };

  constructor() {
    super({ accessTokenSeconds: 3600 });
  }

  get issuer(): string {
    return this.origin;
  }

  protected checkAuthorization(fields: Fields): Authorization {
    fields.expect('client_id', this.clientId);
    const redirectUri = fields.optional('redirect_uri') === undefined ? this.firstRedirectUri : this.checkRedirectUri(fields);
    if (redirectUri === undefined) throw new Departure('the client has no redirect_uri');
    const responseType = fields.expect('response_type', 'code', 'code id_token', 'id_token code');
    const scope = fields.optional('scope');
    if (responseType !== 'code' && scope?.split(' ').includes('openid') !== true) throw new Departure('scope must contain openid for an id_token');
    // The nonce belongs to OpenID Connect, and comes back in the ID Token (Core §2).
    fields.only('state', 'scope', 'response_type', 'client_id', 'redirect_uri', ...(responseType === 'code' ? [] : ['nonce']), ...ignoredAtAuthorize);
    return { redirectUri, scope, responseType, state: fields.optional('state'), nonce: fields.optional('nonce') };
  }

  async #token(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fields = hasType(req, 'application/json') ? await this.#readJsonRequest(req) : await this.#readFormRequest(req);
    fields.expect('grant_type', 'authorization_code');
    const login = this.redeem(fields);
    // "REQUIRED if specified in previous step"; the apps of these tests always do.
    if (fields.need('redirect_uri') !== login.redirectUri) throw wrongGrant('redirect_uri is not the one of the authorization request');
    const wantsIdToken = login.responseType !== 'code';
    sendJson(res, 200, {
      access_token: this.newAccessToken(login),
      token_type: 'bearer',
      ...(wantsIdToken ? { id_token: await idTokenOf(login, this) } : {}),
    });
  }

  async #readJsonRequest(req: IncomingMessage): Promise<Fields> {
    this.tokenRequests.json += 1;
    if (req.headers.authorization !== undefined) throw wrongClient('the JSON request has no Authorization header');
    const fields = await readJson(req);
    fields.only('client_id', 'client_secret', 'code', 'grant_type', 'redirect_uri', ...ignoredAtToken);
    this.#check(fields.need('client_id'), fields.need('client_secret'));
    return fields;
  }

  async #readFormRequest(req: IncomingMessage): Promise<Fields> {
    this.tokenRequests.form += 1;
    const fields = await readForm(req);
    const basic = basicCredentials(req);
    if (basic === undefined) throw wrongClient('the form-encoded request needs HTTP Basic');
    fields.only('grant_type', 'code', 'redirect_uri', ...ignoredAtToken);
    this.#check(basic.clientId, basic.clientSecret);
    return fields;
  }

  #check(clientId: string, clientSecret: string): void {
    if (clientId !== this.clientId || clientSecret !== this.clientSecret) throw wrongClient('client_id or client_secret is wrong');
  }
}
