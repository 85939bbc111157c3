/** Parameters per login, above all `prompt=none`: a login that may show nothing. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await startWorld();
  app = await world.app();
});
afterAll(() => world.close());

const silently = (returnTo: string) => `${app.baseUrl}/login?prompt=none&returnTo=${encodeURIComponent(returnTo)}`;
const redeemed = () => world.authorizationServer.tokenRequests.authorization_code;

/** What the server answers in place of the real one: an error, with or without the state. */
function answerWith(error: string, withState = true): void {
  world.authorizationServer.intercept = (req, res) => {
    const url = new URL(req.url ?? '/', world.authorizationServer.issuer);
    if (url.pathname !== '/auth') return false;
    const back = new URL(url.searchParams.get('redirect_uri')!);
    back.search = new URLSearchParams({ error, iss: world.authorizationServer.issuer, ...(withState ? { state: url.searchParams.get('state')! } : {}) }).toString();
    res.writeHead(303, { Location: back.href }).end();
    return true;
  };
}

describe('a silent login', () => {
  it('logs in whoever the server knows, and shows nothing', async () => {
    const browser = await world.loggedIn(app);
    await browser.get(`${app.baseUrl}/`);
    browser.cookies.delete('session');
    browser.login = undefined;
    const page = await browser.get(silently('/?x=1'));
    expect([page.url, page.json()]).toEqual([`${app.baseUrl}/?x=1`, expect.objectContaining({ isAuthenticated: true })]);
  });

  it('of somebody whom the server does not know comes back with a flag, without a login, an error or a cookie left behind', async () => {
    const browser = createBrowser({ login: 'alice' });
    const failed: unknown[] = [];
    app.auth.on('login.failed', (detail) => failed.push(detail));
    const before = redeemed();
    const page = await browser.get(silently('/?x=1'));
    expect([page.url, page.status, page.json()]).toEqual([`${app.baseUrl}/?x=1&login=required`, 200, { isAuthenticated: false }]);
    expect([redeemed(), failed, browser.cookies.all('127.0.0.1').filter(({ name }) => name.includes('login'))]).toEqual([before, [], []]);
  });

  it.each(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])('answered with %s comes back with the flag', async (error) => {
    answerWith(error);
    const page = await createBrowser().get(silently('/?login=required'));
    world.authorizationServer.intercept = undefined;
    expect([page.url, page.status]).toEqual([`${app.baseUrl}/?login=required`, 200]);
  });

  it('answered with another error is an error', async () => {
    answerWith('access_denied');
    const page = await createBrowser().get(silently('/'));
    world.authorizationServer.intercept = undefined;
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_LOGIN_REFUSED')]);
  });

  it('goes round in no circles where the page needs a login: the next one shows the login page', async () => {
    const browser = createBrowser();
    const page = await browser.get(silently('/private'));
    expect(page.text).toContain('name="username"');
    browser.login = 'alice';
    const back = await browser.get(silently('/private'));
    expect([back.status, back.url]).toEqual([200, `${app.baseUrl}/private`]);
  });

  it('that worked takes an older flag away', async () => {
    const browser = await world.loggedIn(app);
    expect((await browser.get(silently('/?login=required&x=1'))).url).toBe(`${app.baseUrl}/?x=1`);
    expect((await browser.get(silently('/?login=mine'))).url).toBe(`${app.baseUrl}/?login=mine`);
  });

  it('leaves the login alone that there is', async () => {
    const browser = await world.loggedIn(app);
    answerWith('login_required');
    const page = await browser.get(silently('/'));
    world.authorizationServer.intercept = undefined;
    expect([page.url, page.json().isAuthenticated]).toEqual([`${app.baseUrl}/?login=required`, true]);
  });

  it('an error that is no answer to a silent login stays an error', async () => {
    answerWith('login_required');
    const page = await createBrowser().get(`${app.baseUrl}/login`);
    world.authorizationServer.intercept = undefined;
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_LOGIN_REFUSED')]);
  });
});

describe('an answer without state, which some servers give', () => {
  const flagged = (browser: Browser) => browser.get(`${app.baseUrl}/callback?error=login_required`);

  it('ends the one silent login of the browser', async () => {
    answerWith('login_required', false);
    const page = await createBrowser().get(silently('/?x=1'));
    world.authorizationServer.intercept = undefined;
    expect([page.url, page.status]).toEqual([`${app.baseUrl}/?x=1&login=required`, 200]);
  });

  it('ends nothing else: no other login, no guess between two, none twice', async () => {
    const browser = createBrowser();
    const start = (url: string) => browser.get(url, { follow: false });
    const refused = async () => {
      const page = await flagged(browser);
      expect([page.status, page.text]).toEqual([400, expect.stringContaining('ERR_CODE_FLOW_STATE_MISSING')]);
    };
    await refused();
    await start(`${app.baseUrl}/login`);
    await refused();
    await start(silently('/'));
    expect((await browser.get(`${app.baseUrl}/callback?error=access_denied`)).status).toBe(400);
    expect((await flagged(browser)).url).toBe(`${app.baseUrl}/?login=required`);
    await refused();
    await start(silently('/'));
    await start(silently('/'));
    await refused();
  });
});

describe('the parameters of a login', () => {
  const asked = async (query: string) => new URL((await createBrowser().get(`${app.baseUrl}/login?${query}`, { follow: false })).headers.location ?? '').searchParams;

  it('are passed on: prompt, acr_values, login_hint, max_age, ui_locales', async () => {
    const parameters = { prompt: 'login', acr_values: 'mfa', login_hint: 'alice@example.test', max_age: '60', ui_locales: 'nb en' };
    expect(Object.fromEntries(await asked(new URLSearchParams(parameters).toString()))).toMatchObject(parameters);
    expect((await asked('acr_values=tenant:acme')).get('acr_values')).toBe('tenant:acme');
  });

  it('A16: never are those of the protocol', async () => {
    const evil = ['response_type', 'response_mode', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri'];
    const sent = await asked(new URLSearchParams(evil.map((name): [string, string] => [name, 'evil'])).toString());
    expect([...sent.values()]).not.toContain('evil');
    expect([sent.get('client_id'), sent.get('redirect_uri'), sent.get('scope')]).toEqual(['web', `${app.baseUrl}/callback`, 'openid profile email']);
  });

  it('that ask for a fresh login get one: max_age and prompt=login are checked when it comes back', async () => {
    const browser = await world.loggedIn(app, 'alice');
    browser.login = undefined;
    expect((await browser.get(`${app.baseUrl}/login?prompt=login`)).text).toContain('name="username"');
    browser.login = 'alice';
    const page = await browser.get(`${app.baseUrl}/login?max_age=1000&returnTo=/private`);
    expect(page.json().auth_time).toBeGreaterThan(Date.now() / 1000 - 1000);
  });
});
