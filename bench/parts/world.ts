/** What all contestants share: one authorization server with its API, and one Redis. */
import type { CommandCounter } from '../../test/support/command-counter.js';
import { startRedis, type RedisServer } from '../../test/support/redis-server.js';
import type { ServerFacts, ServerSettings } from '../authorization-server.js';
import { Process } from './process.js';

export class AuthorizationServer extends Process {
  static async start(): Promise<AuthorizationServer> {
    const file = new URL('../authorization-server.ts', import.meta.url);
    return new AuthorizationServer(Process.fork(file, { execArgv: ['--import', 'tsx'] })).listening();
  }

  /** Answers what happened since the last time. */
  async set(change: Partial<ServerSettings>): Promise<ServerFacts> {
    return (await this.ask<{ facts: ServerFacts }>({ change })).facts;
  }

  facts(): Promise<ServerFacts> {
    return this.set({});
  }
}

export interface World {
  readonly server: AuthorizationServer;
  readonly redis: RedisServer;
  /** What every contestant is told. */
  readonly settings: Readonly<Record<string, unknown>>;
  commandCounter(): Promise<CommandCounter>;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const [server, redis] = await Promise.all([AuthorizationServer.start(), startRedis()]);
  const settings = {
    issuer: server.origin,
    clientId: 'bench',
    clientSecret: 'the secret of the client of the bench',
    api: `${server.origin}/v1/orders`,
    bearer: 'a-token-that-never-changes',
    redis: redis.url,
  };
  return {
    server,
    redis,
    settings,
    commandCounter: () => redis.commandCounter(),
    async stop() {
      await Promise.all([server.stop(), redis.stop()]);
    },
  };
}
