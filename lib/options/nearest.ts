/** Finds the name that a misspelt one was meant to be. */

/** `client_id`, `clientID` and `clientId` are one spelling. */
const spelling = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** How many letters must be added, dropped or changed (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column++) {
      const changed = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? from.length;
}

/** The nearest of `known`, where a path such as `provider.issuer` is found by its last name; `undefined` if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = spelling(name);
  if (wanted.length === 0 || wanted.length > 50) return undefined;

  let best: string | undefined;
  let bestDistance = Math.max(1, Math.min(3, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of known) {
    const away = distance(wanted, spelling(candidate.slice(candidate.lastIndexOf('.') + 1)));
    if (away < bestDistance) [best, bestDistance] = [candidate, away];
  }
  return best;
}
