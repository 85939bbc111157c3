/** A person at the example app, in a real Chromium. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Cookie, Page } from 'playwright-core';
import { startChromium } from '../support/chromium.js';
import { startExample, type Example } from '../support/example-process.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';

let chromium: Browser;

beforeAll(async () => {
  chromium = await startChromium();
}, 360_000);

afterAll(async () => {
  await chromium.close();
});

describe.each(['memory', 'redis'])('the example app with sessions in %s', (store) => {
  let redis: RedisServer | undefined;
  let example: Example;
  let context: BrowserContext;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    redis = store === 'redis' ? await startRedis() : undefined;
    // On localhost the authorization server is another site than the app on 127.0.0.1, as in real life.
    const environment = { ACCESS_TOKEN_SECONDS: '3', AUTHORIZATION_SERVER_HOST: 'localhost' };
    example = await startExample(redis === undefined ? environment : { ...environment, REDIS_URL: redis.url });
  }, 360_000);

  afterAll(async () => {
    expect(await example.stop()).toBe(0);
    await redis?.stop();
    expect(example.output).toEqual([`Open ${example.url} in a browser. Ctrl+C ends it.`]);
  });

  beforeEach(async () => {
    context = await chromium.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('response', (response) => {
      if (response.status() >= 500) problems.push(`${response.status()} ${new URL(response.url()).pathname}`);
    });
  });

  afterEach(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });

  it('signs in through the form, calls the API, renews the token unnoticed, and signs out', async () => {
    const appAnswers = recordAppAnswers();
    await page.goto(example.url);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await signInAs('ada');
    expect(await text('#user-name')).toBe('Ada');
    expect(await text('#claims')).toContain('ada@example.com');
    const since = await text('#since');
    const [session, ...others] = await context.cookies(example.url);
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    expect(others.map(({ name, httpOnly }) => [name.includes('-login-'), httpOnly])).toEqual([[true, true]]); // where the login led to

    const authorizations = countRequests('/auth');
    expect(await callApi()).toMatchObject({ customer: 'ada' });
    const renewals = Number(await text('#refreshes'));
    await page.locator('#dial[data-state=expired]').waitFor();
    expect(await callApi()).toMatchObject({ customer: 'ada' });
    await page.locator('#dial[data-state=valid]').waitFor();
    expect(Number(await text('#refreshes'))).toBe(renewals + 1);
    expect(await text('#since')).toBe(since);
    expect(authorizations.count).toBe(0);

    await page.reload();
    expect(await text('#user-name')).toBe('Ada');
    await expectNoTokens(await context.cookies(), await appAnswers());

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
    expect(page.url()).toBe(`${example.url}/`);
    await page.goto(`${example.url}/protected`);
    await page.locator('#username').waitFor();
    expect(new URL(page.url()).hostname).toBe('localhost');
  }, 360_000);

  it('comes back to the protected page that was asked for', async () => {
    await page.goto(`${example.url}/protected`);
    await page.locator('#username').fill('grace');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('#protected').waitFor();
    expect(page.url()).toBe(`${example.url}/protected`);
  }, 360_000);

  it('takes no harm from the back button after the login', async () => {
    await page.goto(example.url);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await signInAs('ada');
    await page.goBack();
    expect(new URL(page.url()).hostname).toBe('localhost');
    await page.getByRole('link', { name: 'Back to the app' }).click();
    expect(await text('#user-name')).toBe('Ada');
    expect(await callApi()).toMatchObject({ customer: 'ada' });
    await page.goBack();
    await page.goBack();
    expect(page.url()).toBe(`${example.url}/`);
    expect(await text('#user-name')).toBe('Ada');
  }, 360_000);

  it('shows nothing of the user when the back button is used after signing out', async () => {
    await page.goto(`${example.url}/login`);
    await signInAs('ada');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
    expect(await page.content()).not.toContain('ada@example.com');
  }, 360_000);

  it('says so in an open page when its login is ended in another browser', async () => {
    await page.goto(`${example.url}/login`);
    await signInAs('ada');
    await expect(page.locator('#ended-elsewhere').isVisible()).resolves.toBe(false);
    const elsewhere = await chromium.newContext();
    try {
      // The same session there, as if its cookie had been taken.
      await elsewhere.addCookies(await context.cookies());
      const other = await elsewhere.newPage();
      await other.goto(example.url);
      await other.getByRole('button', { name: 'Sign out' }).click();
      await page.locator('#ended-elsewhere').waitFor();
      expect(await text('main.signed-out')).toContain('You were signed out elsewhere.');
      await page.getByRole('link', { name: 'Sign in' }).waitFor();
    } finally {
      await elsewhere.close();
    }
  }, 360_000);

  it('lets two tabs sign in at the same time', async () => {
    const second = await context.newPage();
    await page.goto(`${example.url}/protected`);
    await second.goto(`${example.url}/protected`);
    for (const tab of [second, page]) {
      await tab.locator('#username').fill('ada');
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.locator('#protected').waitFor();
    }
  }, 360_000);

  it('signs a person out everywhere, in another browser too', async () => {
    const elsewhere = await (await chromium.newContext()).newPage();
    for (const browser of [elsewhere, page]) {
      await browser.goto(`${example.url}/protected`);
      await browser.locator('#username').fill('linus');
      await browser.getByRole('button', { name: 'Continue' }).click();
      await browser.locator('#protected').waitFor();
    }
    await page.locator('#sessions li').nth(1).waitFor();
    expect(await page.locator('#sessions li').allTextContents()).toEqual(expect.arrayContaining([expect.stringMatching(/^This browser: /), expect.stringMatching(/^Mozilla/)]));
    await page.locator('#everywhere').click();
    await page.locator('body[data-state=signed-out]').waitFor();
    await elsewhere.reload(); // its session at the authorization server is its own: that signs it in again, with a new session
    await elsewhere.locator('#sessions li').waitFor();
    expect(await elsewhere.locator('#sessions li').allTextContents()).toEqual([expect.stringMatching(/^This browser: /)]);
    await elsewhere.context().close();
  }, 360_000);

  async function signInAs(name: string): Promise<void> {
    await page.locator('#username').fill(name);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('body[data-state=signed-in]').waitFor();
  }

  /** Of an element that is there and visible. */
  async function text(selector: string): Promise<string> {
    const element = page.locator(selector);
    await element.waitFor();
    return element.innerText();
  }

  async function callApi(): Promise<unknown> {
    const status = page.waitForResponse(`${example.url}/status`);
    await page.getByRole('button', { name: 'Call the API' }).click();
    // The page asks for the state of the token once it has the answer of the API.
    await status;
    await page.locator('#call-api:enabled').waitFor();
    return JSON.parse(await text('#api-answer'));
  }

  function countRequests(path: string): { count: number } {
    const counter = { count: 0 };
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === path) counter.count += 1;
    });
    return counter;
  }

  /** Everything that the app sends to this browser, headers and bodies. */
  function recordAppAnswers(): () => Promise<string[]> {
    const answers: Promise<string>[] = [];
    page.on('response', (response) => {
      if (!response.url().startsWith(example.url)) return;
      // A redirect has no body, and that of the events goes on for as long as the login.
      const isEndless = response.headers()['content-type'] === 'text/event-stream';
      const body = isEndless || (response.status() >= 300 && response.status() < 400) ? Promise.resolve('') : response.text().catch(() => '');
      answers.push(Promise.all([response.allHeaders(), body]).then(([headers, content]) => JSON.stringify(headers) + content));
    });
    return () => Promise.all(answers);
  }

  async function expectNoTokens(cookies: readonly Cookie[], appAnswers: readonly string[]): Promise<void> {
    const storage = await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])');
    expect(storage).toBe('[{},{}]');
    const everything = [...cookies.map(({ value }) => decodeURIComponent(value)), await page.content(), ...appAnswers].join('\n');
    expect(appAnswers.length).toBeGreaterThan(5);
    expect(everything).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+/);
    expect(everything).not.toMatch(/access_token|refresh_token|id_token/);
  }
});
