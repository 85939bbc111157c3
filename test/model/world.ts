/** Everything that one history is made of, and the requests that its users make. */
import type { GrantStore } from '../../lib/grants/grant-store.js';
import { CodeFlowError } from '../../lib/errors.js';
import type { Grant, UsableToken } from '../../lib/grants/grant.js';
import { Faults, drawProfile, type Profile } from './faults.js';
import { Random } from './random.js';
import type { SimulatedProcess } from './simulated-process.js';
import { SimulatedServer } from './simulated-server.js';
import { VirtualTime } from './virtual-time.js';
import { Witness } from './witness.js';

export interface Login {
  readonly grantId: string;
  readonly witness: Witness;
  /** While it is there, requests are made by a user who is logged in. */
  sessionExists: boolean;
}

/** Store outage, token call and waiting together: nobody waits longer. */
const LONGEST_WAIT_MS = 6200;
/** A token that a process knows is used without asking the store for this long after the session was seen. */
const VOUCHED_FOR_MS = 1000;

export class World {
  readonly random: Random;
  readonly time: VirtualTime;
  readonly profile: Profile;
  readonly faults: Faults;
  readonly server: SimulatedServer;
  readonly logins: Login[] = [];
  readonly lines: string[] = [];
  /** What the history came across, by the names of events. */
  readonly reached = new Set<string>();
  /** Whose code is running: timers that it sets are its own. */
  running: SimulatedProcess | undefined;
  /** What this process sees as the store. */
  storeOf: (process: SimulatedProcess) => GrantStore = () => {
    throw new Error('no store yet');
  };

  constructor(
    readonly seed: number,
    readonly tracing: boolean,
  ) {
    this.random = new Random(seed);
    this.time = new VirtualTime(this.random);
    this.profile = drawProfile(this.random);
    this.faults = new Faults(this.random, this.time, this.profile);
    this.server = new SimulatedServer(this.time, this.profile);
  }

  readonly trace = (text: string): void => {
    if (this.tracing) this.lines.push(`${String(this.time.now).padStart(7)} ${text}`);
  };

  login(grantId: string): Login {
    return this.logins.find((login) => login.grantId === grantId)!;
  }

  /** Tokens carry the name of their login. */
  loginOf(token: string): Login {
    return this.logins.find(({ witness }) => token.startsWith(`${witness.family.id}.`))!;
  }

  /** A user logs in, on this process. */
  async startLogin(process: SimulatedProcess, name: string, grantId: string): Promise<void> {
    const family = this.server.login(name);
    const witness = new Witness(this.server, family, this.trace);
    const login = { grantId, witness, sessionExists: true };
    this.logins.push(login);
    await process.manager.create(this.grantFor(process, login), this.server.answer(family.lastIssued));
    const { lifetimeSeconds } = this.profile;
    const token = { token: family.lastIssued.accessToken, ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }) };
    const endsAt = lifetimeSeconds === undefined ? undefined : this.time.now + lifetimeSeconds * 1000;
    witness.states.push({ version: 1, tokens: { accessTokens: { '': token }, refreshToken: family.lastIssued.refreshToken }, endsAt });
  }

  /** What a request that starts now knows of its login. */
  grantFor(process: SimulatedProcess, { grantId }: Login): Grant {
    const { clock, provider } = process;
    const seconds = Math.floor(clock.now() / 1000);
    return { grantId, provider, subject: 'user', expiresAt: seconds + 604_800, loginAt: seconds, confirmedAt: clock.monotonic() };
  }

  /** One use of the token by a request; answers it, or the code of the error. */
  async use(process: SimulatedProcess, login: Login, wish: { resource?: string; refusedVersion?: number; abortAfterMs?: number; grant?: Grant } = {}): Promise<UsableToken | string> {
    const { witness } = login;
    const { resource, refusedVersion, abortAfterMs, grant = this.grantFor(process, login) } = wish;
    const startedAt = this.time.now;
    const before = witness.newestServed(process.name, resource ?? '');
    const controller = new AbortController();
    if (abortAfterMs !== undefined) this.time.after(abortAfterMs, () => process.run(() => controller.abort(new Error('the caller went away'))));
    try {
      const token = await process.manager.accessToken(grant, { resource, refusedVersion, signal: controller.signal });
      this.trace(`${process.name} serves ${token.token} v${token.version}`);
      // What a process was told while it stalled is older than it can know.
      if (!process.stalledSince(0)) witness.served(process.name, token, resource ?? '', refusedVersion ?? 0, before);
      if (witness.loggedOutAt !== undefined && startedAt > witness.loggedOutAt + VOUCHED_FOR_MS) witness.violated(`${token.token} was served long after the logout`);
      return token;
    } catch (error) {
      const code = error instanceof CodeFlowError ? error.code : String(error);
      this.trace(`${process.name} answers ${code}`);
      if (!(error instanceof CodeFlowError) && !controller.signal.aborted) witness.violated(`a caller got ${String(error)}`);
      return code;
    } finally {
      if (this.time.now - startedAt > LONGEST_WAIT_MS && !process.stalledSince(startedAt)) witness.violated(`a request waited ${this.time.now - startedAt} ms`);
    }
  }

  /** As the logout route does it. */
  async logout(process: SimulatedProcess, login: Login): Promise<void> {
    const { witness } = login;
    witness.logoutsUnfinished += 1;
    try {
      const held = await process.manager.end(login.grantId);
      login.sessionExists = false;
      if (held?.refreshToken !== undefined) await process.provider.revoke(held.refreshToken, 'refresh_token').catch(() => false);
      witness.loggedOutAt ??= this.time.now;
      witness.logoutsUnfinished -= 1;
      this.trace(`${process.name} says that the logout is complete`);
    } catch (error) {
      this.trace(`${process.name} says that the logout is incomplete`);
      if (!(error instanceof CodeFlowError)) witness.violated(`a logout ended with ${String(error)}`);
    }
  }
}
