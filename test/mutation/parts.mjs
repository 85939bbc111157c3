/** What is mutated, and the suites that must notice. Fewer suites make a quicker run: all their files are loaded for each mutant. */

/** Each file with the unit test that mirrors it, and what else is about it. */
const mirrored = (folder, files) =>
  Object.fromEntries(
    Object.entries(files).map(([name, more]) => [`${folder}/${name}`, { mutate: [`lib/${folder}/${name}.ts`], tests: [...more] }]),
  );
const own = (folder, names) => mirrored(folder, Object.fromEntries(names.map((name) => [name, [`unit/${folder}/${name}`]])));

const inRequests = ['integration/cookies', 'integration/login', 'integration/sessions', 'integration/session-route'];

export const parts = {
  urls: { mutate: ['lib/urls.ts'], tests: ['unit/urls'] },
  seal: { mutate: ['lib/seal.ts'], tests: ['unit/seal'] },
  'oauth-fetch': { mutate: ['lib/oauth-fetch.ts'], tests: ['unit/oauth-fetch*'] },
  ...own('session', ['login-record', 'session-cookie', 'session-handle', 'login-transaction', 'login-index', 'logout-return', 'used-logout-tokens']),
  ...own('session', ['sealed-session-store', 'login-watch', 'memory-session-keys', 'session-administration']),
  ...mirrored('session', { 'login-cookies': ['unit/session/login-transaction'], 'app-session': inRequests, 'session-middleware': inRequests, 'session-keys': inRequests, 'masked-debug': ['security/disclosure'] }),
  ...own('grants', ['token-set', 'held-tokens', 'within', 'refresh-outcomes', 'memory-grant-store', 'lock', 'join-reads', 'refresh']),
  ...mirrored('grants', {
    'refresh-request': ['unit/grants/refresh-request', 'unit/grants/refresh'],
    heal: ['unit/grants/heal', 'unit/grants/refresh'],
    'token-manager': ['unit/grants/token-manager', 'unit/grants/heal'],
    'redis-grant-store': ['integration/grant-store'],
    'redis-grant-scripts': ['integration/grant-store'],
  }),
  ...own('routes', ['backchannel-logout', 'callback-answer', 'callback', 'frontchannel-logout', 'login-from-elsewhere', 'login', 'logout', 'new-login', 'session', 'silent-login']),
};
