/** The master secret: everything that we seal is as safe as this. */
import { type Check, listOf, refuse, refuseMissing } from './check.js';

const minimumLength = 32;
const advice = `make one with: node -p "require('crypto').randomBytes(32).toString('base64url')"`;

/** Words of READMEs and tutorials, which attackers try first. */
const knownDefaults = [
  /keyboard.?cat/i,
  /change.?(me|this|it)/i,
  /replace.?(me|this|it|with)/i,
  /(at.least|minimum|longer.than).{0,6}32/i,
  /randomly.generated/i,
  /^(my|your|the|some|super|top|a)?[^a-z0-9]*(session|cookie)?[^a-z0-9]*secret[^a-z0-9]*(key|here|string|value)?$/i,
  /^0?123456789/,
];

/** One to eight characters over and over. */
const repetition = /^(.{1,8}?)\1+.{0,7}$/s;

const weak = (path: string, problem: string): never => refuse(path, `${problem}; ${advice}`, 'ERR_CODE_FLOW_SECRET_WEAK');

const readSecret: Check<string> = (value, path) => {
  if (value === undefined || value === '') refuseMissing(path, `is the environment variable that it is read from set? If there is none, ${advice}`);
  if (typeof value !== 'string') return refuse(path, `must be a string, or an array of strings, of at least ${minimumLength} characters each`);
  if (knownDefaults.some((known) => known.test(value))) weak(path, 'is a known default or placeholder');
  if (value.length < minimumLength) weak(path, `has ${value.length} characters and needs at least ${minimumLength}`);
  if (repetition.test(value)) weak(path, 'repeats a few characters');
  return value;
};

export const readSecrets: Check<readonly string[]> = (value, path) => {
  if (!Array.isArray(value)) return [readSecret(value, path)];
  if (value.length === 0) refuseMissing(path, `the array is empty; the first secret seals, all open; ${advice}`);
  return listOf(readSecret)(value, path);
};
