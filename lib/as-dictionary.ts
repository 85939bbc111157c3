/**
 * Makes it cheap to add properties to requests and answers, on Node before 24.
 *
 * Express changes the prototype of both. From then on V8 before 13 makes a new hidden class, with a copy of all descriptors, for each property that
 * anybody adds: more than 1 KB of garbage every time, and no later access finds what an inline cache knows. An object that has lost a property
 * is kept as a dictionary, which has neither problem. `docs/performance.md` says what that is worth.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from './types.js';

const PAYS = Number.parseInt(process.versions.v8, 10) < 13;

/** Changes nothing that anybody can see, but the order of properties. */
export function keepAsDictionaries(req: Request, res: Response): void {
  if (!PAYS) return;
  if (Object.getPrototypeOf(req) !== IncomingMessage.prototype) takeOutAndPutBack(req, 'statusMessage');
  if (Object.getPrototypeOf(res) !== ServerResponse.prototype) takeOutAndPutBack(res, 'sendDate');
}

/** Of the members that node:http gives both at birth one whose order nobody minds; the last one added would not do. */
function takeOutAndPutBack(object: object, name: string): void {
  const member = Object.getOwnPropertyDescriptor(object, name);
  if (member?.configurable !== true || !Object.isExtensible(object)) return;
  Reflect.deleteProperty(object, name);
  Object.defineProperty(object, name, member);
}
