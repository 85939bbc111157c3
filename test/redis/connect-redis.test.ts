/** The installed connect-redis has to speak to ioredis: one that does not is named before the app starts. */
import { describe, expect, it, jest } from '@jest/globals';

/** `SET` as connect-redis 9 and 10 send it, in the grammar of node-redis: a real Redis would answer `ERR syntax error` to ioredis. */
class RedisStore {
  readonly client: { set(key: string, value: string, options: unknown): Promise<unknown> };

  constructor({ client }: { client: RedisStore['client'] }) {
    this.client = client;
  }

  async set(id: string, session: unknown): Promise<void> {
    await this.client.set(`sess:${id}`, JSON.stringify(session), { expiration: { type: 'EX', value: 86_400 } });
  }
}

describe('connect-redis 9 and later', () => {
  it('are refused at start-up, with the version to install', async () => {
    jest.unstable_mockModule('connect-redis', () => ({ RedisStore }));
    const { codeFlow } = await import('../../lib/index.js');
    const options = { baseUrl: 'http://127.0.0.1:3000', secret: 'a secret for tests only: 4yVqD0sZ8nKcJm2T', provider: { issuer: 'http://127.0.0.1:9', clientId: 'web' } };
    expect(() => codeFlow(options)).toThrow(
      expect.objectContaining({
        name: 'ConfigurationError',
        code: 'ERR_CODE_FLOW_REDIS_INCOMPATIBLE',
        message: 'the installed connect-redis does not speak to ioredis (9 and later speak to node-redis only): install connect-redis 8.1',
      }),
    );
  });
});
