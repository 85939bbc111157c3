/** C20, FAULTS 54: the master secret is rotated under load, process by process, as the README advises. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TestApp } from '../support/apps.js';
import { createBrowser } from '../support/browser.js';
import type { Browser } from '../support/browser.js';
import { startWorld } from '../support/world.js';
import type { World } from '../support/world.js';

const baseUrl = 'https://app.example.test';
const [old, young] = ['the secret of last year: 7b1Kx9Qw3ZrT5mNp', 'the secret of this year: 2aLc8Vd4YhJ6fSgE'];
const deployments = [[old], [old, young], [young, old]];

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

it('C20, FAULTS 54: a rotation in two deployments under load signs out nobody, and logins under way finish', async () => {
  let fleet: TestApp[] = [];
  const proxies: Record<string, string> = {};
  const start = (secret: readonly string[]) => world.app('express5', { baseUrl, options: { secret } });
  let turn = 0;
  const balance = (): void => void (proxies[baseUrl] = fleet[turn++ % fleet.length]!.origin);
  const logIn = async (account: string): Promise<Browser> => {
    const browser = createBrowser({ login: account, proxies });
    let page = await browser.get(`${baseUrl}/private`, { follow: false });
    for (let step = 0; step < 20 && page.headers.location !== undefined; step += 1) {
      balance();
      page = await browser.get(new URL(page.headers.location, page.url), { follow: new URL(page.headers.location, page.url).origin !== baseUrl });
    }
    expect([page.status, page.json()]).toEqual([200, expect.objectContaining({ sub: account })]);
    return browser;
  };

  fleet = [await start(deployments[0]!), await start(deployments[0]!)];
  balance();
  const users = await Promise.all(['ada', 'bob', 'cyd'].map(logIn));
  let over = false;
  const statuses: Record<number, number> = {};
  const load = users.map(async (browser) => {
    while (!over) {
      balance();
      const { status } = await browser.get(`${baseUrl}/api`, { navigate: false });
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  });
  try {
    for (const secret of deployments.slice(1)) {
      for (const index of [0, 1]) {
        const replacement = await start(secret);
        fleet[index] = replacement; // the old one still answers what it has begun
        users.push(await logIn(`user${users.length}`));
      }
    }
  } finally {
    over = true;
    await Promise.all(load);
  }
  expect(Object.keys(statuses)).toEqual(['200']);
  expect(statuses[200]).toBeGreaterThan(20);
  for (const browser of users) {
    balance();
    expect((await browser.get(`${baseUrl}/api`, { navigate: false })).status).toBe(200);
  }
});
