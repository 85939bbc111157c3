/** What docs/providers.md says of Google, Entra ID, Okta, Auth0, Keycloak, Cognito, GitHub and Salesforce, shown with the very examples of the page. */
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ProviderOptions } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/apps.js';
import { createBrowser, type Browser, type Page } from '../support/browser.js';
import { exampleSecret, examplesOf, readPage, runExample } from '../support/documentation.js';
import { FieldServer } from '../support/servers/field-server.js';

const examples = examplesOf(readPage('docs/providers.md'));
let app: TestApp | undefined;
afterEach(() => app?.close());

interface Started {
  server: FieldServer;
  app: TestApp;
  browser: Browser;
  /** Where `/login` sends the browser. */
  begin: (query?: string) => Promise<string>;
  /** The whole login; the answer of the callback's target. */
  login: (query?: string) => Promise<Page>;
}

async function start(heading: string, changes: Partial<ProviderOptions> = {}): Promise<Started> {
  const [example] = examples.filter((candidate) => candidate.heading === heading);
  const exported = runExample(example!, (input, init) => server.fetch(input, init));
  const provider = { ...(Object.values(exported)[0] as ProviderOptions), ...changes } as ProviderOptions;
  const server = new FieldServer(provider.issuer ?? provider.server.issuer, provider.clientId);
  const started = await startApp('express5', { options: { provider, apis: [server.apiUrl], fetch: server.fetch } });
  app = started;
  const browser = createBrowser();
  const begin = async (query = ''): Promise<string> => (await browser.get(`${started.baseUrl}/login${query}`, { follow: false })).headers.location ?? '';
  const login = async (query = ''): Promise<Page> => browser.get(server.callbackOf(await begin(query)));
  return { server, app: started, browser, begin, login };
}

const parametersOf = (url: string): Record<string, string> => Object.fromEntries(new URL(url).searchParams);
const callApi = (browser: Browser, { baseUrl }: TestApp): Promise<Page> => browser.get(`${baseUrl}/api`, { navigate: false });

describe.each(['Google', 'Microsoft Entra ID', 'Okta', 'Auth0', 'Amazon Cognito', 'Salesforce'])('the example for %s', (heading) => {
  it('finds the server by its issuer, logs in, and calls an API', async () => {
    const { server, app, browser, login } = await start(heading);
    expect((await login()).json()).toMatchObject({ isAuthenticated: true, claims: { iss: server.issuer, sub: 'alice' } });
    expect((await callApi(browser, app)).json()).toEqual({ called: true });
  });
});

describe('Google', () => {
  it('is asked for a refresh token, and for no revocation', async () => {
    const { server, app, browser, begin, login } = await start('Google');
    expect(parametersOf(await begin())).toMatchObject({ access_type: 'offline', prompt: 'consent' });
    expect(parametersOf(await begin('?prompt=none'))).toMatchObject({ access_type: 'offline', prompt: 'none' });
    await login();
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect(server.requests.filter(({ url }) => url.endsWith('/revoke'))).toEqual([]);
  });
});

