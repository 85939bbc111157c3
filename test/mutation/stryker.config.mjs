/**
 * `npm run test:mutation`, and for a part of it `npm run test:mutation -- --mutate lib/urls.ts`. Each mutant meets the tests that reach its line, of the
 * suites that are quick: what only crashes, load or other frameworks would show is not counted here. What was found before is kept in reports/.
 */
const suites = {
  unit: ['urls', 'seal', 'oauth-fetch', 'cookies', 'session/*', 'grants/*', 'guards/*'].map((name) => `<rootDir>/test/unit/${name}.test.ts`),
  integration: ['callback', 'cookies', 'form-post', 'grant-store', 'login', 'oauth-fetch', 'offline', 'refresh', 'silent-login', 'tenants'].map(
    (name) => `<rootDir>/test/integration/${name}.test.ts`,
  ),
};

process.env.MUTATION = 'yes'; // test/support/machine.ts

/** Which of them: for a part of the code that fewer show as well: `MUTATION_TESTS=unit`. */
const chosen = (process.env.MUTATION_TESTS ?? 'unit,integration').split(',');

export default {
  mutate: ['lib/urls.ts', 'lib/seal.ts', 'lib/oauth-fetch.ts', 'lib/session/**/*.ts', 'lib/grants/**/*.ts', 'lib/routes/**/*.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: {
    configFile: 'jest.config.ts',
    enableFindRelatedTests: false,
    config: {
      testEnvironment: 'node',
      setupFilesAfterEnv: [],
      reporters: [],
      maxWorkers: 1,
      testMatch: chosen.flatMap((name) => suites[name]),
    },
  },
  coverageAnalysis: 'perTest',
  // Constants that are read once, when a module is loaded: each would need a run of every suite.
  ignoreStatic: true,
  concurrency: 2,
  incremental: true,
  incrementalFile: 'reports/mutation.json',
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false },
  timeoutMS: 20_000,
  thresholds: { high: 95, low: 85, break: 85 },
  tempDirName: '.stryker-tmp',
  disableTypeChecks: true,
  allowEmpty: false,
};
