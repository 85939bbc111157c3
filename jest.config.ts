/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const resultsFile = process.env['JEST_RESULTS_FILE'];

// Elections of a cluster and of sentinels take the machine for themselves: `npm run test:redis` runs them alone.
const alone = process.env['REDIS_SHAPES'] === undefined ? ['<rootDir>/test/redis/(cluster|sentinel)\\.test\\.ts'] : [];

const config: Config = {
  // Suites with real parts are searched for secrets that came out: test/support/disclosure/watch.ts.
  testEnvironment: '<rootDir>/test/support/disclosure/environment.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/support/disclosure/setup.ts'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/package/', ...alone],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } }],
  },
  moduleNameMapper: {
    '^express-code-flow$': '<rootDir>/lib/index.ts',
    '^express-code-flow/providers$': '<rootDir>/lib/providers/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.stryker-tmp/'],
  maxWorkers: 2,
  // Against tests that hang. None is about how long something takes, and a busy machine takes ten times as long.
  testTimeout: 60_000,
  coverageProvider: 'v8',
  // The last six have no code: nothing of them is ever loaded.
  collectCoverageFrom: [
    'lib/**/*.ts',
    '!lib/{types,provider-options}.ts',
    '!lib/grants/{grant,grant-store}.ts',
    '!lib/provider/provider.ts',
    '!lib/session/login-state.ts',
  ],
  coverageDirectory: 'coverage',
  // Looked at where coverage is measured: `.ci/run`, or `npm test -- --coverage`.
  coverageThreshold: { global: { lines: 97, branches: 93 } },
  reporters: ['default', ...(resultsFile === undefined ? [] : ['<rootDir>/scripts/jest-results-reporter.mjs'])],
};

export default config;
