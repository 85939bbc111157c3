import { describe, expect, it } from '@jest/globals';
import type { CustomFetchOptions } from 'openid-client';
import { styledTokenRequest } from '../../../lib/provider/token-request.js';

const form = (): CustomFetchOptions => ({
  method: 'POST',
  headers: { accept: 'application/json', authorization: 'Basic x', 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
  body: new URLSearchParams({ grant_type: 'authorization_code', code: 'a+b &=ü"', redirect_uri: 'https://app.example.com/callback' }),
  redirect: 'manual',
});

describe('a token request', () => {
  it('is what openid-client made, where the server follows RFC 6749', () => {
    const init = form();
    expect(styledTokenRequest(init, { tokenRequestFormat: 'form', redirectUriInTokenRequest: true })).toBe(init);
  });

  it('is JSON with exactly the same parameters and the other headers', () => {
    const { headers, body, ...rest } = styledTokenRequest(form(), { tokenRequestFormat: 'json', redirectUriInTokenRequest: true });
    expect(JSON.parse(body as string)).toEqual({ grant_type: 'authorization_code', code: 'a+b &=ü"', redirect_uri: 'https://app.example.com/callback' });
    expect(headers).toEqual({ accept: 'application/json', authorization: 'Basic x', 'content-type': 'application/json' });
    expect(rest).toEqual({ method: 'POST', redirect: 'manual' });
  });

  it.each(['form', 'json'] as const)('goes without its redirect_uri where the server knows none: %s', (tokenRequestFormat) => {
    const { body } = styledTokenRequest(form(), { tokenRequestFormat, redirectUriInTokenRequest: false });
    const parameters = typeof body === 'string' ? JSON.parse(body) : Object.fromEntries(body as URLSearchParams);
    expect(parameters).toEqual({ grant_type: 'authorization_code', code: 'a+b &=ü"' });
  });
});
