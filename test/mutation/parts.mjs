/** What is mutated, and the suites that must notice. Fewer suites make a quicker run: all their files are loaded for each mutant. */
export const parts = {
  urls: { mutate: ['lib/urls.ts'], tests: ['unit/urls'] },
  seal: { mutate: ['lib/seal.ts'], tests: ['unit/seal'] },
  'oauth-fetch': { mutate: ['lib/oauth-fetch.ts'], tests: ['unit/oauth-fetch*'] },
  session: { mutate: ['lib/session/**/*.ts'], tests: ['unit/session/*', 'integration/cookies', 'integration/login', 'integration/form-post'] },
  grants: { mutate: ['lib/grants/**/*.ts'], tests: ['unit/grants/*', 'integration/grant-store', 'integration/refresh', 'integration/offline'] },
  routes: {
    mutate: ['lib/routes/**/*.ts'],
    tests: ['integration/callback', 'integration/login', 'integration/form-post', 'integration/silent-login', 'integration/tenants', 'hostile/logout'],
  },
};
