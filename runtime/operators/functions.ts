// Operators from plain functions.
import { read } from "../base/errors.ts";
import { checkFunction } from "../base/options.ts";
import type { Operator } from "../definition/operator.ts";

export function mapOperator<In, Out>(
  transform: (item: In) => Out | Promise<Out>,
): Operator<In, Out> {
  checkFunction("map", transform);
  return {
    name: `map(${transform.name || "…"})`,
    open: () => ({
      process(item) {
        const result = transform(item);
        return isPromise(result) ? Promise.resolve(result).then((value) => [value]) : [result];
      },
    }),
  };
}

export function filterOperator<T>(
  predicate: (item: T) => boolean | Promise<boolean>,
): Operator<T, T> {
  checkFunction("filter", predicate);
  return {
    name: `filter(${predicate.name || "…"})`,
    open: () => ({
      process(item) {
        const keep = predicate(item);
        if (isPromise(keep)) return Promise.resolve(keep).then((yes) => yes ? [item] : []);
        return keep ? [item] : [];
      },
    }),
  };
}

/** Whether it is a promise, of any library. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && typeof read(value, "then") === "function";
}
