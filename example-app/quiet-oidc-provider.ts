/**
 * Import this before oidc-provider: it greets with warnings that are true in production and noise on a developer's
 * machine. Every other warning of it passes.
 */
const expected = ['Unsupported runtime.', 'a quick start development-only in-memory adapter', 'failed to setup SSRF protection'];
const warn = console.warn.bind(console);

console.warn = (...messages: unknown[]) => {
  const text = String(messages[0]);
  if (!expected.some((beginning) => text.includes(`oidc-provider WARNING: ${beginning}`))) warn(...messages);
};
