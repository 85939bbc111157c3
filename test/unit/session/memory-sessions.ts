/** Sessions over keys in memory, a clock that stands still, and the requests of a browser that has some cookie. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StoreError } from '../../../lib/errors.js';
import { createEvents } from '../../../lib/events.js';
import { resolveOptions } from '../../../lib/options.js';
import { createSealer } from '../../../lib/seal.js';
import type { LoginRecord } from '../../../lib/session/login-record.js';
import { memorySessionKeys } from '../../../lib/session/memory-session-keys.js';
import type { RequestSession } from '../../../lib/session/opened-session.js';
import type { SessionKeys } from '../../../lib/session/session-keys.js';
import { createSessions, type Sessions } from '../../../lib/session/session-middleware.js';
import type { CodeFlowOptions } from '../../../lib/types.js';
import { exchange, HandClock, loginRecord, pairOf } from './support.js';

const secret = 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa';

export const down = new StoreError('ERR_CODE_FLOW_STORE_TIMEOUT', 'the store is down');

interface Visit {
  req: IncomingMessage;
  res: ServerResponse;
  setCookies: () => string[];
  session: RequestSession;
}

export class MemorySessions {
  readonly clock = new HandClock();
  /** Every command, in order. */
  asked: string[] = [];
  /** Commands that fail. */
  readonly broken = new Set<keyof SessionKeys>();
  readonly told: { code: string; message: string }[] = [];
  keys = this.#watched(memorySessionKeys(this.clock));

  #watched(inner: SessionKeys): SessionKeys {
    const all = Object.entries(inner).map(([name, command]) => [
      name,
      (...given: unknown[]) => {
        this.asked.push(name);
        return this.broken.has(name as keyof SessionKeys) ? Promise.reject(down) : (command as (...all: unknown[]) => unknown)(...given);
      },
    ]);
    return Object.fromEntries(all) as SessionKeys;
  }

  create(change: Partial<CodeFlowOptions> = {}): Sessions {
    const given = { provider: { issuer: 'https://id.example.com', clientId: 'web' }, baseUrl: 'https://app.example.com', secret, ...change } as CodeFlowOptions;
    const parts = { keys: this.keys, sealer: createSealer([secret]), clock: this.clock, events: createEvents() };
    return createSessions({ options: resolveOptions(given, {}), ...parts, tell: (code, message) => this.told.push({ code, message }) });
  }

  async visit(sessions: Sessions, cookie?: string, headers: Record<string, string> = {}): Promise<Visit> {
    const { req, res, setCookies } = exchange(cookie);
    Object.assign(req.headers, headers);
    return { req, res, setCookies, session: await sessions.open(req, res) };
  }

  record(change: Partial<LoginRecord> = {}): LoginRecord {
    return loginRecord({ loginAt: this.clock.seconds, expiresAt: this.clock.seconds + 604_800, ...change });
  }

  /** Answers the cookie of the new session. */
  async logIn(sessions: Sessions, cookie?: string, login = this.record(), headers: Record<string, string> = {}): Promise<string> {
    const { session, setCookies } = await this.visit(sessions, cookie, headers);
    await session.startLogin(login);
    return pairOf(setCookies()[0]!);
  }

  async stateOf(sessions: Sessions, cookie: string): Promise<RequestSession['state']> {
    return (await this.visit(sessions, cookie)).session.state;
  }
}
