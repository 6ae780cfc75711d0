import type { Operator } from "../../runtime/mod.ts";

/** An operator that gives nothing. */
export function stub<In, Out>(): Operator<In, Out> {
  return { name: "stub", open: () => ({ process: () => [] }) };
}
