/**
 * The result of an output, complete: who found it, where, and on which frames.
 *
 * @module
 */
import { cameraOf, isFinding, type Output, type Result } from "./frame.ts";

/**
 * The result of an output as it goes into a record, a line or a request: what the operator said,
 * with the fields that only the sink's place in the query tells. A frame that nobody said anything
 * about has a result too: that it was processed.
 *
 * @example
 * ```ts
 * import { completeResult } from "./result.ts";
 *
 * const frame = {
 *   topic: "VideoStreaming", partition: 0, offset: 7, timestamp: 1000, key: null, headers: {},
 *   value: new Uint8Array(), result: { scores: { motion: 0.5 } },
 * };
 * completeResult(frame, "motion").window?.firstOffset; // 7
 * ```
 */
export function completeResult(output: Output, query: string): Result {
  const { topic, partition, result } = output;
  const window = result?.window ?? windowOf(output);
  const { model, inferMs, scores, frames, alert } = result ?? {};
  return {
    query: result?.query ?? query,
    topic: result?.topic ?? topic,
    partition: result?.partition ?? partition,
    camera: result?.camera ?? cameraOf(output),
    window,
    ...(model !== undefined ? { model } : {}),
    ...(inferMs !== undefined ? { inferMs } : {}),
    ...(scores !== undefined ? { scores } : {}),
    ...(frames !== undefined ? { frames } : {}),
    ...(alert !== undefined ? { alert } : {}),
  };
}

function windowOf(output: Output): NonNullable<Result["window"]> {
  if (!isFinding(output)) {
    const { offset, timestamp } = output;
    return {
      firstOffset: offset,
      lastOffset: offset,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      frames: 1,
      gaps: 0,
    };
  }
  // Operators on windows name theirs; this is for hand-made ones that do not.
  const { firstOffset, lastOffset, timestamp } = output;
  return {
    firstOffset,
    lastOffset,
    firstTimestamp: timestamp,
    lastTimestamp: timestamp,
    frames: lastOffset - firstOffset + 1,
    gaps: 0,
  };
}
