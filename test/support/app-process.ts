/** The test app in a process of its own: for what only several processes show, and for processes that die. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CodeFlowEvents } from '../../lib/events.js';
import type { CodeFlowOptions } from '../../lib/types.js';
import type { ApiServer } from './api-server.js';
import type { Framework } from './apps.js';
import { webClient, type AuthorizationServer } from './authorization-server.js';

export interface AppProcessOptions {
  framework?: Framework;
  authorizationServer: AuthorizationServer;
  api?: ApiServer;
  /** That of the load balancer in front of several processes. Default: where the process listens. */
  baseUrl?: string;
  /** Plain data only; with `redis` a URL. */
  options?: Partial<CodeFlowOptions>;
  /** Further variables of the child. */
  environment?: Readonly<Record<string, string>>;
  /** Hears everything that the child prints, which is otherwise shown. */
  onOutput?: (text: string) => void;
}

/** What the child reads from its environment. */
export interface AppProcessConfiguration {
  framework: Framework;
  baseUrl?: string;
  options: Partial<CodeFlowOptions>;
}

/** What the child tells. */
export type AppProcessMessage = { port: number } | { event: keyof CodeFlowEvents; detail: unknown };

/** The name of the child's environment variable. */
export const configurationVariable = 'APP_PROCESS';

const main = fileURLToPath(new URL('./app-process-main.ts', import.meta.url));

export async function startAppProcess({ framework = 'express5', authorizationServer, api, baseUrl, options = {}, environment = {}, onOutput }: AppProcessOptions): Promise<AppProcess> {
  const { issuer } = authorizationServer;
  const configuration: AppProcessConfiguration = {
    framework,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    options: { provider: { issuer, ...webClient }, ...(api === undefined ? {} : { apis: [api.url] }), ...options } as Partial<CodeFlowOptions>,
  };
  const env = { ...process.env, DEBUG: '', ...environment, [configurationVariable]: JSON.stringify(configuration) };
  const output = onOutput === undefined ? (['ignore', 'inherit'] as const) : (['pipe', 'pipe'] as const);
  const child = fork(main, { execArgv: ['--import', 'tsx'], env, stdio: ['ignore', ...output, 'ipc'] });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => onOutput?.(text));
  const app = new AppProcess(child, baseUrl);
  await app.ready;
  await authorizationServer.registerApp(app.baseUrl);
  return app;
}

export class AppProcess {
  port = 0;
  /** What `auth.on()` told in the child, in order. */
  readonly events: { event: keyof CodeFlowEvents; detail: unknown }[] = [];
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #baseUrl: string | undefined;

  constructor(child: ChildProcess, baseUrl: string | undefined) {
    this.#child = child;
    this.#baseUrl = baseUrl;
    this.ready = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`the app process ended: ${code ?? signal ?? 'unknown'}`)));
      child.on('message', (message: AppProcessMessage) => {
        if ('event' in message) this.events.push(message);
        else {
          this.port = message.port;
          resolve();
        }
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get baseUrl(): string {
    return this.#baseUrl ?? this.origin;
  }

  /** Lets the app close in its own time; resolves with its exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await exited;
    return this.#child.exitCode;
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
