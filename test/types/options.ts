/** Options that contradict each other do not compile. `npm run typecheck` is the test: an error that is expected and missing fails it. */
import { codeFlow } from 'express-code-flow';

const provider = { issuer: 'https://id.example.com', clientId: 'web' };
const server = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
};
const baseUrl = 'https://app.example.com';
const secret = process.env['SESSION_SECRET'];

codeFlow({ provider, baseUrl, secret });
codeFlow({ provider: { server, clientId: 'web' }, baseUrl, secret: ['first', 'second'] });
codeFlow({ provider, baseUrl, secret, routes: { login: false, logout: false }, session: { sameSite: 'strict' } });
codeFlow({ provider, baseUrl, secret, apis: ['https://api.example.com/', { url: 'https://b.example.com/', resource: 'urn:b' }] });

codeFlow({ provider, baseUrl, secret, trustedOrigins: ['https://admin.example.com'] });
codeFlow({ provider, baseUrl, secret, clearSiteData: ['cache'], routes: { backchannelLogout: false, frontchannelLogout: '/front' } });

codeFlow({ provider: { ...provider, server: { token_endpoint: 'http://id.internal/token' } }, baseUrl, secret });
codeFlow({ providers: { acme: provider, beta: { server, clientId: 'web' } }, baseUrl, secret, apis: [{ url: 'https://api.example.com/', provider: 'acme' }] });
codeFlow({ providers: (name) => (name === 'acme' ? provider : undefined), baseUrl, secret });
codeFlow({ providers: async (name) => ({ ...provider, clientId: name }), baseUrl, secret });

codeFlow({ provider, baseUrl, secret, routes: { session: '/session' }, sessionClaims: ['name'] });

// @ts-expect-error -- claims are named; a function would have to be trusted with all of them
codeFlow({ provider, baseUrl, secret, sessionClaims: () => ({}) });

// @ts-expect-error -- one provider, or several by name, never both
codeFlow({ provider, providers: { acme: provider }, baseUrl, secret });

// @ts-expect-error -- a provider needs one of both
codeFlow({ provider: { clientId: 'web' }, baseUrl, secret });

// @ts-expect-error -- the app's id at the server cannot be guessed
codeFlow({ provider: { issuer: 'https://id.example.com' }, baseUrl, secret });

// @ts-expect-error -- no secret, no seal: a forgotten line must not compile, an unset variable fails at start-up
codeFlow({ provider, baseUrl });

// @ts-expect-error -- URLs that are sent out are built from it
codeFlow({ provider, secret });

// @ts-expect-error -- a misspelt option
codeFlow({ provider, baseUrl, secret, baseURL: baseUrl });

// @ts-expect-error -- origins are compared letter by letter: no patterns
codeFlow({ provider, baseUrl, secret, trustedOrigins: [/example\.com$/] });

// @ts-expect-error -- THREATS G2: protection is where the route is; there are no exempted paths
codeFlow({ provider, baseUrl, secret, skip: [/^\/public/] });

// @ts-expect-error -- SameSite=None would send the session with every cross-site request
codeFlow({ provider, baseUrl, secret, session: { sameSite: 'none' } });

// @ts-expect-error -- a login that cannot come back is none
codeFlow({ provider, baseUrl, secret, routes: { callback: false } });

// @ts-expect-error -- it would take the cookies of an authorization server on the same domain
codeFlow({ provider, baseUrl, secret, clearSiteData: ['cookies'] });
