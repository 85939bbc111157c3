import { describe, expect, it } from '@jest/globals';
import { frontchannelLogoutRoute } from '../../../lib/routes/frontchannel-logout.js';
import { down, stage, visit } from './support.js';

const issuer = 'https://id.example.com';
const known = { issuer, list: ['a login'], endAll: (_whose: unknown, endGrants: (hashes: string[]) => Promise<void>) => endGrants(['a grant']).then(() => 1) };
const change = { routes: { frontchannelLogout: '/frontchannel-logout' } };

async function come(query: string, answers: object = known, method = 'GET', path = '/frontchannel-logout') {
  const all = stage(change, { ...answers });
  const { req, res, answer } = visit(`${path}${query}`, { method });
  const outcome = await frontchannelLogoutRoute(all.settings, req, res).then(() => undefined, (error: unknown) => error);
  return { ...all, ...answer(), res, outcome, names: all.calls.map(([name]) => name) };
}
const right = `?iss=${encodeURIComponent(issuer)}&sid=the+sid`;

describe('a logout by a frame of the server', () => {
  it('ends the login of that session there, and shows an empty page that may be framed', async () => {
    const { status, text, calls, told, res } = await come(right);
    expect([status, text, res.getHeader('Content-Security-Policy')]).toEqual([200, '', expect.stringContaining('frame-ancestors *')]);
    const whose = { provider: 'default', idpSessionId: 'the sid' };
    expect(calls).toEqual([['thatMayBe', issuer], ['issuer'], ['list', whose], ['endAll', whose, expect.any(Function)], ['endHashed', ['a grant']]]);
    expect(told).toEqual([['logout.received', { provider: 'default', by: 'frontchannel', logins: 1 }]]);
  });

  it('J5: fills the store with no names of sessions that never were', async () => {
    const { status, names, told } = await come(right, { ...known, list: [] });
    expect([status, names.includes('endAll'), told]).toEqual([200, false, [['logout.received', { provider: 'default', by: 'frontchannel', logins: 0 }]]]);
  });

  it('means the providers alone whose issuer it is', async () => {
    const { provider } = stage();
    const [other, mine] = [{ ...provider, name: 'other', issuer: () => Promise.resolve(`${issuer}/`) }, { ...provider, issuer: () => Promise.resolve(issuer) }];
    const { named } = await come(right, { ...known, thatMayBe: [other, mine] });
    expect(named('endAll').map(([whose]) => whose)).toEqual([{ provider: 'default', idpSessionId: 'the sid' }]);
  });

  it('means the provider that the address names', async () => {
    const { names, named } = await come(right, known, 'GET', '/frontchannel-logout/default');
    expect(names).not.toContain('thatMayBe');
    expect(named('endAll')).toHaveLength(1);
  });

  it.each<[string, string, object, string, string?]>([
    ['no iss', '?sid=a', {}, 'GET'],
    ['no sid', `?iss=${issuer}`, {}, 'GET'],
    ['an empty iss', '?iss=&sid=a', {}, 'GET'],
    ['an empty sid', `?iss=${issuer}&sid=`, {}, 'GET'],
    ['two iss', `${right}&iss=${issuer}`, {}, 'GET'],
    ['two sid', `${right}&sid=b`, {}, 'GET'],
    ['another method', right, {}, 'POST'],
    ['another issuer', right, { issuer: 'https://other.example' }, 'GET', 'not known here'],
    ['an issuer that nobody is', right, { thatMayBe: [] }, 'GET', 'not known here'],
  ])('with %s is refused, and ends nothing', async (_name, query, answers, method, reason = 'there is not one') => {
    const { status, text, told, names } = await come(query, { ...known, ...answers }, method);
    expect([status, JSON.parse(text)]).toEqual([400, { error: 'invalid_request', error_description: expect.stringContaining(reason) }]);
    expect(told).toEqual([['logout.refused', { by: 'frontchannel', reason: expect.stringContaining(reason) }]]);
    expect([names.includes('list'), names.includes('endAll')]).toEqual([false, false]);
  });

  it('is to be asked for again while the store is down', async () => {
    expect((await come(right, { ...known, list: down })).status).toBe(503);
  });
});
