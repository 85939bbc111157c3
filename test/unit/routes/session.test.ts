import { describe, expect, it } from '@jest/globals';
import { renewsSession, sessionRoute } from '../../../lib/routes/session.js';
import { alice, down, loggedIn, nobody, stage, unknown, visit } from './support.js';

function ask(state: Parameters<ReturnType<typeof stage>['session']>[0], idleLeftSeconds: number | undefined, method = 'GET') {
  const { settings, session } = stage();
  const { req, res, answer } = visit('/session', { method });
  const passed: unknown[] = [];
  sessionRoute(settings, req, res, session(state, { idleLeftSeconds }), (error) => passed.push(error));
  return { passed, now: settings.clock.seconds, ...answer(), json: () => JSON.parse(answer().text) as unknown };
}

describe('the session route', () => {
  it.each(['GET', 'HEAD'])('tells %s who is logged in, for how long, and no claim but those that the app named', (method) => {
    const login = { ...alice, claims: { sub: 'alice', name: 'Alice', secret: 'x' } };
    const answer = ask({ kind: 'authenticated', login }, 100, method);
    expect(answer.json()).toEqual({
      authenticated: true, subject: 'alice', provider: 'default', claims: { name: 'Alice' }, loginAt: alice.loginAt, expiresAt: alice.expiresAt, idleExpiresAt: answer.now + 100, secondsLeft: 100,
    });
    expect(answer.cookies).toEqual([]);
  });

  it('says nobody where nobody is', () => {
    expect(ask(nobody, undefined).json()).toEqual({ authenticated: false });
    expect(ask(loggedIn, undefined).json()).toEqual({ authenticated: false });
  });

  it.each([['the login ends before its idle time', 604_800 + 7, 604_800], ['it is over', -5, 0]])('counts to the nearer end: %s', (_name, idleLeft, secondsLeft) => {
    expect(ask(loggedIn, idleLeft).json()).toMatchObject({ secondsLeft, idleExpiresAt: 1_750_000_000 + secondsLeft });
  });

  it('promise 3: never says nobody where the store cannot tell, and leaves other methods to the app', () => {
    expect(ask(unknown, undefined).passed).toEqual([down]);
    expect(ask(loggedIn, 5, 'POST')).toMatchObject({ passed: [undefined], text: '' });
  });

  it('keeps alive what is used, not what is only looked at', () => {
    expect(['/session', '/session?renew=true', '/session?renew=false'].map((url) => renewsSession(visit(url).req))).toEqual([true, true, false]);
  });
});