describe('Microsoft Entra ID', () => {
  it("fills the placeholder of a common issuer in from the ID Token's tid, at a login and at a refresh", async () => {
    const { server, app, browser, login } = await start('Microsoft Entra ID', { issuer: 'https://login.microsoftonline.com/common/v2.0' });
    server.answers['GET https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration'] = () =>
      Response.json({ ...server.metadata(), issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' });
    server.claims = { tid: 'tenant-1', iss: 'https://login.microsoftonline.com/tenant-1/v2.0' };
    expect((await login()).json()).toMatchObject({ claims: { tid: 'tenant-1' } });
    server.expireAccessToken();
    expect((await callApi(browser, app)).status).toBe(200);
    server.claims = { tid: 'tenant-1', iss: 'https://login.microsoftonline.com/tenant-2/v2.0' };
    expect((await login()).status).toBeGreaterThanOrEqual(400);
  });
});

describe('Keycloak', () => {
  it('is called at its internal addresses, and keeps its public issuer', async () => {
    const { server, app, browser, begin, login } = await start('Keycloak');
    const internal = 'https://keycloak.internal.example/realms/acme/protocol/openid-connect';
    server.answers[`POST ${internal}/token`] = async () => Response.json(await server.newTokens());
    server.answers[`GET ${internal}/certs`] = () => server.fetch(`${server.issuer}/keys`);
    expect(await begin()).toMatch(/^https:\/\/sso\.example\.com\//);
    expect((await login()).json()).toMatchObject({ isAuthenticated: true, claims: { iss: 'https://sso.example.com/realms/acme' } });
    server.expireAccessToken();
    expect((await callApi(browser, app)).status).toBe(200);
    expect(server.requests.filter(({ url }) => url === `${server.issuer}/token`)).toEqual([]);
  });
});

describe('Auth0', () => {
  it('is asked for the audience', async () => {
    const { begin } = await start('Auth0');
    expect(parametersOf(await begin())).toMatchObject({ audience: 'https://api.example.com' });
  });
});

describe('Amazon Cognito', () => {
  it('gets logout_uri and client_id at a logout', async () => {
    const { app, browser, login } = await start('Amazon Cognito');
    await login();
    const { headers } = await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    expect(headers.location).toMatch(/^https:\/\/acme\.auth\.eu-central-1\.amazoncognito\.com\/logout\?/);
    expect(parametersOf(headers.location!)).toMatchObject({ logout_uri: 'https://app.example.com/', client_id: '4example0client0id' });
  });
});

describe('GitHub', () => {
  const tokenEndpoint = 'POST https://github.com/login/oauth/access_token';

  async function startGitHub(): Promise<Started> {
    const started = await start('GitHub');
    const { answers } = started.server;
    started.server.tokenAnswer = { scope: 'read:user,user:email', token_type: 'bearer' };
    answers[tokenEndpoint] = async ({ headers }) => {
      const tokens = await started.server.newTokens();
      if (headers.get('accept')?.includes('application/json') === true) return Response.json(tokens);
      return new Response(new URLSearchParams(tokens as Record<string, string>));
    };
    answers['GET https://api.github.com/user'] = () => Response.json({ id: 583231, login: 'octocat', name: null });
    return started;
  }

  it('answers in JSON because it is asked to, and its API says who it is', async () => {
    const { app, browser, login } = await startGitHub();
    expect((await login()).json()).toEqual({ isAuthenticated: true, claims: { sub: '583231', name: 'octocat', login: 'octocat' } });
    expect((await callApi(browser, app)).status).toBe(200);
  });

  it('says no with status 200: the login fails once, with nothing secret on the page', async () => {
    const { server, login } = await startGitHub();
    server.answers[tokenEndpoint] = () => Response.json({ error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' });
    const page = await login();
    expect([page.status >= 400, page.text.includes(exampleSecret)]).toEqual([true, false]);
    expect(server.requests.filter(({ url }) => url.includes('access_token'))).toHaveLength(1);
  });

  it('loses its token at a logout', async () => {
    const { server, app, browser, login } = await startGitHub();
    server.answers['DELETE https://api.github.com/applications/Iv1.example/token'] = () => new Response(null, { status: 204 });
    await login();
    await browser.post(`${app.baseUrl}/logout`, {}, { follow: false });
    const last = server.requests.at(-1)!;
    expect([last.method, last.headers.get('authorization')]).toEqual(['DELETE', `Basic ${Buffer.from(`Iv1.example:${exampleSecret}`).toString('base64')}`]);
    expect(await last.json()).toEqual({ access_token: expect.any(String) });
  });
});

describe('Salesforce', () => {
  it('does not say when a token ends: it is used until the API refuses it, then refreshed', async () => {
    const { server, app, browser, login } = await start('Salesforce');
    server.tokenAnswer = { refresh_token: 'a refresh token', instance_url: 'https://acme.my.salesforce.com', issued_at: '1700000000000' };
    await login();
    const tokenRequests = () => server.requests.filter(({ url }) => url.endsWith('/token')).length;
    for (let call = 0; call < 3; call += 1) expect((await callApi(browser, app)).status).toBe(200);
    expect(tokenRequests()).toBe(1);
    server.expireAccessToken();
    expect([(await callApi(browser, app)).status, tokenRequests()]).toEqual([200, 2]);
  });
});
