/** C12: SameSite=Strict, with the authorization server on another site, in a real Chromium. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import type { TestApp } from '../support/apps.js';
import { startChromium } from '../support/chromium.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let world: World;
let app: TestApp;
let chromium: Browser;
beforeAll(async () => {
  world = await startWorld({ host: 'localhost' });
  app = await world.app('express5', { options: { session: { sameSite: 'strict' } } });
  chromium = await startChromium();
}, 360_000);
afterAll(async () => {
  await chromium.close();
  await world.close();
});

/** The form is sent from the authorization server's site: what follows it is cross-site. */
async function signIn(page: Page): Promise<void> {
  await page.locator('[name=username]').fill('alice');
  await page.locator('[name=username]').press('Enter');
}

it('C12: a login leads to the page that was asked for, without a redirect loop', async () => {
  const context = await chromium.newContext();
  const page = await context.newPage();
  const seen: string[] = [];
  page.on('response', (response) => seen.push(`${response.status()} ${new URL(response.url()).pathname}`));
  await page.goto(`${app.baseUrl}/private?page=2`);
  await signIn(page);
  await page.waitForURL(`${app.baseUrl}/private?page=2`);
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ sub: 'alice' });
  const callbacks = seen.filter((line) => line.endsWith('/callback'));
  expect(callbacks).toEqual(['200 /callback', '303 /callback']);
  expect(seen.filter((line) => line.endsWith('/login'))).toHaveLength(1);
  expect((await context.cookies()).find(({ name }) => name === 'session')).toMatchObject({ sameSite: 'Strict', httpOnly: true });
  await context.close();
});

it('C1, C12: a login over an existing session ends that one, although the way back is cross-site', async () => {
  const context = await chromium.newContext();
  const page = await context.newPage();
  await page.goto(`${app.baseUrl}/private`);
  await signIn(page);
  await page.waitForURL(`${app.baseUrl}/private`);
  const first = (await context.cookies()).find(({ name }) => name === 'session')?.value ?? '';
  await page.goto(`${app.baseUrl}/login?returnTo=/private&prompt=login`);
  await signIn(page);
  await page.waitForURL(`${app.baseUrl}/private`);
  const second = (await context.cookies()).find(({ name }) => name === 'session')?.value ?? '';
  expect(second).not.toBe(first);
  expect((await fetch(`${app.baseUrl}/private`, { headers: { Cookie: `session=${first}` } })).status).toBe(401);
  expect((await fetch(`${app.baseUrl}/private`, { headers: { Cookie: `session=${second}` } })).status).toBe(200);
  await context.close();
});
