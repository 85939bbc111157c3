/** Puts the watch on this test file. `environment.mjs` says whether it is one with real parts, and asks for the findings at its end. */
import { listenToAnswers } from './answers.js';
import { planted, printed, watch } from './watch.js';

/** What `environment.mjs`, which is outside the test's own realm, is given to call. */
interface Hooks {
  random(bytes: string): void;
  said(where: string, text: string): void;
  findings(): string[];
  stop(): void;
}

const key = Symbol.for('express-code-flow disclosure watch');
const environment = globalThis as { [key]?: { hooks?: Hooks } };

if (environment[key] !== undefined) {
  listenToConsole();
  environment[key].hooks = {
    random: (value) => watch.secrets.learn('random id', value),
    said: (where, text) => watch.tell(where, text),
    findings: () => watch.findings(),
    stop: listenToAnswers(watch),
  };
}

/** Each test file has a console of its own: it goes away with it. */
function listenToConsole(): void {
  const { console } = globalThis;
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const) {
    const print = console[name].bind(console) as (...all: unknown[]) => void;
    console[name] = (...all: unknown[]) => {
      watch.tell(`console.${name}`, all.map(printed).join(' '));
      if (all[0] !== planted) print(...all);
    };
  }
}
