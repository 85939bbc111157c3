/** The words in which options are checked: one shape of message, one way to read an object. */
import { IncomingMessage } from 'node:http';
import { ConfigurationError, type CodeFlowErrorCode } from '../errors.js';
import { nearest } from './nearest.js';

/** Returns the checked, defaulted and copied value, or throws a ConfigurationError that names `path`. */
export type Check<T> = (value: unknown, path: string) => T;

/** One check for every option: with `satisfies Checks<Options>` a forgotten option does not compile. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check<unknown> };

/** Refuses an option. `problem` goes on with "option `path` …", and says what to write instead. */
export function refuse(path: string, problem: string, code: CodeFlowErrorCode = 'ERR_CODE_FLOW_OPTION_INVALID'): never {
  throw new ConfigurationError(code, `option \`${path}\` ${problem}`);
}

export function refuseMissing(path: string, advice: string): never {
  refuse(path, `is missing: ${advice}`, 'ERR_CODE_FLOW_OPTION_MISSING');
}

/** A value for a message. Never for secrets; objects are only named, since anything may be inside. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** A URL for a message: without what may be a password or a key. */
export function showUrl(value: string): string {
  return show(value.replace(/^([a-z+.-]+:\/\/)?.*@/is, '$1…@').replace(/\?.*$/s, '?…'));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const pathOf = (parent: string, name: string): string => (parent === '' ? name : `${parent}.${name}`);

/**
 * Reads an object of options by its table of checks. An unknown name is refused first: it explains why another one is missing.
 * `elsewhere` lists options of other levels, for the hint.
 */
export function readTable<Table extends Record<string, Check<unknown>>>(
  table: Table,
  value: unknown,
  path: string,
  elsewhere: readonly string[] = [],
): { [Name in keyof Table]: ReturnType<Table[Name]> } {
  if (value === undefined) refuseMissing(path || 'options', 'pass an object');
  if (!isObject(value)) refuse(path || 'options', `must be an object; got ${show(value)}`);
  refuseRequest(value, path || 'codeFlow');
  refuseUnknown(Object.keys(value), Object.keys(table), path, elsewhere);

  const entries = Object.entries(table).map(([name, check]) => [name, check(value[name], pathOf(path, name))]);
  // Object.fromEntries forgets which check made which value.
  return Object.fromEntries(entries) as { [Name in keyof Table]: ReturnType<Table[Name]> };
}

/** `app.get('/', requireAuth, …)` compiles, and Express then calls it with the request. */
function refuseRequest(value: object, path: string): void {
  if (value instanceof IncomingMessage) refuse(path, `must be an object of options; got a request: write \`${path}(…)\`, not \`${path}\``);
}

function refuseUnknown(names: readonly string[], known: readonly string[], path: string, elsewhere: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = nearest(name, [...known.map((option) => pathOf(path, option)), ...elsewhere]);
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean \`${near}\`?`;
    throw new ConfigurationError('ERR_CODE_FLOW_OPTION_UNKNOWN', `unknown option \`${pathOf(path, name)}\`; ${hint}`);
  }
}

/** Left out, an option has its default. */
export function optional<T>(check: Check<T>): Check<T | undefined>;
export function optional<T>(check: Check<T>, fallback: NoInfer<T>): Check<T>;
export function optional<T>(check: Check<T>, fallback?: T): Check<T | undefined> {
  return (value, path) => (value === undefined ? fallback : check(value, path));
}

/** Text that is not empty. `meaning` goes on with "must be …". */
export const text =
  (meaning: string): Check<string> =>
  (value, path) => {
    if (value === undefined) refuseMissing(path, `it must be ${meaning}. If it comes from an environment variable, is that set?`);
    if (typeof value !== 'string' || value === '') refuse(path, `must be ${meaning}; got ${show(value)}`);
    return value;
  };

export const oneOf =
  <T extends string>(...values: readonly T[]): Check<T> =>
  (value, path) => {
    const found = values.find((candidate) => candidate === value);
    return found ?? refuse(path, `must be ${values.map((candidate) => `'${candidate}'`).join(' or ')}; got ${show(value)}`);
  };

export const flag: Check<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, `must be true or false; got ${show(value)}`);

/** A duration. The upper limit also catches milliseconds that were meant as seconds. */
export const seconds =
  (min: number, max: number): Check<number> =>
  (value, path) => {
    if (typeof value === 'number' && value >= min && value <= max) return value;
    return refuse(path, `must be a number of seconds from ${min} to ${max}; got ${show(value)}`);
  };

/** For what Redis and cookies count in whole seconds. */
export const wholeSeconds =
  (min: number, max: number): Check<number> =>
  (value, path) => {
    const checked = seconds(min, max)(value, path);
    return Number.isInteger(checked) ? checked : refuse(path, `must be a whole number of seconds; got ${show(value)}`);
  };

export const listOf =
  <T>(check: Check<T>): Check<T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) refuse(path, `must be an array; got ${show(value)}`);
    return value.map((item: unknown, index) => check(item, `${path}[${index}]`));
  };

/** An object of plain data, copied, so that the app's later changes do not reach us and our freezing does not reach the app. */
export const record: Check<Record<string, unknown>> = (value, path) => {
  if (!isObject(value)) refuse(path, `must be an object; got ${show(value)}`);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copyData(item, pathOf(path, name))]));
};

function copyData(value: unknown, path: string): unknown {
  if (Array.isArray(value)) return value.map((item: unknown, index) => copyData(item, `${path}[${index}]`));
  if (isObject(value)) return record(value, path);
  if (typeof value === 'function' || typeof value === 'symbol') refuse(path, `must be plain data; got ${show(value)}`);
  return value;
}
