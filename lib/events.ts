/** What happens inside, for logs and metrics: plain data, nothing secret, grants named by a hash. */
import { EventEmitter } from 'node:events';
import type { CodeFlowErrorCode } from './errors.js';

/** A refresh of one login. `grant` is a one-way hash of the grant id: equal for equal logins, useless to an attacker. */
export interface RefreshEvent {
  provider: string;
  grant: string;
  /** The version of the token set that the refresh started from, or, once committed, the new one. */
  version: number;
  /** Why it did not work. */
  code?: CodeFlowErrorCode;
}

/** Every event with what its listeners receive. */
export interface CodeFlowEvents {
  /** A login was stored; the browser is on its way back to the app. */
  'login.succeeded': { provider: string; grant: string };
  /** A callback did not become a login. */
  'login.failed': { provider?: string; code: CodeFlowErrorCode };
  /** A logout was carried out here. */
  'logout.completed': { provider: string; grant: string };
  /** The user is signed out here; the authorization server did not take back the refresh token. */
  'logout.revocation_failed': { provider: string; grant: string; code: CodeFlowErrorCode };
  /** The authorization server said that logins are over, and they are; `logins` counts those that were known, ended ones too. */
  'logout.received': { provider: string; by: 'backchannel' | 'frontchannel'; logins: number };
  /** Somebody said so without a right to: nothing was ended. */
  'logout.refused': { by: 'backchannel' | 'frontchannel'; reason: string };
  /** This process holds the refresh lock and is about to call the token endpoint. */
  'refresh.started': RefreshEvent;
  /** The new token set is stored. */
  'refresh.committed': RefreshEvent;
  /** Another process was first; its token set is used. */
  'refresh.stale': RefreshEvent;
  /** The login ended while its refresh was under way; the new tokens were revoked and dropped. */
  'refresh.gone': RefreshEvent;
  /** The authorization server refused the refresh token for good, or `refresh.subject_mismatch` went before: the login has ended. */
  'refresh.refused': RefreshEvent;
  /** The refresh did not work this time; the login goes on. */
  'refresh.failed': RefreshEvent;
  /** The holder of the lock vanished; this process took over. */
  'refresh.takeover': RefreshEvent;
  /** The store had lost a version that this process still knew, and has it again. */
  'refresh.healed': RefreshEvent;
  /** The refreshed ID Token names somebody else: the login has ended (OpenID Connect Core §12.2). */
  'refresh.subject_mismatch': RefreshEvent;
  /** Redis was reached and has shown once that it can do all that is asked of it. Nothing comes of it with the memory store. */
  'store.ready': Record<string, never>;
  /** The store could not answer a request. */
  'store.failed': { operation: string; code: CodeFlowErrorCode };
  /** Something is set up wrongly and only running showed it; `docs/errors.md` says what to do. Told once a minute at most, and at first as a process warning too. */
  'configuration.problem': { code: CodeFlowErrorCode; message: string };
}

/** Emits without ever letting a listener's error reach a request. */
export interface Events {
  emit<K extends keyof CodeFlowEvents>(event: K, detail: CodeFlowEvents[K]): void;
  on<K extends keyof CodeFlowEvents>(event: K, listener: (detail: CodeFlowEvents[K]) => void): void;
}

/** A listener that throws or rejects is the app's bug: it becomes a process warning, not a failed request or the end of the process. */
export function createEvents(): Events {
  const emitter = new EventEmitter();
  return {
    emit(event, detail) {
      for (const listener of emitter.listeners(event) as ((given: typeof detail) => unknown)[]) {
        const warn = (): void => process.emitWarning(`a listener of '${event}' threw`, { code: 'CODE_FLOW_LISTENER' });
        try {
          // Async functions are taken for listeners too, whatever the type says.
          Promise.resolve(listener(detail)).catch(warn);
        } catch {
          warn();
        }
      }
    },
    on(event, listener) {
      emitter.on(event, listener);
    },
  };
}
