/** What every contestant is told, and what it tells: where it listens, what it has used so far, when it answered. */
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

export const settings = JSON.parse(process.env.BENCH_APP ?? '{}');
export const secret = 'a secret for the bench only: 4yVqD0sZ8nKcJm2T';

/** Epoch milliseconds with fractions, comparable on one machine. */
const instant = () => performance.timeOrigin + performance.now();

function tell(message) {
  if (process.connected) process.send(message);
}

export const committed = () => tell({ committedAt: instant() });

/** Answers `/work`, and tells when. */
export function work(_req, res) {
  if (settings.tellAnswers) res.once('finish', () => tell({ answeredAt: instant() }));
  res.json({ done: true });
}

/** The same with a mere delay, as long as a token call: what the machine takes for that. */
export async function delayed(req, res) {
  await setTimeout(Number(req.query.ms));
  res.json({ done: true });
}

/** Passes on what the API said. */
export async function passOn(res, answer) {
  res.status(answer.status).json(await answer.json());
}

export function serve(app) {
  app.get('/public', (_req, res) => res.json({ public: true }));
  const server = app.listen(settings.port ?? 0, '127.0.0.1', () => tell({ port: server.address().port }));
  // A round may pause for longer than the five seconds of the default.
  server.keepAliveTimeout = 600_000;
  process.on('message', ({ ask, id }) => {
    if (ask === 'memory') globalThis.gc?.();
    tell({ id, cpu: process.cpuUsage(), memory: process.memoryUsage() });
  });
  process.once('disconnect', () => process.exit(0));
}
