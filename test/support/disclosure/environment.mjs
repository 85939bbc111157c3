/**
 * The outer half of `watch.ts`, for what a test's own realm does not reach: the random ids that our code makes, the process' streams and
 * warnings, every debug switch of our dependencies, and the end of the test file, after its last hook.
 */
import { Buffer } from 'node:buffer';
import crypto from 'node:crypto';
import { TestEnvironment } from 'jest-environment-node';

const key = Symbol.for('express-code-flow disclosure watch');
const watched = /\/test\/(faults|hostile|integration|providers|redis|security)\//;
/** The authorization server and the test's own client may say what they like. */
const debug = '*,-oidc-provider:*,-superagent*,-koa*';
/** How `debug` begins its lines, in the versions that our dependencies use. */
const debugLine = /^ *(?:\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT) (\S+) /;
/** Express and Connect print the URLs that they route. That of the callback has its code, used up by then and useless without the browser's cookie. */
const printsUrls = /^(?:router|express:router|connect:dispatcher)\b/;

/** Those of the test file that runs now in this process. */
let current;

export default class DisclosureEnvironment extends TestEnvironment {
  #isWatched;
  #debug;

  constructor(config, context) {
    super(config, context);
    // A test of load says so in its first comment: `@jest-environment-options {"debug": false}`; of so much that the search takes longer than
    // the test, `{"watch": false}`.
    const options = config.projectConfig.testEnvironmentOptions;
    this.#isWatched = watched.test(context.testPath) && options.watch !== false;
    this.#debug = options.debug === false ? '' : debug;
  }

  async setup() {
    await super.setup();
    if (!this.#isWatched) return;
    this.global[key] = {};
    current = () => this.global?.[key]?.hooks;
    Object.assign(this.global.process.env, { DEBUG: this.#debug, DEBUG_COLORS: 'no' });
  }

  async handleTestEvent(event, state) {
    if (event.name !== 'run_finish' || !this.#isWatched) return;
    const findings = current()?.findings() ?? ['unknown: nobody watched'];
    if (findings.length > 0) state.unhandledErrors.push(new Error(`secrets were disclosed (THREATS I2, I4, C19):\n${findings.join('\n')}`));
  }

  async teardown() {
    current?.()?.stop();
    current = undefined;
    await super.teardown();
  }
}

/** `setup.ts` gives them, before the test file is loaded. */
const hooks = () => current?.();

/** Not configurable: jest deletes what it can from everything that a test file could reach, at its end. */
function replace(object, name, make) {
  Object.defineProperty(object, name, { value: make(object[name]), writable: true, configurable: false });
}

// Once and for good: some dependency may still talk when its test file has ended.
replace(crypto, 'randomBytes', (randomBytes) => (size, ...callback) => {
  const bytes = randomBytes(size, ...callback);
  if (size === 32 && bytes !== undefined) hooks()?.random(bytes.toString('base64url'));
  return bytes;
});

process.on('warning', ({ name, code, message, detail }) => hooks()?.said('a process warning', `${name} ${code} ${message} ${detail}`));

for (const name of ['stdout', 'stderr']) {
  replace(process[name], 'write', (write) => (chunk, ...rest) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const [, namespace] = debugLine.exec(text) ?? [];
    if (namespace === undefined) {
      hooks()?.said(name, text);
      if (text.includes('planted:')) return true; // watch.ts
      return write.call(process[name], chunk, ...rest);
    }
    // Nobody could read the results of the tests between such lines: they are heard, and swallowed.
    const said = text.replace(debugLine, '');
    hooks()?.said(`the debug output of ${namespace}`, printsUrls.test(namespace) ? said.replace(/\?\S*/g, '') : said);
    return true;
  });
}
