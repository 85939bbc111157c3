/** The record of one login in Redis as a test sees and moves it: a test need not wait for what the record's instants say. */
import type { Redis } from 'ioredis';
import { hashId } from '../../lib/seal.js';

export class GrantRecord {
  readonly key: string;
  readonly #redis: Redis;

  constructor(redis: Redis, grantId: string) {
    this.#redis = redis;
    this.key = `ecf:g:{${hashId(grantId)}}`;
  }

  /** Bytes as Latin-1. */
  async fields(): Promise<Record<string, string>> {
    const fields = await this.#redis.hgetallBuffer(this.key);
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.toString('latin1')]));
  }

  /** The sealed tokens. */
  async sealed(): Promise<Buffer> {
    return (await this.#redis.hgetBuffer(this.key, 'ct')) ?? Buffer.alloc(0);
  }

  async plant(sealed: Buffer | string): Promise<void> {
    await this.#redis.hset(this.key, 'ct', sealed);
  }

  /** 0: there is none. */
  async version(): Promise<number> {
    return Number(await this.#redis.hget(this.key, 'v'));
  }

  /** The owner of the lock, if there is one, even if its time is over. */
  async lockOwner(): Promise<string | undefined> {
    return (await this.#redis.hget(this.key, 'lk')) ?? undefined;
  }

  async lockLeftMs(): Promise<number> {
    return this.#leftMs('lx');
  }

  async backOffLeftMs(): Promise<number> {
    return this.#leftMs('nb');
  }

  /**
   * Lets time pass for this record alone: for its scripts, which compare its instants with Redis' clock and nothing else, the
   * same as a wait, or as a jump of that clock. Negative: back.
   */
  async pass(seconds: number): Promise<void> {
    const milliseconds = Math.round(seconds * 1000);
    for (const name of Object.keys(await this.fields())) {
      if (name === 'lx' || name === 'nb' || /^(?:x|nb):/.test(name)) await this.#redis.hincrby(this.key, name, -milliseconds);
    }
  }

  /** The access tokens are over, for every process that does not remember them. */
  async expireTokens(): Promise<void> {
    await this.setTokensLeft(-1);
  }

  async setTokensLeft(seconds: number): Promise<void> {
    const end = Math.round((await this.#now()) + seconds * 1000);
    for (const name of Object.keys(await this.fields())) if (name.startsWith('x:')) await this.#redis.hset(this.key, name, end);
  }

  /** For a fail-over that loses what came after it. */
  async snapshot(): Promise<() => Promise<void>> {
    const before = await this.#redis.hgetallBuffer(this.key);
    return async () => {
      await this.#redis.multi().del(this.key).hset(this.key, before).pexpire(this.key, 3_600_000).exec();
    };
  }

  async #leftMs(field: string): Promise<number> {
    const end = await this.#redis.hget(this.key, field);
    return end === null ? 0 : Number(end) - (await this.#now());
  }

  async #now(): Promise<number> {
    const [seconds, microseconds] = await this.#redis.time();
    return Number(seconds) * 1000 + Number(microseconds) / 1000;
  }
}
