/** What counts as a posted form, whoever read it. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { readForm } from '../../lib/form-body.js';

const FORM = 'application/x-www-form-urlencoded';

function request(type = FORM): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  req.headers['content-type'] = type;
  return req;
}

const sent = (body: string, type?: string) => {
  const req = request(type);
  req.push(body);
  req.push(null);
  return req;
};

/** After a body parser of the app, which left this in `req.body`. */
async function parsed(body: unknown): Promise<IncomingMessage> {
  const req = sent('code=a&state=b');
  for await (const _ of req.iterator({ destroyOnReturn: false }));
  return Object.assign(req, { body });
}

const textOf = async (req: IncomingMessage) => (await readForm(req))?.toString();

describe('a form that nobody has read', () => {
  it.each([FORM, `${FORM}; charset=utf-8`, 'Application/X-WWW-Form-Urlencoded'])('is read as %s', async (type) => {
    expect(await textOf(sent('code=a%20b&state=%C3%A4', type))).toBe('code=a+b&state=%C3%A4');
  });

  it.each(['application/json', 'multipart/form-data; boundary=x', 'text/plain', ''])('is none as "%s"', async (type) => {
    expect(await readForm(sent('code=a', type))).toBeUndefined();
  });

  it('is read although a parser of other types left an empty object', async () => {
    expect(await textOf(Object.assign(sent('code=a'), { body: {} }))).toBe('code=a');
  });

  it('ends at 16 KB, and leaves the connection alone for the answer', async () => {
    expect(await textOf(sent(`x=${'y'.repeat(16_382)}`))).toHaveLength(16_384);
    const req = sent(`x=${'y'.repeat(16_383)}`);
    expect(await readForm(req)).toBeUndefined();
    expect(req.destroyed && !req.readableEnded).toBe(false);
  });

  it('that is cut off is none', async () => {
    const req = request();
    req.push('code=a');
    const form = readForm(req);
    req.destroy();
    expect(await form).toBeUndefined();
  });
});

describe('a form that a body parser has read', () => {
  it.each<[string, unknown, string | undefined]>([
    ['an object', { code: 'a b', state: 's' }, 'code=a+b&state=s'],
    ['text', 'code=a&state=s', 'code=a&state=s'],
    ['bytes', Buffer.from('code=a'), 'code=a'],
    ['a parameter twice', { code: ['a', 'b'] }, 'code=a&code=b'],
    ['nested values', { code: { $ne: '' } }, undefined],
    ['numbers', { code: 1 }, undefined],
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['more than any answer has', { code: 'x'.repeat(50_000) }, undefined],
  ])('as %s', async (_, body, expected) => {
    expect(await textOf(await parsed(body))).toBe(expected);
  });
});
