/** Processes die, stand still or are told to end at every point of a refresh. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBrowser, type Page } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { leaseMs, startFaultWorld } from '../support/fault-world.js';
import type { FaultApp, FaultWorld, Login, RefreshTokenPolicy } from '../support/fault-world.js';
import { startRefreshProcess, type RefreshPoint, type RefreshProcess } from '../support/refresh-process.js';

const policies: readonly RefreshTokenPolicy[] = ['no rotation', 'grace', 'strict'];
const worlds = new Map<RefreshTokenPolicy, FaultWorld>();
beforeAll(async () => {
  await Promise.all(policies.map(async (policy) => worlds.set(policy, await startFaultWorld({ policy }))));
  for (const policy of policies) crashEverywhere(policy);
});
afterAll(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  await Promise.all([...worlds.values()].map((world) => world.close()));
});

const processes: RefreshProcess[] = [];
/** Whatever becomes of its test, it ends with this file. */
async function started(...given: Parameters<typeof startRefreshProcess>): Promise<RefreshProcess> {
  const process = await startRefreshProcess(...given);
  processes.push(process);
  return process;
}


type CrashPoint = RefreshPoint | 'request under way, the server does not get it' | 'answer under way, the server is done';

/** What a crash there leaves behind: whether the lock stays, and whether an answer got lost. */
const points: readonly { point: CrashPoint; locked: boolean; lost: boolean }[] = [
  { point: 'request under way, the server does not get it', locked: true, lost: false },
  { point: 'answer under way, the server is done', locked: true, lost: true },
  { point: 'before ACQUIRE', locked: false, lost: false },
  { point: 'after ACQUIRE', locked: true, lost: false },
  { point: 'before the token request', locked: true, lost: false },
  { point: 'after the token answer', locked: true, lost: true },
  { point: 'before COMMIT', locked: true, lost: true },
  { point: 'after COMMIT', locked: false, lost: false },
  { point: 'after the refresh', locked: false, lost: false },
];

interface Outcome {
  died: number | string | null;
  lockLeftMs: number;
  /** What the survivor answered until it could: all but the last are 503. */
  statuses: number[];
  last: Page;
  tookMs: number;
  survivor: FaultApp;
  login: Login;
}

const outcomes = new Map<string, Promise<Outcome>>();

/** All points of one server: their leases run side by side, and each test awaits its own. */
function crashEverywhere(policy: RefreshTokenPolicy): void {
  let previous: Promise<unknown> = Promise.resolve();
  for (const { point } of points) {
    const crashed = previous.then(() => crash(worlds.get(policy)!, point));
    const recovered = crashed.then(recover);
    recovered.catch(() => undefined); // its test reports it
    outcomes.set(`${policy}: ${point}`, recovered);
    previous = crashed.catch(() => undefined);
  }
}

type Crash = Omit<Outcome, 'statuses' | 'last' | 'tookMs'>;

async function crash(world: FaultWorld, point: CrashPoint): Promise<Crash> {
  const isServerSide = point.includes('under way');
  const doomed = await started(world, isServerSide ? {} : { at: point as RefreshPoint });
  const survivor = await world.fresh({}, { direct: true });
  const login = await world.expired();
  if (isServerSide) {
    const processes = point === 'answer under way, the server is done';
    world.authorizationServer.intercept = (req, res) => {
      if (req.url !== '/token') return false;
      const die = (): void => void doomed.kill().catch(() => undefined);
      if (!processes) die();
      else {
        res.end = () => {
          die();
          return res;
        };
      }
      return !processes;
    };
  }
  const request = createBrowser().get(`${doomed.origin}/api`, { navigate: false, headers: { Cookie: login.cookie } });
  request.catch(() => undefined);
  const died = await doomed.ended;
  world.authorizationServer.intercept = undefined;
  return { died, lockLeftMs: await login.record.lockLeftMs(), survivor, login };
}

async function recover({ survivor, login, ...crashed }: Crash): Promise<Outcome> {
  const [began, statuses] = [performance.now(), [] as number[]];
  const last = await eventually(async () => {
    const page = await survivor.call(login);
    statuses.push(page.status);
    return page.status === 503 ? undefined : page;
  }, 360_000);
  return { ...crashed, survivor, login, statuses, last, tookMs: performance.now() - began };
}

