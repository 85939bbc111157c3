/** Metadata that cannot work is refused when it arrives, not in the middle of a login. */
import { RequestFailure } from './request-failure.js';

const NEEDED = ['authorization_endpoint', 'token_endpoint'] as const;

export function metadataProblem(metadata: Readonly<Record<string, unknown>>, allowHttp: boolean): RequestFailure | undefined {
  const broken = NEEDED.find((name) => !isEndpoint(metadata[name], allowHttp));
  if (broken === undefined) return undefined;
  return new RequestFailure('discovery', { kind: 'unusable', what: `metadata whose ${broken} is missing or no https URL` });
}

function isEndpoint(value: unknown, allowHttp: boolean): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol } = new URL(value);
  return protocol === 'https:' || (allowHttp && protocol === 'http:');
}
