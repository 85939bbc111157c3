/** `npm run test:mutation` runs tests a thousand times, on instrumented code: tests of time and size divide their inputs by this. */
export const slowness = process.env['MUTATION'] === undefined ? 1 : 100;