describe.each(policies)('FAULTS 42–44: a server with %s: the process is killed', (policy) => {
  it.each(points)('$point', async ({ point, locked, lost }) => {
    const { died, lockLeftMs, statuses, last, tookMs, survivor, login } = await outcomes.get(`${policy}: ${point}`)!;
    expect(died).toBe('SIGKILL');
    expect([lockLeftMs > 0, lockLeftMs <= leaseMs]).toEqual([locked, true]);
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set(statuses.length > 1 ? [503] : []));
    expect(tookMs).toBeLessThan(locked ? leaseMs + 2500 : 2500);
    const endsHere = lost && policy === 'strict';
    expect(last.status).toBe(endsHere ? 401 : 200);
    const calls = point === 'after COMMIT' || point === 'after the refresh' ? 0 : 1;
    expect([survivor.count('refresh.started'), survivor.count('refresh.takeover')]).toEqual([calls, locked ? 1 : 0]);
    expect(await login.record.lockOwner()).toBeUndefined();
    if (!endsHere) {
      expect([await login.record.version(), last.json().sub]).toEqual([2, login.account]);
      return;
    }
    expect(last.json().code).toBe('ERR_CODE_FLOW_LOGIN_ENDED');
    expect((await login.browser.get(`${survivor.origin}/private`)).status).toBe(200);
    expect((await login.browser.get(`${survivor.origin}/api`, { navigate: false })).json().sub).toBe(login.account);
  }, 360_000);
});

describe('FAULTS 46: the holder of the lock stands still for longer than its lease', () => {
  const callTo = (origin: string, { cookie }: Login) => createBrowser().get(`${origin}/api`, { navigate: false, headers: { Cookie: cookie } });

  /** The sleeper has the server's answer and does nothing with it until it wakes; its lease ends meanwhile. */
  async function oversleep(world: FaultWorld) {
    const sleeper = await started(world, { at: 'after the token answer', standStillMs: 1500 });
    const [sibling, login] = [await world.fresh({}, { direct: true }), await world.expired()];
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const late = callTo(sleeper.origin, login);
    await arrived;
    await new Promise((resolve) => setTimeout(resolve, 300)); // the answer is there by now
    await login.record.pass(leaseMs / 1000);
    const first = await sibling.call(login);
    // Its own time to wait is over when it wakes.
    expect((await late).status).toBe(503);
    return { sleeper, sibling, login, first };
  }

  it('grace: the first commit stays, the late one is dropped and not revoked', async () => {
    const world = worlds.get('grace')!;
    const { revocations } = world.authorizationServer.counters;
    const { sleeper, sibling, login, first } = await oversleep(world);
    expect([first.status, sibling.count('refresh.takeover')]).toEqual([200, 1]);
    expect((await callTo(sleeper.origin, login)).json().jti).toBe(first.json().jti);
    expect(sleeper.events.map(({ event }) => event)).toContain('refresh.stale');
    expect([await login.record.version(), world.authorizationServer.counters.revocations]).toEqual([2, revocations]);
    await login.record.expireTokens();
    expect((await (await world.fresh({}, { direct: true })).call(login)).status).toBe(200);
  }, 360_000);

  it('strict: one clean login, and nothing of the late answer is stored', async () => {
    const { sleeper, sibling, login, first } = await oversleep(worlds.get('strict')!);
    expect([first.status, (await callTo(sleeper.origin, login)).status]).toEqual([401, 401]);
    expect(await login.record.fields()).toEqual({ v: '1', end: 'refused' });
    expect((await login.browser.get(`${sibling.origin}/private`)).status).toBe(200);
    expect((await login.browser.get(`${sibling.origin}/api`, { navigate: false })).json().sub).toBe(login.account);
  }, 360_000);
});

describe('FAULTS 45: the process is told to end', () => {
  it('SIGTERM with a refresh in flight: the request is answered, the refresh is stored, the process ends by itself', async () => {
    const world = worlds.get('strict')!;
    const process = await started(world);
    const login = await world.expired();
    const release = gate();
    world.authorizationServer.plan.push({ grantType: 'refresh_token', until: release.opened });
    const arrived = world.authorizationServer.tokenEndpoint.nextRequest();
    const request = createBrowser().get(`${process.origin}/api`, { navigate: false, headers: { Cookie: login.cookie } });
    await arrived;
    process.terminate();
    await eventually(() => createBrowser().get(`${process.origin}/public`).then(() => false, () => true));
    release.open();
    const answer = await request;
    expect([answer.status, await process.ended, await login.record.version()]).toEqual([200, 0, 2]);
    expect((await (await world.fresh({}, { direct: true })).call(login)).json().jti).toBe(answer.json().jti);
  });
});
