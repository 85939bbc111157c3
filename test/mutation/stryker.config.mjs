/** One part of the code, as run.mjs says, and the quick suites that are about it: each mutant meets those of their tests that reach its line. */
import { parts } from './parts.mjs';

const { mutate, tests } = parts[process.env.MUTATION_PART];
process.env.MUTATION = 'yes'; // test/support/machine.ts

export default {
  mutate,
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: {
    configFile: 'jest.config.ts',
    enableFindRelatedTests: false,
    // Stryker's own test environment is needed to tell which test reaches what.
    config: { testEnvironment: 'node', setupFilesAfterEnv: [], reporters: [], maxWorkers: 1, testMatch: tests.map((name) => `<rootDir>/test/${name}.test.ts`) },
  },
  coverageAnalysis: 'perTest',
  // What is read once, when a module is loaded: each would need a run of every suite.
  ignoreStatic: true,
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 2),
  incremental: true,
  incrementalFile: `reports/mutation-${process.env.MUTATION_PART.replace('/', '-')}.json`,
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  timeoutMS: 20_000,
  thresholds: { high: 95, low: 85, break: 85 },
  tempDirName: '.stryker-tmp',
  disableTypeChecks: true,
};
