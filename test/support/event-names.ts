import type { CodeFlowEvents } from '../../lib/events.js';

/** Every event of the package; a missing one does not compile. */
const names: Record<keyof CodeFlowEvents, true> = {
  'login.succeeded': true,
  'login.failed': true,
  'logout.completed': true,
  'logout.revocation_failed': true,
  'logout.received': true,
  'logout.refused': true,
  'refresh.started': true,
  'refresh.committed': true,
  'refresh.stale': true,
  'refresh.gone': true,
  'refresh.refused': true,
  'refresh.failed': true,
  'refresh.takeover': true,
  'refresh.healed': true,
  'refresh.subject_mismatch': true,
  'store.ready': true,
  'store.failed': true,
  'configuration.problem': true,
};

export const eventNames = Object.keys(names) as readonly (keyof CodeFlowEvents)[];
