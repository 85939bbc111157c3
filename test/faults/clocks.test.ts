/** FAULTS 40: the clocks of the app and of the authorization server differ. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createBrowser } from '../support/browser.js';
import { startLyingServer, type LyingServer } from '../support/lying-server.js';
import { startWorld, type World } from '../support/world.js';
import { expectNoSecretIn, goToCallback, providerFor, rejection } from '../hostile/client.js';

/** The network to a server whose clock is ahead by so much, or behind. */
const fetchFrom = (aheadSeconds: number): typeof fetch => async (input, init) => {
  const answer = await fetch(input, init);
  const headers = new Headers(answer.headers);
  headers.set('date', new Date(Date.now() + aheadSeconds * 1000).toUTCString());
  return new Response(answer.body, { status: answer.status, headers });
};

const tenMinutes = 600;

describe('FAULTS 40: an ID Token of a server whose clock', () => {
  let server: LyingServer;
  beforeEach(async () => {
    server = await startLyingServer();
  });
  afterEach(() => server.close());

  /** The claims are honest by the server's clock; a token lives five minutes there. */
  async function login(aheadSeconds: number, dateSeconds = aheadSeconds) {
    const now = Math.floor(Date.now() / 1000) + aheadSeconds;
    server.makeIdToken = (claims) => server.sign({ ...claims, iat: now, exp: now + 300 });
    const tell = jest.fn();
    const provider = providerFor(server, {}, { fetch: fetchFrom(dateSeconds), tell });
    const { callback, checks } = await goToCallback(provider, server);
    return { outcome: provider.exchangeCode(callback, checks), tell };
  }

  it.each([25, -25, 0])('is %d s ahead is good', async (ahead) => {
    const { outcome, tell } = await login(ahead);
    await expect(outcome).resolves.toMatchObject({ claims: { sub: 'alice' } });
    expect(tell).not.toHaveBeenCalled();
  });

  it.each([
    [tenMinutes, /^the clock of the authorization server "main" is (59[5-9]|60[0-5]) s ahead of ours/],
    [-tenMinutes, /^the clock of the authorization server "main" is (59[5-9]|60[0-5]) s behind ours/],
  ])('is %d s ahead ends the login with a code of its own, and whoever runs the app is told', async (ahead, message) => {
    const { outcome, tell } = await login(ahead);
    const error = await rejection(outcome);
    expect(error).toMatchObject({ name: 'LoginError', code: 'ERR_CODE_FLOW_CLOCK_SKEW', status: 400, message: expect.stringMatching(message) });
    expectNoSecretIn(error, server);
    expect(tell.mock.calls).toEqual([['ERR_CODE_FLOW_CLOCK_SKEW', expect.stringMatching(message), 'clock of main']]);
  });

  it('agrees with ours, and that is over all the same, is a wrong token', async () => {
    const { outcome, tell } = await login(-tenMinutes, 0);
    expect(await rejection(outcome)).toMatchObject({ code: 'ERR_CODE_FLOW_ID_TOKEN_INVALID' });
    expect(tell).not.toHaveBeenCalled();
  });

  it('is not known, and that is yet to be issued, is a matter of the clocks', async () => {
    const { outcome } = await login(tenMinutes, 0);
    expect(await rejection(outcome)).toMatchObject({ code: 'ERR_CODE_FLOW_CLOCK_SKEW' });
  });
});

describe('FAULTS 40: an app', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ account: 'alice' });
  });
  afterAll(() => world.close());

  it('tells once a minute that the clocks differ, and goes on with tokens that say how long they live', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const app = await world.app('express5', { options: { fetch: fetchFrom(tenMinutes) } });
    const problems: { code: string; message: string }[] = [];
    app.auth.on('configuration.problem', (problem) => problems.push(problem));
    for (const browser of [createBrowser(), createBrowser()]) expect((await browser.get(`${app.baseUrl}/private`)).status).toBe(200);
    expect(problems).toEqual([{ code: 'ERR_CODE_FLOW_CLOCK_SKEW', message: expect.stringContaining('ahead of ours: one of both needs NTP') }]);
    expect(warned.mock.calls).toEqual([[problems[0]!.message, { code: 'ERR_CODE_FLOW_CLOCK_SKEW' }]]);
    warned.mockRestore();
  });
});
