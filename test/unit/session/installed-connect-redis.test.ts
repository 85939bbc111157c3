/** Which connect-redis is installed shows at start-up: each writes in the dialect of another client. */
import { describe, expect, it, jest } from '@jest/globals';
import { checkConnectRedis } from '../../../lib/session/sealed-session-store.js';

interface NodeRedis {
  set(key: string, value: string, ...options: unknown[]): Promise<unknown>;
}

describe('J4: the installed connect-redis', () => {
  it('speaks as ioredis does', () => {
    expect(() => checkConnectRedis()).not.toThrow();
  });

  const dialects: [string, (client: NodeRedis, key: string, value: string) => Promise<unknown>][] = [
    ['connect-redis 9 and node-redis 5', (client, key, value) => client.set(key, value, { expiration: { type: 'EX', value: 1 } })],
    ['node-redis 4', (client, key, value) => client.set(key, value, { EX: 1 })],
    ['somebody who counts milliseconds', (client, key, value) => client.set(key, value, 'PX', 1000)],
    ['somebody who sets no time', (client, key, value) => client.set(key, value, 'EX', undefined)],
    ['nobody', () => Promise.resolve()],
  ];
  it.each(dialects)('is refused at start-up when it speaks as %s', async (_name, write) => {
    jest.resetModules();
    jest.unstable_mockModule('connect-redis', () => ({
      RedisStore: class {
        readonly #client: NodeRedis;
        constructor({ client }: { client: NodeRedis }) {
          this.#client = client;
        }
        async set(id: string): Promise<void> {
          await write(this.#client, `prefix:${id}`, 'probe');
        }
      },
    }));
    const { checkConnectRedis: check } = await import('../../../lib/session/sealed-session-store.js');
    const message = 'the installed connect-redis does not speak to ioredis (9 and later speak to node-redis only): install connect-redis 8.1';
    expect(check).toThrow(expect.objectContaining({ name: 'ConfigurationError', code: 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE', message }));
  });
});
