/**
 * Finds known secrets in any text: whole or in part, raw, percent-encoded, JSON-escaped, base64, base64url, hex, or broken over lines by
 * `util.inspect`. Text and secrets are reduced to their letters and digits, and compared by windows of sixteen of them.
 */

/** Sixteen letters and digits do not come about by chance; shorter values are too common to be searched for. */
const windowLength = 16;
/** A part of this many letters more is always found. */
const stride = 8;
/** Beyond, as in a test of ten thousand logins, only raw and percent-encoded values are looked for: the index would not fit. */
const mostInEveryEncoding = 3000;

const base = 0x01000193;
const highestPower = power(base, windowLength);

export class Secrets {
  readonly #kinds = new Map<string, string>();
  readonly #public = new Set<string>();

  learn(kind: string, value: string): void {
    if (reduced(value).length >= windowLength) this.#kinds.set(value, kind);
  }

  /** Sent in the open by the protocol itself, as `state` is. */
  publish(value: string): void {
    this.#public.add(value);
  }

  get size(): number {
    return this.#kinds.size - this.#public.size;
  }

  /** How many there are of each kind. */
  count(kind: string): number {
    return [...this.#kinds].filter(([value, known]) => known === kind && !this.#public.has(value)).length;
  }

  /** What is known now, ready to be searched for. */
  index(): (text: string) => ReadonlySet<string> {
    const windows = new Map<number, { text: string; kind: string }[]>();
    let learnt = 0;
    for (const [value, kind] of this.#kinds) {
      if (this.#public.has(value)) continue;
      learnt += 1;
      for (const encoded of learnt > mostInEveryEncoding ? [value] : encodings(value)) addWindows(windows, reduced(encoded), kind);
    }
    return (text) => search(windows, reduced(text));
  }
}

/** Base64 depends on where in its three bytes a text begins. */
function encodings(value: string): string[] {
  const bytes = Buffer.from(value);
  const shifted = [0, 1, 2].map((before) => Buffer.concat([Buffer.alloc(before), bytes]).toString('base64').slice(before === 0 ? 0 : before + 1, -4));
  return [value, bytes.toString('hex'), Buffer.from(value, 'base64url').toString('hex'), ...shifted];
}

function reduced(text: string): string {
  return decoded(decoded(text)).replace(/[^a-z0-9]+/gi, '').toLowerCase();
}

/** `%41`, `\x41`, `A`. */
function decoded(text: string): string {
  if (!/%|\\[ux]/.test(text)) return text;
  return text.replace(/(?:%|\\x|\\u00)([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function addWindows(windows: Map<number, { text: string; kind: string }[]>, needle: string, kind: string): void {
  const last = needle.length - windowLength;
  for (let start = 0; start <= last; start = start === last ? last + 1 : Math.min(start + stride, last)) {
    const text = needle.slice(start, start + windowLength);
    // Padding and repetitions are no secrets.
    if (new Set(text).size < 6) continue;
    const hash = [...text].reduce((sum, _letter, index) => added(sum, text.charCodeAt(index)), 0);
    const same = windows.get(hash) ?? [];
    if (same.push({ text, kind }) === 1) windows.set(hash, same);
  }
}

/** Rabin and Karp: the hash of each window is made from the one before. */
function search(windows: ReadonlyMap<number, readonly { text: string; kind: string }[]>, text: string): ReadonlySet<string> {
  const found = new Set<string>();
  let hash = 0;
  for (let end = 0; end < text.length; end += 1) {
    hash = added(hash, text.charCodeAt(end));
    if (end >= windowLength) hash = (hash - Math.imul(text.charCodeAt(end - windowLength), highestPower)) | 0;
    if (end < windowLength - 1) continue;
    for (const window of windows.get(hash) ?? []) {
      if (text.startsWith(window.text, end - windowLength + 1)) found.add(window.kind);
    }
  }
  return found;
}

function added(hash: number, letter: number): number {
  return (Math.imul(hash, base) + letter) | 0;
}

function power(of: number, exponent: number): number {
  let result = 1;
  for (let count = 0; count < exponent; count += 1) result = Math.imul(result, of);
  return result;
}
