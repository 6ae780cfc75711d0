import type { Frame, Operator } from "../../runtime/mod.ts";

/** Passes every frame unchanged. */
export function passthrough(): Operator<Frame, Frame> {
  return { name: "passthrough", open: () => ({ process: (frame) => [frame] }) };
}
