/** As much of the Redis protocol, versions 2 and 3, as it takes to tell where a command or a reply ends. */
const CRLF = Buffer.from('\r\n');

/** The offset behind the frame that begins here; `undefined`: it is not all there yet. */
export function frameEnd(buffer: Buffer, start: number): number | undefined {
  const lineEnd = buffer.indexOf(CRLF, start);
  if (lineEnd === -1) return undefined;
  const type = String.fromCharCode(buffer[start]!);
  const length = Number(buffer.toString('latin1', start + 1, lineEnd));
  const next = lineEnd + 2;
  switch (type) {
    case '$':
    case '=':
    case '!': {
      const end = length < 0 ? next : next + length + 2;
      return end <= buffer.length ? end : undefined;
    }
    case '*':
    case '~':
    case '>':
      return membersEnd(buffer, next, length);
    case '%':
      return membersEnd(buffer, next, length * 2);
    default:
      return next;
  }
}

function membersEnd(buffer: Buffer, start: number, count: number): number | undefined {
  let end: number | undefined = start;
  for (let index = 0; index < count && end !== undefined; index += 1) end = frameEnd(buffer, end);
  return end;
}

/** Told by the server without being asked; no reply. */
export const isPush = (frame: Buffer): boolean => frame[0] === '>'.charCodeAt(0);

/** A command is a list of bulk strings. */
export function readCommand(frame: Buffer): string[] {
  const words: string[] = [];
  let at = frame.indexOf(CRLF) + 2;
  while (at < frame.length) {
    const lineEnd = frame.indexOf(CRLF, at);
    const length = Number(frame.toString('latin1', at + 1, lineEnd));
    words.push(frame.toString('utf8', lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return words;
}

/** Cuts a stream into frames. */
export function createFramer(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = frameEnd(rest, 0); end !== undefined && rest.length > 0; end = frameEnd(rest, 0)) {
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      take(frame);
    }
  };
}
