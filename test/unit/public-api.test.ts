import { describe, expect, it } from '@jest/globals';
import * as api from '../../lib/index.js';

/** A name is added here together with its line in the README, and never leaves. */
const approved = [
  'AccessDeniedError',
  'AuthenticationRequiredError',
  'CodeFlowError',
  'ConfigurationError',
  'LoginError',
  'ProviderError',
  'StoreError',
  'codeFlow',
  'handleAuthErrors',
  'requireAuth',
];

describe('the public API', () => {
  it('exports what was approved, and nothing else', () => {
    expect(Object.keys(api).sort()).toEqual(approved);
  });

  it('tells its errors apart by class', () => {
    const errors = [
      api.AccessDeniedError,
      api.AuthenticationRequiredError,
      api.ConfigurationError,
      api.LoginError,
      api.ProviderError,
      api.StoreError,
    ];
    for (const error of errors) expect(error.prototype).toBeInstanceOf(api.CodeFlowError);
  });
});
