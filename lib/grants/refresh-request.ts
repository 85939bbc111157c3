/** What a refresh is asked for. */
import type { Provider } from '../provider/provider.js';
import type { TokenResponse } from '../types.js';
import type { Attempt } from './grant-store.js';

/** What is to be refreshed, and from which version on. */
export interface RefreshRequest {
  readonly grantId: string;
  readonly provider: Provider;
  readonly subject: string | undefined;
  readonly resource: string;
  readonly scope: string | undefined;
  /** The version that is too old. */
  readonly version: number;
  readonly keepMs: number;
  /** Whether to wait while another process refreshes; a refresh in the background need not. */
  readonly wait: boolean;
}

/** For logins whose first answer had no ID Token to compare with. */
export const namesAnother = ({ claims }: TokenResponse, { subject }: RefreshRequest): boolean => claims !== undefined && claims.sub !== subject;

export const attemptOf = ({ grantId, resource, version }: RefreshRequest, owner: string): Attempt => ({ grantId, resource, owner, version });
