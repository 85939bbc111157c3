import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Each of these packages is loaded in one place. A type is no door where `types` says so: it opens nothing. */
const doors = [
  { name: 'openid-client', door: 'lib/provider/' },
  { name: 'oauth4webapi', door: 'lib/provider/' },
  { name: 'ioredis', door: 'lib/ioredis.cjs', types: true },
  { name: 'quick-lru', door: 'lib/bounded-map.ts' },
  { name: 'express-session', door: 'lib/session/', types: true },
  { name: 'connect-redis', door: 'lib/session/' },
];

function refuseAllBut(...allowed) {
  const paths = doors
    .filter(({ name }) => !allowed.includes(name))
    .map(({ name, door, types }) => ({ name, message: `Its one door is ${door}: import from there.`, allowTypeImports: types === true }));
  return { '@typescript-eslint/no-restricted-imports': ['error', { paths }] };
}

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '.stryker-tmp/', 'reports/', 'test/package/consumers/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-explicit-any': 'error',
      // `return next();` is how a guard clause of a middleware reads.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Passing on what was caught is no new rejection.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // A string is spread into its characters on purpose.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/prefer-nullish-coalescing': 'error',
      '@typescript-eslint/prefer-optional-chain': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `async` without `await` turns a throw into a rejection, and memory stores have the interface of stores that wait.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'max-lines': ['error', 250],
      'max-lines-per-function': ['error', { max: 50, IIFEs: true }],
      ...refuseAllBut(),
    },
  },
  { files: ['lib/provider/**/*.ts'], rules: refuseAllBut('openid-client', 'oauth4webapi') },
  { files: ['lib/session/**/*.ts'], rules: refuseAllBut('express-session', 'connect-redis') },
  { files: ['lib/bounded-map.ts'], rules: refuseAllBut('quick-lru') },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'example-app/**/*.ts'],
    rules: {
      // supertest's and JSON.parse's bodies are `any`; tests look into them on purpose.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A promise may be detached with `void` here: an unhandled rejection fails a test run (--unhandled-rejections=strict).
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
    },
  },
  { files: ['example-app/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', fetch: 'readonly' } },
    rules: { 'no-console': 'off' },
  },
  {
    files: ['lib/ioredis.*'],
    languageOptions: { sourceType: 'commonjs', globals: { exports: 'readonly', require: 'readonly' } },
    // The one file that loads by require(), and says why.
    rules: { '@typescript-eslint/no-require-imports': 'off', '@typescript-eslint/consistent-type-imports': 'off' },
  },
);
