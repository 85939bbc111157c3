import { describe, expect, it } from '@jest/globals';
import { createSealer, hashId } from '../../../lib/seal.js';
import { openSessionHandle, sessionHandle } from '../../../lib/session/session-handle.js';

const [secret, older] = ['a secret for tests only: 4yVqD0sZ8nKcJm2T', 'another secret for tests only: 9pWzR3xL6vHbTq1F'];
const sealer = createSealer([secret]);
const login = { session: hashId('a session id'), grant: hashId('a grant id') };
const handle = sessionHandle(sealer, login);

describe('the name of a session for the app', () => {
  it('names it again, the same each time, and shows none of its ids', () => {
    expect(openSessionHandle(sealer, handle)).toEqual(login);
    expect(sessionHandle(sealer, login)).toBe(handle);
    expect(handle).not.toContain('a session id');
  });

  it('opens with every secret of the list, and with no other', () => {
    expect(openSessionHandle(createSealer([older, secret]), handle)).toEqual(login);
    expect(openSessionHandle(createSealer([older]), handle)).toBeUndefined();
  });

  const [session = '', grant = '', mac = ''] = handle.split('.');
  const other = hashId('another');
  it.each([
    ['nothing', ''],
    ['two hashes alone', `${session}.${grant}`],
    ['another session', `${other}.${grant}.${mac}`],
    ['another grant', `${session}.${other}.${mac}`],
    ['the two in each other\'s place', `${grant}.${session}.${mac}`],
    ['another signature', `${session}.${grant}.${other}`],
    ['more behind it', `${handle}x`],
    ['a line behind it', `${handle}\n`],
    ['more before it', `x${handle}`],
    ['a fourth part', `${handle}.${mac}`],
    ['a shorter part', `${session.slice(1)}.${grant}.${mac}`],
  ])('is not made up: %s', (_name, made) => {
    expect(openSessionHandle(sealer, made)).toBeUndefined();
  });
});
