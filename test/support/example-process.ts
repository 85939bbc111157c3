/** The example app as `npm start` runs it, on free ports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Example {
  readonly url: string;
  /** Everything that it printed, line by line. */
  readonly output: readonly string[];
  /** Asks it to end, as Ctrl+C does; resolves with its exit code. */
  stop(): Promise<number | null>;
}

export async function startExample(environment: Readonly<Record<string, string>> = {}): Promise<Example> {
  // Flags for jest are not meant for the example.
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = { ...inherited, PORT: '0', ...environment };
  const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/start.ts'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    const listen = (line: string): void => {
      output.push(line);
      const address = /http:\/\/[^\s]+/.exec(line)?.[0];
      if (address !== undefined) resolve(address);
    };
    createInterface({ input: child.stdout }).on('line', listen);
    createInterface({ input: child.stderr }).on('line', listen);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the example ended:\n${output.join('\n')}`)));
  });
  return { url, output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }
  return child.exitCode;
}
