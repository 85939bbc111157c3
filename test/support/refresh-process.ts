/** The test app in a process of its own that dies, or stands still, at a named point of its first refresh. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AppProcess } from './app-process.js';
import { webClient } from './authorization-server.js';
import { shortTimeouts, type FaultWorld } from './fault-world.js';
import { configurationVariable, type RefreshProcessConfiguration } from './refresh-process-configuration.js';

export type { RefreshPoint } from './refresh-process-configuration.js';

const main = fileURLToPath(new URL('./refresh-process-main.ts', import.meta.url));

export async function startRefreshProcess(world: FaultWorld, fault: Pick<RefreshProcessConfiguration, 'at' | 'standStillMs'> = {}): Promise<RefreshProcess> {
  const provider = { issuer: world.authorizationServer.issuer, ...webClient };
  const configuration: RefreshProcessConfiguration = { options: { ...shortTimeouts, provider, apis: [world.api.url], redis: world.redis.url }, ...fault };
  const env = { ...process.env, DEBUG: '', [configurationVariable]: JSON.stringify(configuration) };
  const child = fork(main, { execArgv: ['--import', 'tsx'], env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const started = new RefreshProcess(child);
  await started.ready;
  return started;
}

export class RefreshProcess extends AppProcess {
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  readonly #process: ChildProcess;

  constructor(child: ChildProcess) {
    super(child, undefined);
    this.#process = child;
    this.ended = once(child, 'exit').then(([code, signal]: unknown[]) => (signal ?? code) as number | string | null);
  }

  /** As a process manager does that wants it to end in order. */
  terminate(): void {
    this.#process.kill('SIGTERM');
  }
}
