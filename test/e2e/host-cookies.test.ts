/** C11, C12: `__Host-` cookies over https, with every SameSite and every way back from an authorization server on another site, in a real Chromium. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import type { CodeFlowOptions } from '../../lib/index.js';
import { startChromium } from '../support/chromium.js';
import { startTlsProxy } from '../support/tls-proxy.js';
import type { TlsProxy } from '../support/tls-proxy.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let chromium: Browser;
const proxies: TlsProxy[] = [];
beforeAll(async () => {
  world = await startWorld();
  chromium = await startChromium();
}, 360_000);
afterAll(async () => {
  await chromium.close();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await world.close();
});

async function signIn(page: Page, account: string): Promise<void> {
  await page.locator('[name=username]').fill(account);
  await page.locator('[name=username]').press('Enter');
}

it.each([
  ['strict', 'query'],
  ['strict', 'form_post'],
  ['lax', 'query'],
  ['lax', 'form_post'],
] as const)('a login with SameSite=%s and %s comes back signed in, without a redirect loop, and another replaces it', async (sameSite, responseMode) => {
  const proxy = await startTlsProxy();
  proxies.push(proxy);
  const provider = { ...world.authorizationServer.provider, responseMode };
  const app = await world.app('express5', { baseUrl: proxy.origin, options: { provider, session: { sameSite } } as Partial<CodeFlowOptions> });
  proxy.target = app.origin;
  const context = await chromium.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const seen: string[] = [];
  let callback = '';
  page.on('response', (response) => {
    const { pathname, href } = new URL(response.url());
    seen.push(pathname);
    if (pathname === '/callback') callback = href;
  });
  const sessions = async () => (await context.cookies(proxy.origin)).filter(({ name }) => name === '__Host-session');
  const before = world.authorizationServer.tokenRequests.authorization_code;

  await page.goto(`${proxy.origin}/private?page=2`);
  await signIn(page, 'alice');
  await page.waitForURL(`${proxy.origin}/private?page=2`);
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ sub: 'alice' });
  const [first] = await sessions();
  expect(first).toMatchObject({ secure: true, httpOnly: true, path: '/', domain: 'localhost', sameSite: sameSite === 'strict' ? 'Strict' : 'Lax' });
  expect(seen.filter((path) => path === '/login')).toHaveLength(1);
  expect(seen.filter((path) => path === '/callback').length).toBeLessThanOrEqual(2);

  // The callback once more, from the history: to where the user was going, and no code is redeemed again.
  if (responseMode === 'query') {
    await page.goto(`${proxy.origin}/public`);
    await page.goto(callback);
    await page.waitForURL(`${proxy.origin}/private?page=2`);
  }
  expect(world.authorizationServer.tokenRequests.authorization_code).toBe(before + 1);

  await page.goto(`${proxy.origin}/login?prompt=login&returnTo=/private`);
  await signIn(page, 'bob');
  await page.waitForURL(`${proxy.origin}/private`);
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ sub: 'bob' });
  expect(await sessions()).toHaveLength(1);
  const dead = await fetch(`${app.origin}/private`, { headers: { Cookie: `__Host-session=${first?.value ?? ''}` } });
  expect(dead.status).toBe(401);
  await context.close();
});

it('A17: a link on another site starts no other login for whoever is signed in, and one to a page finds it, Strict or not', async () => {
  const proxy = await startTlsProxy();
  proxies.push(proxy);
  const app = await world.app('express5', { baseUrl: proxy.origin, options: { session: { sameSite: 'strict' } } });
  proxy.target = app.origin;
  const context = await chromium.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(`${proxy.origin}/private`);
  await signIn(page, 'alice');
  await page.waitForURL(`${proxy.origin}/private`);
  const authorizations = world.authorizationServer.counters.authorizations;
  const evil = `${world.authorizationServer.issuer}/evil`;
  const follow = async (href: string): Promise<void> => {
    await page.goto(evil);
    await page.setContent(`<a href="${href}">here</a>`);
    await page.click('a');
  };
  await follow(`${proxy.origin}/login?login_hint=mallory&prompt=none`);
  await page.getByText('Sign in again?').waitFor();
  await follow(`${proxy.origin}/private?from=mail`);
  await page.waitForURL(`${proxy.origin}/private?from=mail`);
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ sub: 'alice' });
  expect(world.authorizationServer.counters.authorizations).toBe(authorizations);
  await context.close();
});
