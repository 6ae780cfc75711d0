// A topic in memory with the frames of one camera, for tests of the engine.
import type { Frame } from "../../../runtime/definition/frame.ts";
import { MemoryLog } from "../../../runtime/testing.ts";

/** A log whose partition 0 of `VideoStreaming` holds this many frames. */
export function logOf(frames: number): MemoryLog {
  const log = new MemoryLog();
  log.createTopic("VideoStreaming", 1);
  append(log, frames);
  return log;
}

/** Appends frames of `CAMERA-1`: sequence numbers from `from` on, ten a second. */
export function append(log: MemoryLog, frames: number, from = 0, session = "s"): void {
  for (let i = from; i < from + frames; i++) {
    log.append("VideoStreaming", 0, [{
      key: "CAMERA-1",
      value: new Uint8Array([i]),
      timestamp: 1000 + i * 100,
      headers: { session, seq: String(i) },
    }]);
  }
}

/** Where frames are in their partition. */
export const offsets = (frames: readonly Frame[]) => frames.map(({ offset }) => offset);

/** 0 to `end` − 1. */
export const upTo = (end: number) => Array.from({ length: end }, (_, i) => i);

/** Waits cost nothing. */
export const clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: () => Promise.resolve(),
};

/** Reason and first byte of each dead letter. */
export const deadLetters = (log: MemoryLog) =>
  log.frames("VideoStreaming.dead-letters", 0).map(({ headers, value }) => [
    headers["reason"],
    value[0],
  ]);
