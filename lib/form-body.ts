/** The body of a form that a browser posts: read by us, or taken over from a body parser of the app that was faster. */
import type { Request } from './types.js';

/** No answer of an authorization server comes near. */
const LONGEST_BODY_BYTES = 16_384;

/** `undefined`: not a form, longer than 16 KB, cut off, or read by somebody who left nothing of use in `req.body`. */
export async function readForm(req: Request): Promise<URLSearchParams | undefined> {
  const type = req.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') return undefined;
  // Parsers of other types leave `{}` in `req.body` and the body where it is: only the stream tells whether somebody has read it.
  const isRead = req.readableDidRead || req.readableEnded;
  const form = isRead ? parsedForm((req as { body?: unknown }).body) : await unreadForm(req);
  return form !== undefined && form.toString().length <= LONGEST_BODY_BYTES * 3 ? form : undefined;
}

/** Never destroys the request, and with it the connection on which the answer has to go out. */
function unreadForm(req: Request): Promise<URLSearchParams | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer | string) => {
      bytes += Buffer.byteLength(chunk);
      if (bytes > LONGEST_BODY_BYTES) resolve(undefined);
      else chunks.push(Buffer.from(chunk as string)); // a Buffer is copied, text is encoded again
    });
    req.once('end', () => resolve(new URLSearchParams(Buffer.concat(chunks).toString('utf8'))));
    req.once('close', () => resolve(undefined)); // without effect after 'end'
  });
}

/** What express.urlencoded(), express.text() or express.raw() made of it. A parameter that was sent twice is an array there. */
function parsedForm(body: unknown): URLSearchParams | undefined {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return new URLSearchParams(body.toString());
  if (typeof body !== 'object' || body === null) return undefined;
  const form = new URLSearchParams();
  for (const [name, values] of Object.entries(body)) {
    for (const value of Array.isArray(values) ? (values as unknown[]) : [values]) {
      if (typeof value !== 'string') return undefined;
      form.append(name, value);
    }
  }
  return form;
}
