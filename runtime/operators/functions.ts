/**
 * Operators made of plain functions.
 *
 * @module
 */
import type { Operator } from "../definition/operator.ts";

/** An operator that replaces each item. */
export function mapOperator<In, Out>(
  transform: (item: In) => Out | Promise<Out>,
): Operator<In, Out> {
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

/** An operator that keeps some items. */
export function filterOperator<T>(
  predicate: (item: T) => boolean | Promise<boolean>,
): Operator<T, T> {
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
