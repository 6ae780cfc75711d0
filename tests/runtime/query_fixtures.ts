import type { Operator } from "../../runtime/mod.ts";

/** An operator that gives nothing. */
export function silent<In, Out>(): Operator<In, Out> {
  return { name: "silent", open: () => ({ process: () => [] }) };
}
