import { describe, expect, it } from '@jest/globals';
import { LoginError } from '../../../lib/errors.js';
import { isForTheUser, needsTheUser, withFlag, withoutFlag } from '../../../lib/routes/silent-login.js';

describe('a silent login', () => {
  it.each(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])('needs the user: %s', (error) => {
    expect(needsTheUser(error)).toBe(true);
    expect(isForTheUser(new LoginError('ERR_CODE_FLOW_LOGIN_REFUSED', 'no', { providerError: error }))).toBe(true);
    expect(isForTheUser(Object.assign(new Error('no'), { providerError: error }))).toBe(false);
  });
  it.each([undefined, '', 'access_denied'])('does not need the user: %p', (error) => {
    expect(needsTheUser(error)).toBe(false);
  });
  it('says so with a flag, once, and takes an earlier one away', () => {
    expect(withFlag('https://app.example.com/?a=b&login=old#x')).toBe('https://app.example.com/?a=b&login=required#x');
    expect(withoutFlag('https://app.example.com/?a=b&login=required')).toBe('https://app.example.com/?a=b');
    for (const other of ['https://app.example.com/?login=now', 'https://app.example.com/?a=%41']) expect(withoutFlag(other)).toBe(other);
  });
});
