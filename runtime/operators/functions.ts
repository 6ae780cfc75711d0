// Operators from plain functions.
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
        return result instanceof Promise ? result.then((value) => [value]) : [result];
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
        return keep instanceof Promise
          ? keep.then((yes) => (yes ? [item] : []))
          : keep
          ? [item]
          : [];
      },
    }),
  };
}

function checkFunction(step: string, given: unknown): void {
  if (typeof given === "function") return;
  throw new TypeError(`Cannot ${step} with ${String(given)}: expected a function`);
}
