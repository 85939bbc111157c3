/** An app's addresses as its options say them, for what works on addresses alone. */
import { resolveOptions } from '../../lib/options.js';
import type { CodeFlowOptions, ResolvedOptions } from '../../lib/types.js';

export function siteAt(baseUrl: string, options: Pick<CodeFlowOptions, 'routes'> = {}): ResolvedOptions {
  return resolveOptions({ provider: { issuer: 'https://id.example.com', clientId: 'web', clientSecret: 'not looked at' }, baseUrl, secret: 'a secret for tests only: 4yVqD0sZ8nKcJm2T', ...options });
}
