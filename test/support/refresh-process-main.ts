/**
 * The child of `refresh-process.ts`. The package knows nothing of it: the points are reached in what is handed to it, the
 * `fetch` option and the client that `redis.duplicate()` returns.
 */
import { Redis } from 'ioredis';
import type { AppProcessMessage } from './app-process.js';
import { startApp } from './apps.js';
import { eventNames } from './event-names.js';
import { commandName } from './redis-proxy.js';
import { configurationVariable, type RefreshPoint, type RefreshProcessConfiguration } from './refresh-process-configuration.js';

const { options, at, standStillMs } = JSON.parse(process.env[configurationVariable]!) as RefreshProcessConfiguration;
let isArmed = false;

function reached(point: RefreshPoint): void {
  if (point !== at || !isArmed) return;
  isArmed = false;
  if (standStillMs === undefined) process.kill(process.pid, 'SIGKILL');
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, standStillMs);
}

type Send = (...words: unknown[]) => Promise<unknown>;

function watched(client: Redis): Redis {
  const send = client.callBuffer.bind(client) as Send;
  const watching: Send = async (...words) => {
    const name = commandName([String(words[0]), String(words[1])]);
    reached(`before ${name}` as RefreshPoint);
    const reply = await send(...words);
    reached(`after ${name}` as RefreshPoint);
    return reply;
  };
  return Object.assign(client, { callBuffer: watching });
}

const watchedFetch: typeof fetch = async (input, init) => {
  const body: unknown = init?.body;
  if (!(body instanceof URLSearchParams) || body.get('grant_type') !== 'refresh_token') return fetch(input, init);
  reached('before the token request');
  const answer = await fetch(input, init);
  const text = await answer.text();
  reached('after the token answer');
  return new Response(text, { status: answer.status, headers: answer.headers });
};

const redis = new Redis(options.redis, { lazyConnect: true });
const duplicate = redis.duplicate.bind(redis);
Object.assign(redis, { duplicate: (...given: Parameters<typeof duplicate>) => watched(duplicate(...given)) });

const app = await startApp('express5', { options: { ...options, redis, fetch: watchedFetch } });
for (const event of eventNames) app.auth.on(event, (detail) => tell({ event, detail }));
// The request has been answered by the time this is reached, or is about to be: the commit is confirmed.
app.auth.on('refresh.committed', () => setImmediate(() => reached('after the refresh')));

process.once('disconnect', () => end(app.close()));
process.once('SIGTERM', () => end(app.drain()));
// The start-up round trip runs every script once, for nobody.
await app.storeReady;
isArmed = true;
tell({ port: app.port });

function end(closing: Promise<void>): void {
  closing.then(
    () => {
      redis.disconnect();
      if (process.connected) process.disconnect();
    },
    (error: unknown) => process.emitWarning(String(error)),
  );
}

function tell(message: AppProcessMessage): void {
  // The parent may have let go meanwhile: then nobody wants to know.
  if (process.connected) process.send!(message);
}
