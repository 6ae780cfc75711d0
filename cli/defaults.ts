/**
 * What the commands take where nothing is said, so that two of them find each other.
 *
 * @module
 */

/** The embedded log in the current folder. */
export const DEFAULT_LOG = "embedded:.framelane";
/** The topic that cameras publish to. */
export const DEFAULT_TOPIC = "VideoStreaming";
