/** The authorization server's answer as it came: in the query or, with `form_post`, in the body. */
import { LoginError } from '../errors.js';
import { readForm } from '../form-body.js';
import type { Request, ResolvedOptions } from '../types.js';
import { appUrl, callbackPathOf, queryOf } from '../urls.js';

export interface CallbackAnswer {
  readonly parameters: URLSearchParams;
  readonly byPost: boolean;
  /** Where it arrived, as we would have sent it away: made of `baseUrl`, never of the Host header (THREATS A15). */
  readonly redirectUri: string;
}

const LONGEST_QUERY = 16_384;
const ONCE = ['code', 'state', 'iss', 'error', 'error_description', 'session_state', 'id_token', 'response'];

/** Each parameter at most once: who takes the last of two is told which by an attacker (THREATS A8). */
export async function readAnswer(req: Request, options: ResolvedOptions): Promise<CallbackAnswer> {
  const byPost = req.method === 'POST';
  const path = callbackPathOf(req, options);
  const parameters = byPost ? await formOf(req) : queryParameters(req);
  if (path === undefined || parameters === undefined || ONCE.some((name) => parameters.getAll(name).length > 1)) {
    throw new LoginError('ERR_CODE_FLOW_CALLBACK_INVALID', 'the answer of the authorization server is not one: repeated parameters, or too long');
  }
  return { parameters, byPost, redirectUri: appUrl(options.baseUrl, options.basePath, path) };
}

function queryParameters(req: Request): URLSearchParams | undefined {
  return req.method === 'GET' && (req.url ?? '').length <= LONGEST_QUERY ? queryOf(req) : undefined;
}

/** Parameters in both places would be two answers in one. */
async function formOf(req: Request): Promise<URLSearchParams | undefined> {
  return queryOf(req).size === 0 ? readForm(req) : undefined;
}
