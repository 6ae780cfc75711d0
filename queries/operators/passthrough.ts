// Frames as they are.
import type { Frame, Operator } from "../../runtime/mod.ts";

/** Hands every frame on as it came, whatever is in it. */
export function passthrough(): Operator<Frame, Frame> {
  return { name: "passthrough", open: () => ({ process: (frame) => [frame] }) };
}
