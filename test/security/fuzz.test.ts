/** C15 and its like: whatever arrives, no 5xx of our own making, no exception, no token call. A few hundred inputs each; test/soak/fuzz.ts has many more. */
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import fc from 'fast-check';
import { startFuzzWorld, type FuzzWorld } from './fuzz-world.js';

const names = [
  'C15: the Cookie and Authorization headers',
  'A3, C15: the callback’s query',
  'A3, C15: the callback’s body',
  'A5: the cookie of a login under way',
  'A18: the token answer',
  'B: the return path',
];

describe('made up', () => {
  let world: FuzzWorld;
  beforeAll(async () => {
    world = await startFuzzWorld();
  });
  afterAll(() => world.close());

  it('every property is among these', () => {
    if (Object.keys(world.properties).join() !== names.join()) throw new Error(`there is ${Object.keys(world.properties).join(', ')}`);
  });

  it.each(names)('%s', (name) => fc.assert(world.properties[name]!, { numRuns: 200 }), 30_000);
});
