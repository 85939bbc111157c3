/** What Node before 24 makes of requests and answers that Express took over. */
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { RequestListener } from 'node:http';
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from '@jest/globals';
import connect from 'connect';
import express from 'express';
import supertest from 'supertest';
import { keepAsDictionaries } from '../../lib/as-dictionary.js';
import type { Request, Response } from '../../lib/types.js';

setFlagsFromString('--allow-natives-syntax');
const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean; // eslint-disable-line @typescript-eslint/no-implied-eval -- no other way asks V8

const pays = Number.parseInt(process.versions.node, 10) < 24;

/** Of the second request: the first is still making the classes. */
async function fastOn(app: RequestListener): Promise<unknown> {
  const server = createServer(app);
  await supertest(server).get('/');
  return (await supertest(server).get('/')).body as unknown;
}

const tell = (req: IncomingMessage, res: ServerResponse): void => {
  keepAsDictionaries(req, res);
  Object.assign(req, { added: 1, another: 2 });
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ req: isFast(req), res: isFast(res) }));
};

describe('a request and its answer', () => {
  it('are dictionaries behind Express, whose change of prototypes costs every added property a class of its own', async () => {
    expect(await fastOn(express().use(tell))).toEqual({ req: !pays, res: !pays });
  });

  it('are left alone where nobody changed their prototypes', async () => {
    expect(await fastOn(connect().use(tell))).toEqual({ req: true, res: true });
  });

  it('have the same members afterwards, with the same values, to be written as before', () => {
    const req = Object.setPrototypeOf(new IncomingMessage(new Socket()), Object.create(IncomingMessage.prototype)) as IncomingMessage;
    const res = Object.setPrototypeOf(new ServerResponse(req), Object.create(ServerResponse.prototype)) as ServerResponse;
    req.statusMessage = 'as it was';
    res.sendDate = false;
    const before = [Object.getOwnPropertyDescriptors(req), Object.getOwnPropertyDescriptors(res)];
    keepAsDictionaries(req, res);
    expect([Object.getOwnPropertyDescriptors(req), Object.getOwnPropertyDescriptors(res)]).toEqual(before);
  });

  it('of other kinds, without those members or with ones that cannot go, stay as they are', () => {
    const others = [Object.defineProperty({}, 'statusMessage', { value: 'fixed' }), Object.preventExtensions({ statusMessage: 'kept' }), {}];
    for (const req of others) keepAsDictionaries(req as unknown as Request, {} as unknown as Response);
    expect(others.map((req) => Object.getOwnPropertyNames(req))).toEqual([['statusMessage'], ['statusMessage'], []]);
  });
});
