/** The child of `app-process.ts`. It ends when its parent lets go of it, or is gone. */
import { configurationVariable, type AppProcessConfiguration, type AppProcessMessage } from './app-process.js';
import { startApp } from './apps.js';
import type { CodeFlowEvents } from '../../lib/events.js';

const { framework, ...configuration } = JSON.parse(process.env[configurationVariable]!) as AppProcessConfiguration;
const app = await startApp(framework, configuration);

const events: readonly (keyof CodeFlowEvents)[] = [
  'login.succeeded', 'login.failed', 'logout.completed', 'logout.revocation_failed', 'refresh.started', 'refresh.committed', 'refresh.stale', 'refresh.gone',
  'refresh.refused', 'refresh.failed', 'refresh.takeover', 'refresh.healed', 'refresh.subject_mismatch', 'store.ready', 'store.failed', 'configuration.problem',
];
for (const event of events) app.auth.on(event, (detail) => tell({ event, detail }));

process.once('disconnect', () => {
  app.close().catch((error: unknown) => process.emitWarning(String(error)));
});
tell({ port: app.port });

function tell(message: AppProcessMessage): void {
  // The parent may have let go meanwhile: then nobody wants to know.
  if (process.connected) process.send!(message);
}
