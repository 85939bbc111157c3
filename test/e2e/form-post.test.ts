/** Whether a real browser keeps and sends the cookies that form_post rests on, over plain http on loopback as in development. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { CodeFlowOptions } from '../../lib/index.js';
import { startChromium } from '../support/chromium.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

let chromium: Browser;
let world: World;
beforeAll(async () => {
  chromium = await startChromium();
  world = await startWorld({ host: 'localhost' }); // another site than the app on 127.0.0.1
}, 360_000);
afterAll(async () => {
  await chromium.close();
  await world.close();
});

describe('in Chromium', () => {
  it('a login by form_post comes back from another site, and replaces the session that was there', async () => {
    const provider = { ...world.authorizationServer.provider, responseMode: 'form_post' };
    const app = await world.app('express5', { options: { provider, session: { keep: ['counter'] } } as Partial<CodeFlowOptions> });
    const context = await chromium.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const posts: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url() === `${app.baseUrl}/callback`) posts.push(request.url());
    });
    await page.goto(`${app.baseUrl}/public`);
    await page.evaluate(() => fetch('/session', { method: 'POST' }));
    const before = (await context.cookies()).find(({ name }) => name === 'session')?.value;

    await page.goto(`${app.baseUrl}/private`);
    await page.getByLabel('User name').fill('ada');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${app.baseUrl}/private`);

    expect(await page.textContent('body')).toContain('"sub":"ada"');
    expect(posts).toHaveLength(1);
    const cookies = await context.cookies(app.baseUrl);
    expect(cookies.map(({ name, sameSite, httpOnly }) => ({ name: name.slice(0, 14), sameSite, httpOnly }))).toEqual([
      { name: 'session', sameSite: 'Lax', httpOnly: true },
      { name: 'session-login-', sameSite: 'None', httpOnly: true }, // where the login led to
    ]);
    expect(cookies[0]?.value).not.toBe(before);
    await page.goto(`${app.baseUrl}/session`);
    expect(await page.textContent('body')).toContain('{"counter":1}');
    await context.close();
  });
});
