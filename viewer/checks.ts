// Checks of JSON that anyone may have written: messages of pages, records of topics.

/** Whether a value is of a form: `takes` of an `OptionRow` is one. */
export type Check = (value: unknown) => unknown;

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isList = (check: Check, most = Infinity): Check => (value) =>
  Array.isArray(value) && value.length <= most && value.every(check);

/** An object whose values are all alike. */
export const isMap = (check: Check): Check => (value) =>
  isObject(value) && Object.values(value).every(check);

/** An object with these fields, and any others. */
export const hasFields = (checks: Readonly<Record<string, Check>>): Check => (value) =>
  isObject(value) &&
  Object.entries(checks).every(([name, check]) => check((value as Record<string, unknown>)[name]));

export const isAbsentOr = (check: Check): Check => (value) =>
  value === undefined || value === null || check(value);
