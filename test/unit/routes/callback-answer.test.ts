import { describe, expect, it } from '@jest/globals';
import { readAnswer } from '../../../lib/routes/callback-answer.js';
import { app, optionsWith, visit } from './support.js';

const refusal = { name: 'LoginError', code: 'ERR_CODE_FLOW_CALLBACK_INVALID', message: expect.stringContaining('not one') };
const read = (url: string, more: Parameters<typeof visit>[1] = {}) => readAnswer(visit(url, more).req, optionsWith());

describe('the answer of the authorization server', () => {
  it('is read from the query of a GET, or from the form of a POST', async () => {
    const query = await read('/callback?code=a&state=b');
    expect([query.byPost, query.redirectUri, Object.fromEntries(query.parameters)]).toEqual([false, `${app}/callback`, { code: 'a', state: 'b' }]);
    const form = await read('/callback', { method: 'POST', body: 'code=a&state=b' });
    expect([form.byPost, form.redirectUri, Object.fromEntries(form.parameters)]).toEqual([true, `${app}/callback`, { code: 'a', state: 'b' }]);
  });

  it.each(['code', 'state', 'iss', 'error', 'error_description', 'session_state', 'id_token', 'response'])('A8: has no two of %s', async (name) => {
    await expect(read(`/callback?${name}=a&${name}=a`)).rejects.toMatchObject(refusal);
    await expect(read('/callback', { method: 'POST', body: `${name}=a&${name}=b` })).rejects.toMatchObject(refusal);
    expect((await read('/callback?other=a&other=b')).parameters.getAll('other')).toHaveLength(2);
  });

  it('J5: is no longer than 16 KB', async () => {
    const rest = 16_384 - '/callback?code='.length;
    expect((await read(`/callback?code=${'a'.repeat(rest)}`)).parameters.get('code')).toHaveLength(rest);
    await expect(read(`/callback?code=${'a'.repeat(rest + 1)}`)).rejects.toMatchObject(refusal);
  });

  it.each<[string, string, Parameters<typeof visit>[1]]>([
    ['by another method', '/callback?code=a', { method: 'HEAD' }],
    ['in both places', '/callback?state=b', { method: 'POST', body: 'code=a' }],
    ['in a body that is no form', '/callback', { method: 'POST', body: 'code=a', headers: { 'content-type': 'text/plain' } }],
    ['at another place', '/other?code=a', {}],
  ])('does not come %s', async (_name, url, more) => {
    await expect(read(url, more)).rejects.toMatchObject(refusal);
  });
});
