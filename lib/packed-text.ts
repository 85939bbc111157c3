/**
 * JSON full of tokens, ids and hashes in fewer bytes: long runs of base64url characters (RFC 4648 §5) are kept as the bytes that they stand for, a quarter less.
 *
 * Not a compression: what one part takes does not depend on the others, so that a length tells nothing about what stands beside it.
 */

/** Below that, a run would save less than it costs to say where it is. */
const LONG_RUN = /[\w-]{24,}/g;

/** Plain text and runs by turns, each behind its length in bytes. */
export function pack(text: string): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(LONG_RUN)) {
    const run = found.slice(0, found.length - (found.length % 4)); // four characters are three bytes, whatever they are
    parts.push(...counted(Buffer.from(text.slice(from, index))), ...counted(Buffer.from(run, 'base64url')));
    from = index + run.length;
  }
  return Buffer.concat([...parts, ...counted(Buffer.from(text.slice(from)))]);
}

/** Of what `pack()` made. */
export function unpack(packed: Buffer): string {
  let text = '';
  let at = 0;
  for (let isRun = false; at < packed.length; isRun = !isRun) {
    const { length, from } = countAt(packed, at);
    at = from + length;
    text += packed.toString(isRun ? 'base64url' : 'utf8', from, at);
  }
  return text;
}

/** Seven bits a byte, the lowest first; all but the last have the eighth (LEB128). */
function counted(part: Buffer): [Buffer, Buffer] {
  const count: number[] = [];
  let left = part.length;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) count.push((left % 0x80) | 0x80);
  return [Buffer.from([...count, left]), part];
}

function countAt(packed: Buffer, at: number): { length: number; from: number } {
  let length = 0;
  let from = at;
  for (let weight = 1; ; weight *= 0x80) {
    const byte = packed[from] ?? 0;
    from += 1;
    length += (byte & 0x7f) * weight;
    if (byte < 0x80) return { length, from };
  }
}
