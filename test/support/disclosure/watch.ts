/**
 * THREATS I2 to I4, C19: what an app of the tests lets out, and every secret that the tests' servers and our own code make, so that the one
 * can be searched for the other. It is always on in the suites with real parts: `setup.ts` and `environment.mjs` feed it.
 */
import type { Server, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { Secrets } from './secrets.js';

/** Begins what a test lets out on purpose through streams and console: it is heard like anything else, and not printed. */
export const planted = 'planted:';

/** Enough of any answer; some servers of the tests answer without end. */
const longestText = 300_000;
/** Tests with thousands of requests say the same thousands of times: their time is not for searching it. */
const mostOfOneKind = 2000;

interface AnswersOf {
  isApp: boolean;
  readonly texts: Map<string, string>;
}

export class DisclosureWatch {
  readonly secrets = new Secrets();
  /** By text, so that what is said a thousand times is searched once; the value says where. */
  readonly #told = new Map<string, string>();
  readonly #answers = new Map<Server, AnswersOf>();
  readonly #counts = new Map<string, number>();
  readonly #objections = new Set<string>();
  readonly #byApp = new WeakSet<ServerResponse>();

  /** Text that people or other systems may see. */
  tell(where: string, text: string): void {
    if (this.#isWanted(where)) this.#told.set(text.slice(0, longestText), where);
  }

  #isWanted(where: string): boolean {
    const count = (this.#counts.get(where) ?? 0) + 1;
    this.#counts.set(where, count);
    return count <= mostOfOneKind;
  }

  /** Printed in each way in which people print errors: to full depth, with what is hidden, as text, as JSON. */
  tellValue(where: string, value: unknown): void {
    if ((this.#counts.get(where) ?? 0) > mostOfOneKind) return;
    for (const print of [printed, String, (it: unknown) => JSON.stringify({ it })]) {
      try {
        this.tell(where, print(value));
      } catch {
        // A getter that throws, or a circle in JSON: then nobody can print it in this way.
      }
    }
  }

  /** What this server sends. Only answers of apps are searched: those of authorization servers are full of tokens. */
  answered(server: Server, isApp: boolean, where: string, text: string): void {
    const answers = this.#answers.get(server) ?? { isApp, texts: new Map<string, string>() };
    answers.isApp ||= isApp;
    if (this.#isWanted(where)) answers.texts.set(text, where);
    this.#answers.set(server, answers);
  }

  /** An answer that looks as it must not (`shape.ts`). */
  object(what: string): void {
    this.#objections.add(what);
  }

  /** A handler of the app's own answers: what it tells of `req.oauth.grantId` is its business. */
  answersByApp(res: ServerResponse): void {
    this.#byApp.add(res);
  }

  isByApp(res: ServerResponse): boolean {
    return this.#byApp.has(res);
  }

  /** Whom and what an app's options name. */
  learnOptions(options: unknown): void {
    walk(options, (name, value) => {
      if (name === 'clientSecret' || name === 'privateKey' || name === 'd') this.secrets.learn('client secret', value.replace(/-----[A-Z ]+-----/g, ''));
      if (name === 'secret') this.secrets.learn('session secret', value);
    });
  }

  /** Kind and place of each leak, never its value. */
  findings(): string[] {
    const search = this.secrets.index();
    const found = new Set(this.#objections);
    const look = (text: string, where: string): void => {
      for (const kind of search(text)) found.add(`${kind} in ${where}`);
    };
    for (const [text, where] of this.#told) look(text, where);
    for (const { isApp, texts } of this.#answers.values()) if (isApp) for (const [text, where] of texts) look(text, where);
    return [...found];
  }

  /** The findings so far, which are then forgotten: for tests that leak on purpose. */
  drain(): string[] {
    const findings = this.findings();
    this.#told.clear();
    this.#objections.clear();
    this.#counts.clear();
    for (const { texts } of this.#answers.values()) texts.clear();
    return findings;
  }
}

export function printed(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { depth: null, showHidden: true, maxStringLength: null, maxArrayLength: null });
}

/** Every text in plain data, with the name of the member that it is, or that its list is. */
function walk(value: unknown, visit: (name: string, text: string) => void, name = ''): void {
  if (typeof value === 'string') visit(name, value);
  else if (Array.isArray(value)) for (const item of value) walk(item, visit, name);
  else if (isPlain(value)) for (const [key, item] of Object.entries(value)) walk(item, visit, key);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(Object.getPrototypeOf(value) ?? {}) === null;
}

/** The one of this test file. */
export const watch = new DisclosureWatch();
