/** What of the session only whole requests show. */
const inRequests = ['app-session', 'masked-debug', 'session-keys', 'session-middleware'].map((name) => `lib/session/${name}.ts`);

/** What is mutated, and the suites that must notice. Fewer suites make a quicker run: all their files are loaded for each mutant. */
export const parts = {
  urls: { mutate: ['lib/urls.ts'], tests: ['unit/urls'] },
  seal: { mutate: ['lib/seal.ts'], tests: ['unit/seal'] },
  'oauth-fetch': { mutate: ['lib/oauth-fetch.ts'], tests: ['unit/oauth-fetch*'] },
  session: { mutate: ['lib/session/**/*.ts', ...inRequests.map((name) => `!${name}`)], tests: ['unit/session/*'] },
  'session-requests': { mutate: inRequests, tests: ['integration/cookies', 'integration/login', 'integration/sessions', 'integration/session-route'] },
  // By a clock and a server that the tests play: quick, and to the millisecond.
  grants: { mutate: ['lib/grants/**/*.ts', '!lib/grants/redis-*.ts'], tests: ['unit/grants/*'] },
  'grants-redis': { mutate: ['lib/grants/redis-*.ts'], tests: ['integration/grant-store'] },
  routes: {
    mutate: ['lib/routes/**/*.ts'],
    tests: ['integration/callback', 'integration/login', 'integration/form-post', 'integration/silent-login', 'integration/tenants', 'hostile/logout'],
  },
};
