import { describe, expect, it } from '@jest/globals';
import { LoginError, ProviderError } from '../../../lib/errors.js';
import type { LogoutToken } from '../../../lib/provider/logout-token.js';
import { backchannelLogoutRoute } from '../../../lib/routes/backchannel-logout.js';
import { down, stage, visit } from './support.js';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = `${part({ alg: 'RS256' })}.${part({ iss: 'https://id.example.com' })}.x`;
const verified = { id: 'jti', usableForSeconds: 90, subject: 'alice' } as LogoutToken;
const ended = { endAll: (_whose: unknown, endGrants: (hashes: string[]) => Promise<void>) => endGrants(['a grant']).then(() => 2), verifyLogoutToken: verified };
const own = { provider: undefined, providers: (() => undefined) as never } as never;

async function come(answers: object = ended, more: Parameters<typeof visit>[1] = {}, url = '/backchannel-logout', change = {}) {
  const all = stage(change, { ...answers });
  const { req, res, answer } = visit(url, { method: 'POST', body: `logout_token=${token}`, ...more });
  const outcome = await backchannelLogoutRoute(all.settings, req, res).then(() => undefined, (error: unknown) => error);
  const { status, text } = answer();
  return { ...all, res, outcome, status, text, json: () => JSON.parse(text) as object, names: all.calls.map(([name]) => name) };
}

describe('a logout by the word of the server', () => {
  it('ends every login of that user there, remembers the token, tells of it, and answers then', async () => {
    const { status, text, calls, told } = await come();
    expect([status, text]).toEqual([200, '']);
    expect(calls).toEqual([
      ['thatMayBe', 'https://id.example.com'], ['verifyLogoutToken', token], ['has', 'default', 'jti', 90],
      ['endAll', { provider: 'default', subject: 'alice' }, expect.any(Function)], ['endHashed', ['a grant']], ['add', 'default', 'jti', 90],
    ]);
    expect(told).toEqual([['logout.received', { provider: 'default', by: 'backchannel', logins: 2 }]]);
  });

  it('ends the one session that it names, if it names one', async () => {
    const { named } = await come({ ...ended, verifyLogoutToken: { ...verified, idpSessionId: 'a sid' } });
    expect(named('endAll')[0]?.[0]).toStrictEqual({ provider: 'default', idpSessionId: 'a sid' });
  });

  it('of nobody in particular ends nobody', async () => {
    const { subject: _, ...nobody } = verified;
    expect((await come({ ...ended, verifyLogoutToken: nobody })).named('endAll')[0]?.[0]).toStrictEqual({ provider: 'default', subject: '' });
  });

  it('asks the provider that the address names, and no other', async () => {
    const { names, named } = await come(ended, {}, '/backchannel-logout/hospital', own);
    expect(names).not.toContain('thatMayBe');
    expect(named('endAll')[0]?.[0]).toMatchObject({ provider: 'hospital' });
  });

  it('counts for whichever client of that server it is meant for', async () => {
    const { provider, settings } = stage();
    const other = { ...provider, name: 'other', verifyLogoutToken: () => Promise.resolve('it is not for us') };
    const mine = { ...provider, verifyLogoutToken: () => Promise.resolve(verified) };
    expect(settings.options.baseUrl).toBeDefined();
    const { status, named } = await come({ ...ended, thatMayBe: [other, mine] });
    expect([status, named('endAll').map(([whose]) => whose)]).toEqual([200, [{ provider: 'default', subject: 'alice' }]]);
  });

  it('of nobody\'s issuer asks for an empty one', async () => {
    const { named } = await come(ended, { body: 'logout_token=garbage' });
    expect(named('thatMayBe')).toEqual([['']]);
  });
});

describe('H7: a token that does not count', () => {
  it.each<[string, object, Parameters<typeof visit>[1], string]>([
    ['is refused by the provider', { ...ended, verifyLogoutToken: 'its signature is wrong' }, {}, 'its signature is wrong'],
    ['is of nobody that is known', { ...ended, thatMayBe: [] }, {}, 'its issuer is not known here'],
    ['was used before', { ...ended, has: true }, {}, 'it was used before'],
    ['is not there', ended, { body: 'other=x' }, 'there is not one logout_token'],
    ['is there twice', ended, { body: `logout_token=${token}&logout_token=${token}` }, 'there is not one logout_token'],
    ['is in no form', ended, { headers: { 'content-type': 'text/plain' } }, 'there is not one logout_token'],
    ['came by GET', ended, { method: 'GET' }, 'there is not one logout_token'],
    ['is of a name that nobody knows', { ...ended, thatMayBe: [], get: new LoginError('ERR_CODE_FLOW_PROVIDER_UNKNOWN', 'there is none') }, {}, 'its issuer is not known here'],
  ])('%s', async (_name, answers, more, reason) => {
    const { status, json, told, names } = await come(answers, more);
    expect([status, json()]).toEqual([400, { error: 'invalid_request', error_description: expect.stringContaining(reason) }]);
    expect(told).toEqual([['logout.refused', { by: 'backchannel', reason: expect.stringContaining(reason) }]]);
    expect(names).not.toContain('endAll');
    expect(names).not.toContain('add');
  });

  it('is of a name that nobody knows', async () => {
    const { status, told } = await come({ ...ended, get: new LoginError('ERR_CODE_FLOW_PROVIDER_UNKNOWN', 'there is none') }, {}, '/backchannel-logout/who', own);
    expect([status, told]).toEqual([400, [['logout.refused', { by: 'backchannel', reason: 'there is none' }]]]);
  });
});

describe('what is our trouble', () => {
  it.each<[string, object, string]>([
    ['the store', { ...ended, has: down }, '2'],
    ['the end of the logins', { ...ended, endAll: down }, '2'],
    ['the keys of the server', { ...ended, verifyLogoutToken: new ProviderError('ERR_CODE_FLOW_PROVIDER_TIMEOUT', 504, 'slow') }, '5'],
  ])('is answered so that it is sent again, and counts then: %s', async (_name, answers, retryAfter) => {
    const { status, res, json, told, names } = await come(answers);
    expect([status, res.getHeader('Retry-After'), json()]).toEqual([503, retryAfter, { error: 'temporarily_unavailable', error_description: expect.stringContaining('send it again') }]);
    expect([told, names.includes('add')]).toEqual([[], false]);
  });

  it('is told as it is where it is a mistake', async () => {
    expect((await come({ ...ended, has: new TypeError('a mistake') })).outcome).toBeInstanceOf(TypeError);
  });
});
