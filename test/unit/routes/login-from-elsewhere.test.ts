import { describe, expect, it } from '@jest/globals';
import { answerFromElsewhere } from '../../../lib/routes/login-from-elsewhere.js';
import { app, down, fromElsewhere, loggedIn, nobody, page, stage, unknown, visit } from './support.js';

function come(query: string, headers: typeof page, state = loggedIn, change: Parameters<typeof stage>[0] = {}) {
  const { settings, session } = stage(change);
  const { req, res, answer } = visit(`/login${query}`, { headers });
  const isAnswered = answerFromElsewhere(settings.options, req, res, session(state));
  const { status, text } = answer();
  const links = [...text.matchAll(/(?:href="|;url=)([^"]+)"/g)].map(([, link]) => link!.replaceAll('&amp;', '&'));
  return { isAnswered, status, text, links };
}
const strict = { session: { sameSite: 'strict' as const } };
const two = { provider: undefined, providers: { default: { issuer: 'https://id.example.com', clientId: 'web' }, other: { issuer: 'https://id2.example.com', clientId: 'web' } } } as never;

describe('A17: a login that another site brings about', () => {
  it('leads on to where it would, where the same login is there already', () => {
    expect(come('?returnTo=/orders', fromElsewhere)).toMatchObject({ isAnswered: true, status: 200, links: [`${app}/orders`] });
    expect(come('', fromElsewhere).links).toEqual([`${app}/home`]);
    expect(come('?returnTo=https://evil.example', fromElsewhere).links).toEqual([`${app}/home`]);
  });

  it.each(['?provider=other&returnTo=/orders', '?login_hint=bob&login_hint=eve&returnTo=/orders', '?prompt=&returnTo=/orders'])('is asked about where it may replace the login that is there: %s', (query) => {
    const { isAnswered, text, links } = come(query, fromElsewhere, loggedIn, query.includes('provider') ? two : {});
    expect([isAnswered, links]).toEqual([true, [`${app}/login${query.replace(/^\?(provider=other)&(.*)$/, '?$1&$2').replace(/^\?(log.*|prompt=)&(returnTo=.*)$/, '?$2&$1').replaceAll('/orders', '%2Forders')}`, `${app}/orders`]]);
    expect(text).toContain('Sign in again?');
  });

  it('is asked about where the app finds its providers and none is named: that is no login to go on with', () => {
    const { text } = come('', fromElsewhere, loggedIn, { provider: undefined, providers: () => undefined } as never);
    expect(text).toContain('Sign in again?');
  });

  it('which names the provider that there is replaces nothing', () => {
    expect(come('?provider=default&unknown=x', fromElsewhere).links).toEqual([`${app}/home`]);
  });

  it.each([['by itself', '', page, loggedIn], ['by nobody', '', fromElsewhere, nobody]])('begins %s', (_name, query, headers, state) => {
    expect(come(query, headers, state)).toMatchObject({ isAnswered: false, text: '' });
  });

  it('C12: whose cookie a link from elsewhere does not carry comes once more from a page of ours, with what it was asked alone', () => {
    const first = come('?returnTo=/orders&prompt=login&other=x', fromElsewhere, nobody, strict);
    expect(first).toMatchObject({ isAnswered: true, links: [`${app}/login?returnTo=%2Forders&prompt=login&from=elsewhere`] });
    expect(come('?from=elsewhere', page, nobody, strict).isAnswered).toBe(false);
    expect(come('?from=elsewhere', page, loggedIn, strict).links).toEqual([`${app}/home`]);
    expect(come('?from=here', page, loggedIn, strict).isAnswered).toBe(false);
  });

  it('promise 3: is not begun where the store cannot tell who is there', () => {
    expect(() => come('', fromElsewhere, unknown)).toThrow(down);
    expect(come('', page, unknown).isAnswered).toBe(false);
  });
});
