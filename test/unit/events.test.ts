import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createEvents } from '../../lib/events.js';
import { eventually } from '../support/eventually.js';

afterEach(() => void jest.restoreAllMocks());

describe('G9: a listener of the app', () => {
  const failure = new Error('sentinel: what the listener knows');
  it.each<[string, () => unknown]>([
    ['throws', () => { throw failure; }],
    ['rejects', () => Promise.reject(failure)],
  ])('that %s keeps no other from hearing, and becomes a warning that tells nothing of it', async (_how, listener) => {
    const warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const events = createEvents();
    const heard: unknown[] = [];
    events.on('store.ready', listener);
    events.on('store.ready', (detail) => heard.push(detail));
    events.emit('store.ready', {});
    await eventually(() => warned.mock.calls.length > 0);
    expect([heard, warned.mock.calls]).toEqual([[{}], [["a listener of 'store.ready' threw", { code: 'CODE_FLOW_LISTENER' }]]]);
  });
});
