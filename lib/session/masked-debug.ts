/**
 * With `DEBUG=*` or `DEBUG=express-session`, express-session prints session ids and whole cookies (THREATS C19). Its lines stay, the values in
 * them are masked.
 */
import { createRequire } from 'node:module';

/** What we use of `debug`, in express-session's copy of it: where its lines go, with the printing function as `this`. */
interface Debug {
  log: (this: { namespace?: string }, format: unknown, ...values: unknown[]) => void;
}

export function maskExpressSessionDebug(): void {
  const debug = debugOfExpressSession();
  if (debug === undefined) return;
  const { log } = debug;
  debug.log = function (format, ...values) {
    log.call(this, format, ...(this.namespace === 'express-session' ? values.map(() => '[masked]') : values));
  };
}

function debugOfExpressSession(): Debug | undefined {
  try {
    const require = createRequire(import.meta.url);
    return createRequire(require.resolve('express-session'))('debug') as Debug;
  } catch {
    return undefined; // bundled into one file with the app: there is no module of its own to be found, and the app has to start all the same
  }
}
