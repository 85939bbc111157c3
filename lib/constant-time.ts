/** Comparisons that take equally long wherever two values differ (THREATS I6). That their lengths differ is no secret. */
import { timingSafeEqual } from 'node:crypto';

export function isSameText(given: string, own: string): boolean {
  return isSameBytes(Buffer.from(given), Buffer.from(own));
}

export function isSameBytes(given: Buffer, own: Buffer): boolean {
  return given.length === own.length && timingSafeEqual(given, own);
}
