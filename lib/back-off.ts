/** How long to leave a failing server alone. */

const LONGEST_SECONDS = 30;

/** Milliseconds after so many failures in a row: 1, 2, 4 … 30 s, ±20 % so that processes do not come back in step. */
export function backOffMilliseconds(failures: number, random: () => number = Math.random): number {
  const seconds = Math.min(LONGEST_SECONDS, 2 ** (failures - 1));
  return seconds * 1000 * (0.8 + 0.4 * random());
}
