import type { Finding, Window } from "../../../runtime/mod.ts";

/** The finding of a window, which names a hash and shows the window's first frame. */
export function hashFinding(window: Window, hash: string): Finding {
  const { topic, partition, key, firstOffset, lastOffset, lastTimestamp, frames } = window;
  return {
    topic,
    partition,
    key,
    firstOffset,
    lastOffset,
    timestamp: lastTimestamp,
    result: { scores: { [hash]: 1 } },
    picture: frames[0]!,
  };
}
