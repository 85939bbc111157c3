/** Logout tokens that are not what they should be (OpenID Connect Back-Channel Logout §2.6, THREATS H4), each at the route of a real app. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPair, importJWK, type CryptoKey } from 'jose';
import type { CodeFlowEvents, CodeFlowOptions } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/apps.js';
import { createBrowser, type Browser, type Page } from '../support/browser.js';
import { eventually, gate } from '../support/eventually.js';
import { answers, startLyingServer, type Json, type LyingServer } from '../support/lying-server.js';
import { startRedisProxy } from '../support/redis-proxy.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

let server: LyingServer;
let redis: RedisServer;
let app: TestApp;
let alice: Browser;
const refused: CodeFlowEvents['logout.refused'][] = [];

beforeAll(async () => {
  [server, redis] = await Promise.all([startLyingServer(), startRedis()]);
  server.makeIdToken = (claims) => server.sign({ ...claims, sid: 'session-1' });
  app = await start({ redis: redis.url });
  app.auth.on('logout.refused', (detail) => refused.push(detail));
  await app.storeReady;
  alice = await loggedIn(app);
});
afterAll(async () => {
  await app.close();
  await Promise.all([server.close(), redis.stop()]);
});

const start = (options: Partial<CodeFlowOptions>, provider: Json = {}): Promise<TestApp> =>
  startApp('express5', {
    options: { provider: { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret, scope: 'openid', ...provider }, ...options } as Partial<CodeFlowOptions>,
  });

async function loggedIn(at: TestApp): Promise<Browser> {
  const browser = createBrowser();
  expect((await browser.get(`${at.baseUrl}/private`)).status).toBe(200);
  return browser;
}

const isLoggedIn = async (browser = alice, at = app): Promise<boolean> => (await browser.get(`${at.baseUrl}/private`, { navigate: false })).status === 200;

let count = 0;
function claims(changes: Json = {}): Json {
  const now = Math.floor(Date.now() / 1000);
  return { iss: server.issuer, aud: server.clientId, iat: now, exp: now + 120, jti: `token-${(count += 1)}`, events: { [EVENT]: {} }, sid: 'session-1', sub: 'alice', ...changes };
}

const post = (token: string, at = app): Promise<Page> =>
  createBrowser().post(`${at.origin}/backchannel-logout`, { logout_token: token }, { navigate: false, from: server.issuer });

function expectRefused(page: Page): void {
  expect([page.status, page.headers['cache-control'], page.headers['content-type']]).toEqual([400, 'no-store', 'application/json']);
  expect(page.json()).toEqual({ error: 'invalid_request', error_description: expect.any(String) });
}

const now = (): number => Math.floor(Date.now() / 1000);
const signed = (changes: Json = {}, header: Json = {}): Promise<string> => server.sign(claims(changes), header);
const otherKey = async (): Promise<CryptoKey> => (await generateKeyPair('RS256')).privateKey;
const publicKeyAsSecret = (): string => JSON.stringify(server.keys[0]);

describe('H4: refused with the standard\'s error, and nobody is signed out', () => {
  it.each<[string, () => Promise<string> | string]>([
    ['signed with another key', async () => server.sign(claims(), {}, await otherKey())],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-alg-none: an unsigned one', () => server.signByHand(claims(), 'none')],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg: signed with the client secret, which was not agreed on', () => server.signByHand(claims(), 'HS256', server.clientSecret)],
    ['signed with the public key as a secret (RFC 8725 §2.1)', () => server.signByHand(claims(), 'HS256', publicKeyAsSecret())],
    ['RS384, where RS256 was agreed on', async () => server.sign(claims(), { alg: 'RS384' }, (await importJWK(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), 'RS384')) as CryptoKey)],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss', () => signed({ iss: 'https://evil.example' })],
    ['the issuer in another spelling', () => signed({ iss: `${server.issuer}/` })],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud', () => signed({ aud: 'another client' })],
    ['no `aud`', () => signed({ aud: undefined })],
    ['no `iat`', () => signed({ iat: undefined })],
    ['an `iat` of long ago', () => signed({ iat: now() - 3600 })],
    ['an `iat` in the future', () => signed({ iat: now() + 3600, exp: now() + 3700 })],
    ['no `exp`', () => signed({ exp: undefined })],
    ['over', () => signed({ iat: now() - 300, exp: now() - 120 })],
    ['no `jti`', () => signed({ jti: undefined })],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-no-event', () => signed({ events: undefined })],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event', () => signed({ events: { 'http://schemas.openid.net/event/other': {} } })],
    ['an event that is no object', () => signed({ events: { [EVENT]: true } })],
    ['oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce: an ID Token in disguise', () => signed({ nonce: 'n' })],
    ['neither `sub` nor `sid`', () => signed({ sub: undefined, sid: undefined })],
    ['a `sid` that is no text', () => signed({ sid: { $ne: '' } })],
    ['another type of token', () => signed({}, { typ: 'at+jwt' })],
    ['extensions that we do not know', () => server.signByHand(claims(), 'RS256', 'x').replace(/^[^.]+/, Buffer.from('{"alg":"RS256","crit":["b64"],"b64":false}').toString('base64url'))],
    ['no JWT', () => 'rubbish'],
    ['an encrypted one', () => 'a.b.c.d.e'],
    ['nothing', () => ''],
  ])('%s', async (_name, token) => {
    const before = refused.length;
    expectRefused(await post(await token()));
    expect(refused.slice(before)).toEqual([{ by: 'backchannel', reason: expect.any(String) }]);
    expect(await isLoggedIn()).toBe(true);
  });

  it('no form, two tokens, or not by POST', async () => {
    const url = `${app.origin}/backchannel-logout`;
    const token = await signed();
    expectRefused(await createBrowser().post(url, {}, { navigate: false, body: JSON.stringify({ logout_token: token }), headers: { 'Content-Type': 'application/json' } }));
    expectRefused(await createBrowser().post(url, {}, { navigate: false, body: `logout_token=${token}&logout_token=${token}` }));
    expectRefused(await createBrowser().get(`${url}?logout_token=${token}`, { navigate: false }));
    expect(await isLoggedIn()).toBe(true);
  });
});

describe('what counts', () => {
  it.each<[string, Json, Json]>([
    ['by `sid` and `sub`', {}, { typ: 'logout+jwt' }],
    ['by `sid` alone', { sub: undefined }, { typ: 'application/logout+jwt' }],
    ['by `sub` alone, to several clients, without a `kid`', { sid: undefined, aud: ['web', 'other'] }, { typ: 'JWT', kid: undefined }],
  ])('%s: 200, and the login is over', async (_name, changes, header) => {
    server.makeIdToken = (token) => server.sign({ ...token, sid: `session-${(count += 1)}` });
    const browser = await loggedIn(app);
    const answer = await post(await signed({ sid: `session-${count}`, ...changes }, header));
    expect([answer.status, answer.text, answer.headers['cache-control']]).toEqual([200, '', 'no-store']);
    expect(await isLoggedIn(browser)).toBe(false);
  });

  it('of another session of the same user: nothing of this one', async () => {
    const browser = await loggedIn(app);
    expect((await post(await signed({ sid: 'session-of-another-browser' }))).status).toBe(200);
    expect(await isLoggedIn(browser)).toBe(true);
  });

  it('H4: once: a token that comes again ends no later login', async () => {
    const token = await signed({ sid: undefined, sub: 'alice' });
    expect((await post(token)).status).toBe(200);
    server.makeIdToken = (made) => server.sign({ ...made, sid: 'a later session' });
    const browser = await loggedIn(app);
    expectRefused(await post(token));
    expect(await isLoggedIn(browser)).toBe(true);
  });

  it('signed with a key that is newer than those that we know', async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const { exportJWK } = await import('jose');
    const fresh = await start({}, { clientMetadata: { id_token_signed_response_alg: 'ES256' } });
    const before = server.count('keys');
    server.keys = [...server.keys, { ...(await exportJWK(pair.publicKey)), kid: 'newer', alg: 'ES256' }];
    expect((await post(await server.sign(claims(), { alg: 'ES256', kid: 'newer' }, pair.privateKey), fresh)).status).toBe(200);
    // Who asks for keys that nobody has does not make us ask for each.
    for (let time = 0; time < 5; time++) expect((await post(await server.sign(claims(), { alg: 'ES256', kid: `unknown-${time}` }, pair.privateKey), fresh)).status).toBe(503);
    expect(server.count('keys')).toBe(before + 1);
    await fresh.close();
  });

  it('D6: signed with a key that is newer than those that a login has just asked for', async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const { exportJWK } = await import('jose');
    server.makeIdToken = (token) => server.sign({ ...token, sid: 'before the new key' });
    const own = await start({ redis: undefined });
    const browser = await loggedIn(own);
    server.keys = [...server.keys, { ...(await exportJWK(pair.publicKey)), kid: 'after the login', alg: 'RS256' }];
    expect((await post(await server.sign(claims({ sid: 'before the new key' }), { kid: 'after the login' }, pair.privateKey), own)).status).toBe(200);
    expect(await isLoggedIn(browser, own)).toBe(false);
    await own.close();
  });

  it('not with a key that is for something else (RFC 7517 §4.3)', async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const { exportJWK } = await import('jose');
    server.keys = [...server.keys, { ...(await exportJWK(pair.publicKey)), kid: 'for encryption', key_ops: ['encrypt'] }];
    const own = await start({ redis: undefined });
    expectRefused(await post(await server.sign(claims(), { kid: 'for encryption' }, pair.privateKey), own));
    await own.close();
  });

  it('signed with the client secret, where that was agreed on; in the memory of one process', async () => {
    const own = await start({ redis: undefined }, { clientMetadata: { id_token_signed_response_alg: 'HS256' } });
    server.makeIdToken = (token) => server.signByHand({ ...token, sid: 'in memory' }, 'HS256', server.clientSecret);
    const browser = await loggedIn(own);
    expectRefused(await post(await signed({ sid: 'in memory' }), own));
    expect(await isLoggedIn(browser, own)).toBe(true);
    const token = server.signByHand(claims({ sid: 'in memory' }), 'HS256', server.clientSecret);
    expect((await post(token, own)).status).toBe(200);
    expect(await isLoggedIn(browser, own)).toBe(false);
    expectRefused(await post(token, own));
    await own.close();
  });

  it('with several providers, for the one that is meant; with a function, by the path', async () => {
    const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret, scope: 'openid' };
    const other = { ...provider, clientId: 'another', callbackPath: '/callback/other' };
    server.makeIdToken = (token) => server.sign({ ...token, sid: 'one of several' });
    const listed = await start({ provider: undefined, providers: { main: { ...provider, callbackPath: '/callback/main' }, other } });
    const browser = await loggedIn(listed);
    expect((await post(await signed({ sid: 'one of several', aud: 'another' }), listed)).status).toBe(200);
    expect(await isLoggedIn(browser, listed)).toBe(true);
    expect((await post(await signed({ sid: 'one of several' }), listed)).status).toBe(200);
    expect(await isLoggedIn(browser, listed)).toBe(false);
    await listed.close();

    const found = await start({ provider: undefined, providers: (name: string) => (name === 'tenant' ? { ...provider, callbackPath: '/callback/tenant' } : undefined) });
    const tenant = createBrowser();
    await tenant.get(`${found.baseUrl}/login?provider=tenant&returnTo=/private`);
    const form = async (): Promise<Record<string, string>> => ({ logout_token: await signed({ sid: 'one of several' }) });
    expectRefused(await createBrowser().post(`${found.origin}/backchannel-logout`, await form(), { navigate: false }));
    expectRefused(await createBrowser().post(`${found.origin}/backchannel-logout/nobody`, await form(), { navigate: false }));
    expect(await isLoggedIn(tenant, found)).toBe(true);
    expect((await createBrowser().post(`${found.origin}/backchannel-logout/tenant`, await form(), { navigate: false })).status).toBe(200);
    expect(await isLoggedIn(tenant, found)).toBe(false);
    await found.close();
  });
});

describe('what could not be carried out is to be sent again', () => {
  it('H7: Redis is down: 503, and the same token counts when it is back', async () => {
    server.makeIdToken = (token) => server.sign({ ...token, sid: 'during an outage' });
    const token = await signed({ sid: 'during an outage' });
    await redis.kill();
    const answer = await post(token);
    expect([answer.status, answer.headers['cache-control'], Number(answer.headers['retry-after'])]).toEqual([503, 'no-store', expect.any(Number)]);
    expect(answer.json()).toEqual({ error: 'temporarily_unavailable', error_description: expect.any(String) });
    await redis.restart();
    const browser = await eventually(() => loggedIn(app).catch(() => undefined));
    expect((await post(token)).status).toBe(200);
    expect(await isLoggedIn(browser)).toBe(false);
  });

  it('H7: of one token for two registrations, whichever part was not done: it counts there when it comes again', async () => {
    const proxy = await startRedisProxy(redis.port);
    const provider = { issuer: server.issuer, clientId: server.clientId, clientSecret: server.clientSecret, scope: 'openid' };
    const both = await start({ redis: proxy.url, provider: undefined, providers: { first: { ...provider, clientId: 'another' }, second: provider } });
    server.makeIdToken = (token) => server.sign({ ...token, sid: 'of two' });
    const browser = createBrowser();
    await browser.get(`${both.baseUrl}/login?provider=second&returnTo=/private`);
    expect(await isLoggedIn(browser, both)).toBe(true);
    const token = await signed({ sid: 'of two', aud: ['another', server.clientId] });
    const gone = gate();
    const firstDone = proxy.next('set', { holdUntil: gone.opened });
    const answer = post(token, both);
    await firstDone;
    proxy.every('getex', 'cut');
    gone.open();
    expect((await answer).status).toBe(503);
    proxy.resume();
    expect((await post(token, both)).status).toBe(200);
    expect(await isLoggedIn(browser, both)).toBe(false);
    expectRefused(await post(token, both));
    await both.close();
    await proxy.stop();
  });

  it('the server\'s keys are out of reach', async () => {
    const cold = await start({ redis: undefined });
    server.answers.keys = answers.reset();
    expect((await post(await signed(), cold)).status).toBe(503);
    delete server.answers.keys;
    const token = await signed();
    const answer = await eventually(async () => {
      const page = await post(token, cold);
      return page.status === 200 ? page : undefined;
    });
    expect(answer.status).toBe(200);
    await cold.close();
  });

  it('D6: a flood of made-up tokens while the keys are out of reach makes us ask for them once in a while', async () => {
    const cold = await start({ redis: undefined });
    server.answers.keys = answers.json({}, 500);
    const before = server.count('keys');
    const forged = await server.sign(claims(), {}, await otherKey());
    for (let time = 0; time < 30; time++) expect((await post(forged, cold)).status).toBe(503);
    delete server.answers.keys;
    expect(server.count('keys') - before).toBeLessThanOrEqual(2);
    await cold.close();
  });
});
