/** Counts token requests as they arrive and lets the test disturb them; whoever is left alone meets the real endpoint. */
import { createHash } from 'node:crypto';
import { IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { watch } from '../disclosure/watch.js';
import { readBody } from '../http.js';

/** What happens to one token request. Plans are used up in order. */
export interface TokenPlan {
  /** Only for requests with this grant type; others pass it by. */
  grantType?: 'authorization_code' | 'refresh_token';
  /** Wait before anything else. */
  delayMs?: number;
  /** Wait for this before anything else: for tests that decide the moment. */
  until?: Promise<unknown>;
  /** Answer with this status and do not process the request. */
  status?: number;
  body?: Readonly<Record<string, unknown>> | string;
  headers?: Readonly<Record<string, string>>;
  /** Process the request, codes and refresh tokens are then used up, and cut the connection or keep the answer back until then. */
  afterProcessing?: 'reset' | Promise<unknown>;
}

export type RequestProcessor = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export class TokenEndpoint {
  readonly plan: TokenPlan[] = [];
  /** By grant type, when they arrive. */
  readonly requests = { authorization_code: 0, refresh_token: 0 };
  /** Refresh requests that bring a token which another request brought before. */
  reusedRefreshTokens = 0;
  /** The most token requests that were under way at the same time. */
  concurrencyPeak = 0;
  #underWay = 0;
  readonly #seen = new Set<string>();
  #waiting: (() => void)[] = [];

  /** Resolves when the next token request arrives. */
  nextRequest(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async handle(req: IncomingMessage, res: ServerResponse, process: RequestProcessor): Promise<void> {
    const body = await readBody(req);
    const planned = this.#arrived(new URLSearchParams(body.toString()));
    this.#underWay += 1;
    this.concurrencyPeak = Math.max(this.concurrencyPeak, this.#underWay);
    res.once('close', () => (this.#underWay -= 1));
    if (planned.delayMs !== undefined) await setTimeout(planned.delayMs);
    await planned.until;
    if (planned.status !== undefined) {
      answer(res, planned.status, planned);
      return;
    }
    if (planned.afterProcessing !== undefined) interceptEnd(res, planned.afterProcessing);
    await process(withBody(req, body), res);
  }

  #arrived(parameters: URLSearchParams): TokenPlan {
    const grantType = parameters.get('grant_type');
    watch.secrets.learn('code verifier', parameters.get('code_verifier') ?? '');
    if (grantType === 'authorization_code' || grantType === 'refresh_token') this.requests[grantType] += 1;
    this.#watchReuse(parameters.get('refresh_token'));
    for (const resolve of this.#waiting.splice(0)) resolve();
    const index = this.plan.findIndex((plan) => plan.grantType === undefined || plan.grantType === grantType);
    return index === -1 ? {} : this.plan.splice(index, 1)[0]!;
  }

  #watchReuse(refreshToken: string | null): void {
    if (refreshToken === null) return;
    const hash = createHash('sha256').update(refreshToken).digest('base64url');
    if (this.#seen.has(hash)) this.reusedRefreshTokens += 1;
    this.#seen.add(hash);
  }
}

function answer(res: ServerResponse, status: number, { body, headers }: TokenPlan): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? { error: status >= 500 ? 'server_error' : 'invalid_request' });
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
  res.end(text);
}

/** oidc-provider writes head and body with this one call, so nothing has left before it. */
function interceptEnd(res: ServerResponse, then: 'reset' | Promise<unknown>): void {
  const end = res.end.bind(res) as (...all: unknown[]) => ServerResponse;
  res.end = ((...all: unknown[]) => {
    if (then === 'reset') res.socket?.resetAndDestroy();
    // Nobody waits for this: the test that gave the promise decides when it resolves.
    else then.then(() => end(...all)).catch((error: unknown) => res.destroy(error as Error));
    return res;
  }) as typeof res.end;
}

/** The same request once more, its body not yet read. */
function withBody(req: IncomingMessage, body: Buffer): IncomingMessage {
  const copy = new IncomingMessage(req.socket);
  const { method, url, headers, rawHeaders, httpVersion, httpVersionMajor, httpVersionMinor } = req;
  Object.assign(copy, { method, url, headers, rawHeaders, httpVersion, httpVersionMajor, httpVersionMinor, complete: true });
  copy.push(body);
  copy.push(null);
  return copy;
}
