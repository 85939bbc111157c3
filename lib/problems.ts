/** Telling whoever runs the app of a wrong setup that only running shows: by an event, and by a process warning for those who listen to none. */
import { ConfigurationError } from './errors.js';
import type { CodeFlowErrorCode } from './errors.js';
import type { Events } from './events.js';

/** `key` stands for the problem where the message differs from time to time. */
export type TellProblem = (code: CodeFlowErrorCode, message: string, key?: string) => void;

const ONCE_IN_MS = 60_000;

/** Each problem as an event once a minute, and as a process warning once. `docs/errors.md` has a page for each code. */
export function createProblemTeller(events: Events, monotonic: () => number): TellProblem {
  const toldAt = new Map<string, number>();
  return (code, text, key = text) => {
    const before = toldAt.get(key);
    if (before !== undefined && monotonic() - before < ONCE_IN_MS) return;
    toldAt.set(key, monotonic());
    const { message } = new ConfigurationError(code, text);
    events.emit('configuration.problem', { code, message });
    if (before === undefined) process.emitWarning(message, { code });
  };
}
