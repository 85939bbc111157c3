/** BlackBerry AtHoc, as in its document: an organisation in `acr_values`, JSON token requests, no ID Token, and a refused login that ends on its own page. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from '../http.js';
import { Departure, readJson, wrongClient, wrongGrant, type Fields } from './fields.js';
import { page } from './pages.js';
import { StrictServer, type Authorization, type Handler, type Login } from './strict-server.js';

const scope = 'openid profile athoc.iws.web.api offline_access';

export class AtHoc extends StrictServer {
  readonly organizations: ReadonlySet<string> = new Set(['red', 'blue']);
  /** Set: a confidential client. */
  readonly clientSecret: string | undefined;
  protected readonly authorizePaths = ['/AuthServices/Auth/connect/authorize'];
  protected readonly endpoints: Readonly<Record<string, Handler>> = {
    'POST /AuthServices/Auth/connect/token': (req, res) => this.#token(req, res),
  };

  constructor({ clientSecret }: { clientSecret?: string } = {}) {
    super({ accessTokenSeconds: 3600 });
    this.clientSecret = clientSecret;
  }

  protected checkAuthorization(fields: Fields): Authorization {
    const redirectUri = this.checkRedirectUri(fields);
    fields.only('response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'acr_values', 'code_challenge', 'code_challenge_method');
    fields.expect('response_type', 'code');
    fields.expect('scope', scope);
    const organization = /^tenant:(.+)$/.exec(fields.need('acr_values'))?.[1];
    if (organization === undefined) throw new Departure('acr_values is not tenant:<org_code>');
    const detail = { organization };
    return { redirectUri, scope, state: fields.need('state'), codeChallenge: this.checkS256(fields), detail };
  }

  /** "If the credentials or organization code are invalid, the browser displays HTTP status code 400": nothing comes back to the app. */
  protected override wrongCredentials(res: ServerResponse): void {
    page(res, 400, '<h1>Bad Request</h1>');
  }

  protected override refuseAuthorization(res: ServerResponse): void {
    page(res, 400, '<h1>Bad Request</h1>');
  }

  protected override accepts({ detail }: Authorization): boolean {
    return this.organizations.has(detail?.['organization'] ?? '');
  }

  async #token(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.headers.authorization !== undefined) throw wrongClient('the request has no Authorization header');
    const fields = await readJson(req);
    this.#authenticate(fields);
    if (fields.expect('grant_type', 'authorization_code', 'refresh_token') === 'refresh_token') return this.#refresh(res, fields);
    fields.only('grant_type', 'code', 'redirect_uri', 'client_id', 'code_verifier', 'client_secret');
    const login = this.redeem(fields);
    if (fields.need('redirect_uri') !== login.redirectUri) throw wrongGrant('redirect_uri is not the one of the authorization request');
    this.#answer(res, login);
  }

  /** The document gives a refresh token and does not say how it is used: as in RFC 6749 §6, and written like the other token request. */
  #refresh(res: ServerResponse, fields: Fields): void {
    fields.only('grant_type', 'refresh_token', 'client_id', 'client_secret');
    const login = this.refreshed(fields);
    if (login === undefined) return sendJson(res, 400, { error: 'invalid_grant' });
    this.refreshTokens.get(fields.need('refresh_token'))!.spent = true;
    this.#answer(res, login);
  }

  #answer(res: ServerResponse, login: Login): void {
    sendJson(res, 200, {
      expires_in: this.settings.accessTokenSeconds,
      token_type: 'Bearer',
      refresh_token: this.newRefreshToken(login),
      access_token: this.newAccessToken(login),
    });
  }

  #authenticate(fields: Fields): void {
    if (fields.need('client_id') !== this.clientId) throw wrongClient('client_id is wrong');
    if (this.clientSecret === undefined) return fields.without('client_secret', 'a public client has none');
    if (fields.need('client_secret') !== this.clientSecret) throw wrongClient('client_secret is wrong');
  }
}
