/** What is mutated, and the suites that must notice. Fewer suites make a quicker run: all their files are loaded for each mutant. */

/** Each file with the unit test that mirrors it. */
const own = (folder, names) => Object.fromEntries(names.map((name) => [`${folder}/${name}`, { mutate: [`lib/${folder}/${name}.ts`], tests: [`unit/${folder}/${name}`] }]));

const tests = (name, ...suites) => ({ [name]: { mutate: [`lib/${name}.ts`], tests: suites } });

export const parts = {
  ...tests('urls', 'unit/urls'),
  ...tests('seal', 'unit/seal'),
  ...tests('bounded-map', 'unit/bounded-map'),
  ...tests('packed-text', 'unit/packed-text'),
  ...tests('cookies', 'unit/cookies'),
  ...own('provider', ['create-provider']),
  ...tests('oauth-fetch', 'unit/oauth-fetch*'),
  ...own('grants', ['token-set', 'held-tokens', 'within', 'refresh-outcomes', 'lock', 'join-reads', 'refresh']),
  ...tests('grants/memory-grant-store', 'unit/grants/memory-grant-store', 'integration/grant-back-off'),
  ...tests('grants/refresh-request', 'unit/grants/refresh-request', 'unit/grants/refresh'),
  ...tests('grants/heal', 'unit/grants/heal', 'unit/grants/refresh'),
  ...tests('grants/token-manager', 'unit/grants/token-manager', 'unit/grants/token-flights', 'unit/grants/heal'),
  ...tests('grants/redis-grant-store', 'integration/grant-store', 'integration/grant-back-off', 'integration/redis-grant-store'),
  ...own('session', ['login-record', 'session-cookie', 'session-handle', 'login-index', 'logout-return', 'used-logout-tokens']),
  ...own('session', ['login-watch', 'memory-session-keys', 'session-administration', 'app-session']),
  ...tests('session/login-transaction', 'unit/session/login-transaction', 'unit/session/login-cookies'),
  ...tests('session/login-cookies', 'unit/session/login-cookies', 'unit/session/login-transaction'),
  ...tests('session/session-middleware', 'unit/session/session-middleware', 'unit/session/opened-session'),
  ...tests('session/opened-session', 'unit/session/opened-session', 'unit/session/session-middleware'),
  ...tests('session/sealed-session-store', 'unit/session/sealed-session-store', 'unit/session/installed-connect-redis'),
  ...tests('session/session-keys', 'integration/session-keys'),
  ...own('routes', ['backchannel-logout', 'callback-answer', 'callback', 'frontchannel-logout', 'login-from-elsewhere', 'login', 'logout', 'new-login', 'session', 'silent-login']),
};
