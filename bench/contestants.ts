/** Who is measured. Each has a file in `contestants/`, written as that project's own documents suggest. */
export interface Contestant {
  readonly name: string;
  readonly file: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly login: 'GET /login' | 'form with CSRF token' | 'brought';
  readonly store: 'Redis' | 'cookie';
  /** Calls the API with the user's token (`/api`), or with one that never changes (`/bare`). */
  readonly api: readonly ('/api' | '/bare')[];
  /** Renews access tokens (`/work`). */
  readonly renews: boolean;
  /** What it says beside its name in the tables. */
  readonly note?: string;
}

const withRedis = { login: 'GET /login', store: 'Redis' } as const;

export const thisPackage: Contestant = { name: 'this package', file: 'this-package', ...withRedis, api: ['/api', '/bare'], renews: true };
export const floor1: Contestant = { name: 'floor 1', file: 'floor-session', login: 'brought', store: 'Redis', api: ['/bare'], renews: false, note: 'Express 5, express-session, connect-redis, ioredis; claims and tokens in the session' };
export const floor1Claims: Contestant = { ...floor1, name: 'floor 1, claims alone', settings: { claimsAlone: true }, note: 'the same without tokens in the session' };
export const floor2: Contestant = { name: 'floor 2', file: 'floor-cookie', login: 'brought', store: 'Redis', api: ['/bare'], renews: false, note: 'Express 5, an HMAC cookie, one GETEX of the claims; nothing sealed' };
export const openidRedis: Contestant = { name: 'express-openid-connect, Redis', file: 'express-openid-connect', settings: { store: 'redis' }, ...withRedis, api: ['/api'], renews: true };
export const openidCookie: Contestant = { name: 'express-openid-connect, cookies', file: 'express-openid-connect', login: 'GET /login', store: 'cookie', api: ['/api'], renews: true };
export const passport: Contestant = { name: 'passport, openid-client', file: 'passport', ...withRedis, api: ['/api'], renews: false };
export const authExpress: Contestant = { name: '@auth/express', file: 'auth-express', login: 'form with CSRF token', store: 'cookie', api: ['/api'], renews: true };
export const byHand: Contestant = { name: 'backend-for-frontend by hand', file: 'by-hand', settings: { singleFlight: true }, ...withRedis, api: ['/api'], renews: true, note: 'openid-client, express-session; one renewal per session and process' };
export const naive: Contestant = { ...byHand, name: 'naive renewal by hand', settings: { singleFlight: false }, note: 'openid-client, express-session; each request renews' };

export const floors: readonly Contestant[] = [floor1, floor1Claims, floor2];
export const peers: readonly Contestant[] = [openidRedis, openidCookie, passport, authExpress, byHand];
