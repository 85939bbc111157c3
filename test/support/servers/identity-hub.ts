/** The Identity Hub, as in its document: trailing slashes, a new refresh token with every refresh, a revocation of access tokens alone. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Departure, readForm, wrongClient, wrongGrant, type Fields } from './fields.js';
import { idTokenOf } from './id-tokens.js';
import { StrictServer, type Authorization, type Handler, type Login } from './strict-server.js';

export class IdentityHub extends StrictServer {
  readonly clientSecret = 'hub-secret_for.tests';
  readonly tenant = 'acme';
  /** Users whose refresh tokens are refused: blocked, or with other rights than before. */
  readonly blocked = new Set<string>();
  protected readonly authorizePaths = [`/${this.tenant}/oauth2/v1/auth/`];
  protected readonly endpoints: Readonly<Record<string, Handler>> = {
    [`POST /${this.tenant}/oauth2/v1/token/`]: (req, res) => this.#token(req, res),
    [`POST /${this.tenant}/oauth2/v1/revoke/`]: (req, res) => this.#revoke(req, res),
  };

  constructor() {
    super({ accessTokenSeconds: 3600 });
  }

  get issuer(): string {
    return `${this.origin}/${this.tenant}`;
  }

  protected checkAuthorization(fields: Fields): Authorization {
    const redirectUri = this.checkRedirectUri(fields);
    const usesOpenid = fields.need('scope').split(' ').includes('openid');
    fields.only('response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'code_challenge', 'code_challenge_method', ...(usesOpenid ? ['nonce'] : []));
    fields.expect('response_type', 'code');
    const codeChallenge = fields.optional('code_challenge') === undefined ? undefined : this.checkS256(fields);
    return { redirectUri, codeChallenge, scope: fields.need('scope'), state: fields.optional('state'), nonce: fields.optional('nonce') };
  }

  async #token(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fields = await this.#readForm(req);
    if (fields.need('client_secret') !== this.clientSecret) throw wrongClient('client_secret is wrong');
    if (fields.expect('grant_type', 'authorization_code', 'refresh_token') === 'refresh_token') return this.#refresh(res, fields);
    fields.only('grant_type', 'code', 'redirect_uri', 'client_id', 'client_secret', 'code_verifier');
    const redirectUri = fields.need('redirect_uri');
    const login = this.redeem(fields);
    if (redirectUri !== login.redirectUri) throw wrongGrant('redirect_uri is not the one of the authorization request');
    if (login.codeChallenge === undefined) fields.without('code_verifier', 'the authorization request had no challenge');
    const idToken = login.scope?.split(' ').includes('openid') === true ? { id_token: await idTokenOf(login, this) } : {};
    answer(res, 200, { ...this.#newTokens(login), ...idToken });
  }

  #refresh(res: ServerResponse, fields: Fields): void {
    fields.only('grant_type', 'refresh_token', 'client_id', 'client_secret');
    const login = this.refreshed(fields);
    if (login === undefined || this.blocked.has(login.account)) return answer(res, 400, { error: 'invalid_grant' });
    this.refreshTokens.get(fields.need('refresh_token'))!.spent = true;
    answer(res, 200, this.#newTokens(login));
  }

  #newTokens(login: Login): Record<string, unknown> {
    return {
      access_token: this.newAccessToken(login),
      token_type: 'bearer',
      expires_in: this.settings.accessTokenSeconds,
      scope: login.scope,
      refresh_token: this.newRefreshToken(login),
    };
  }

  async #revoke(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fields = await this.#readForm(req);
    fields.only('token', 'client_id', 'token_type_hint');
    fields.expect('token_type_hint', 'access_token');
    const token = this.accessTokens.get(fields.need('token'));
    if (token === undefined) throw new Departure('token is no access token of this server', { code: 'unsupported_token_type' });
    token.spent = true;
    this.counters.revocations += 1;
    answer(res, 200, {});
  }

  async #readForm(req: IncomingMessage): Promise<Fields> {
    if (req.headers.authorization !== undefined) throw wrongClient('the request has no Authorization header');
    const fields = await readForm(req);
    if (fields.need('client_id') !== this.clientId) throw wrongClient('client_id is wrong');
    return fields;
  }
}

function answer(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'Content-Type': 'application/json;charset=UTF-8', 'Cache-Control': 'no-store', Pragma: 'no-cache' });
  res.end(JSON.stringify(body));
}
