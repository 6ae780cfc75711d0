// Checks of JSON that anyone may have written: messages of pages, records of topics.

/** Whether a value is of a form. */
export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === "string";

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isWhole = (least: number, most: number): Check => (value) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

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
