// Writes jest's own counts to JEST_RESULTS_FILE, for .ci/run; `npm test` itself stays the command that people type.
import { writeFileSync } from 'node:fs';

export default class JestResultsReporter {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTotalTests, numRuntimeErrorTestSuites } = results;
    const counts = { numPassedTests, numFailedTests, numPendingTests, numTotalTests, numRuntimeErrorTestSuites };
    writeFileSync(process.env.JEST_RESULTS_FILE, `${JSON.stringify(counts)}\n`);
  }
}
