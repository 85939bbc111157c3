import { beforeEach, describe, expect, it } from '@jest/globals';
import { resolveOptions } from '../../../lib/options.js';
import { createSealer } from '../../../lib/seal.js';
import { createLogoutReturns, type LogoutReturns } from '../../../lib/session/logout-return.js';
import { exchange, HandClock, pairOf } from './support.js';

const sealer = createSealer(['a secret for tests only: 4yVqD0sZ8nKcJm2T']);
const options = resolveOptions(
  {
    provider: { issuer: 'https://id.example.com', clientId: 'web' },
    baseUrl: 'https://app.example.com',
    secret: 'Zk3vW8-pQ1rT6yUe0sLx9mNc4bHg7jDa',
    afterLogout: '/bye',
    session: { sameSite: 'strict' },
  },
  {},
);
const orders = 'https://app.example.com/orders';

let clock: HandClock;
let returns: LogoutReturns;
beforeEach(() => {
  clock = new HandClock();
  returns = createLogoutReturns(sealer, clock, options, { secure: true, sameSite: 'strict', path: '/' });
});

function begin(): { state: string; line: string; cookie: string } {
  const { res, setCookies } = exchange();
  const state = returns.begin(res, orders);
  const [line = ''] = setCookies();
  return { state, line, cookie: pairOf(line) };
}
function take(url: string, cookie: string | undefined, method = 'GET'): { location: string | undefined; lines: string[] } {
  const { req, res, setCookies } = exchange(cookie);
  Object.assign(req, { url, method });
  return { location: returns.take(req, res), lines: setCookies() };
}

describe('the way back from a logout', () => {
  it('leads on to where the app wanted, and is forgotten then', () => {
    const { state, line, cookie } = begin();
    expect(line).toMatch(/^__Host-session-logout=[\w-]{100,}; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$/);
    expect(state).toMatch(/^[\w-]{43}$/);
    expect(line).not.toContain(state);
    expect(take(`/bye?state=${state}`, `theme=dark; ${cookie}`)).toEqual({
      location: orders,
      lines: ['__Host-session-logout=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax'],
    });
  });

  it('is its own each time', () => {
    expect(begin().state).not.toBe(begin().state);
  });

  it('is open for ten minutes', () => {
    const { state, cookie } = begin();
    clock.forward(599);
    expect(take(`/bye?state=${state}`, cookie).location).toBe(orders);
    clock.forward(1);
    expect(take(`/bye?state=${state}`, cookie)).toEqual({ location: undefined, lines: [] });
  });

  it.each<[string, (way: ReturnType<typeof begin>) => [string, string | undefined, string?]]>([
    ['without a state', ({ cookie }) => ['/bye', cookie]],
    ['with another state', ({ cookie }) => [`/bye?state=${begin().state}`, cookie]],
    ['with two states', ({ state, cookie }) => [`/bye?state=${state}&state=${state}`, cookie]],
    ['without its cookie', ({ state }) => [`/bye?state=${state}`, 'theme=dark']],
    ['without any cookie', ({ state }) => [`/bye?state=${state}`, undefined]],
    ['with its cookie twice', ({ state, cookie }) => [`/bye?state=${state}`, `${cookie}; ${cookie}`]],
    ['with its cookie changed', ({ state, cookie }) => [`/bye?state=${state}`, cookie.replace(/=(.{9})./, '=$1*')]],
    ['with its cookie under another name', ({ state, cookie }) => [`/bye?state=${state}`, `x${cookie}`]],
    ['to another page', ({ state, cookie }) => [`/other?state=${state}`, cookie]],
    ['by a POST', ({ state, cookie }) => [`/bye?state=${state}`, cookie, 'POST']],
  ])('%s leads nowhere, and is not used up', (_name, spoil) => {
    const way = begin();
    expect(take(...spoil(way))).toEqual({ location: undefined, lines: [] });
    expect(take(`/bye?state=${way.state}`, way.cookie).location).toBe(orders);
  });
});
