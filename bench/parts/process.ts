/** A part of the bench in a process of its own, asked by messages. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A port that nothing listens on yet is told first; answers to questions carry their number. */
type Message = Readonly<Record<string, unknown>> & { readonly port?: number; readonly id?: number };

export class Process {
  origin = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: never) => void>();
  #questions = 0;

  protected constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: Message) => {
      if (message.id === undefined) this.heard(message);
      else this.#waiting.get(message.id)?.(message as never);
    });
  }

  /** What it says without being asked. */
  protected heard(_message: Message): void {}

  protected static fork(file: URL, { env = {}, execArgv = [] }: { env?: NodeJS.ProcessEnv; execArgv?: readonly string[] }): ChildProcess {
    return fork(file, { execArgv: [...execArgv], env: { ...process.env, NODE_ENV: 'production', ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Until it listens. */
  protected async listening(): Promise<this> {
    const ended = once(this.#child, 'exit').then(([code]) => Promise.reject(new Error(`a process of the bench ended before it listened (${String(code)})`)));
    ended.catch(() => undefined); // it ends some day
    const [{ port }] = (await Promise.race([once(this.#child, 'message'), ended])) as [{ port: number }];
    this.origin = `http://127.0.0.1:${port}`;
    return this;
  }

  protected ask<T>(question: object): Promise<T> {
    const id = (this.#questions += 1);
    return new Promise((resolve) => {
      this.#waiting.set(id, (answer: T) => {
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#child.send({ ...question, id });
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}
