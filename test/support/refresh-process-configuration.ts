/** What parent and child of `refresh-process.ts` agree on. */
import type { CodeFlowOptions } from '../../lib/types.js';

export type RefreshPoint =
  | 'before ACQUIRE'
  | 'after ACQUIRE'
  | 'before the token request'
  | 'after the token answer'
  | 'before COMMIT'
  | 'after COMMIT'
  | 'after the refresh';

/** What the child reads from its environment. */
export interface RefreshProcessConfiguration {
  options: Partial<CodeFlowOptions> & { redis: string };
  at?: RefreshPoint | undefined;
  /** Stands still for so long, event loop and all, instead of dying. */
  standStillMs?: number | undefined;
}

/** The name of the child's environment variable. */
export const configurationVariable = 'REFRESH_PROCESS';
