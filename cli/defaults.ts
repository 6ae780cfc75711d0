/**
 * What the commands take where nothing is said, so that two of them find each other.
 *
 * @module
 */

/** The embedded log in the current folder. */
export const DEFAULT_LOG = "embedded:.framelane";
/** The topic that cameras publish to. */
export const DEFAULT_TOPIC = "VideoStreaming";
/** Frames lie outside V8's heap, which would let four times this much pile up before it looks. */
export const SMALL_HEAP = "--max-semi-space-size=4";
