import type { Scale } from './parts/bench.js';

/** Under 4 minutes, some 15, and as long as it takes. */
export const scales: Readonly<Record<Scale['name'], Scale>> = {
  quick: {
    name: 'quick',
    rounds: 3,
    sampleMs: 300,
    logins: 10,
    stampedeRounds: 1,
    steady: { rounds: 1, seconds: 3, lifetimes: [4], elsewhere: false },
    startUps: 2,
    sessions: { inRedis: [500, 1000], inCookies: [500] },
    scaling: { sessions: [1, 100, 10_000], subjects: [1, 10, 100], providers: [1, 10, 100] },
  },
  default: {
    name: 'default',
    rounds: 7,
    sampleMs: 1000,
    logins: 30,
    stampedeRounds: 3,
    steady: { rounds: 2, seconds: 8, lifetimes: [4, 60], elsewhere: true },
    startUps: 5,
    sessions: { inRedis: [1000, 5000], inCookies: [1000] },
    scaling: { sessions: [1, 100, 10_000, 100_000], subjects: [1, 10, 100, 1000], providers: [1, 10, 100, 1000] },
  },
  full: {
    name: 'full',
    rounds: 15,
    sampleMs: 2000,
    logins: 60,
    stampedeRounds: 7,
    steady: { rounds: 3, seconds: 16, lifetimes: [4, 60], elsewhere: true },
    startUps: 11,
    sessions: { inRedis: [1000, 10_000, 50_000], inCookies: [1000, 10_000] },
    scaling: { sessions: [1, 10, 100, 1000, 10_000, 100_000], subjects: [1, 10, 100, 1000], providers: [1, 10, 100, 1000] },
  },
};
