// What commands take where an option is not given, so that two of them find each other.

export { DEFAULT_LOG, DEFAULT_TOPIC } from "../runtime/log/open.ts";
/** Frames lie outside V8's heap, which would let four times this much pile up before it looks. */
export const SMALL_HEAP = "--max-semi-space-size=4";
