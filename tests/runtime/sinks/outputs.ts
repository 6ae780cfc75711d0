/** Outputs for the tests of sinks: the same for the same offset. */
import type { Finding, Frame } from "../../../runtime/definition/frame.ts";

/** Bytes that begin like a JPEG and tell the offset. */
export function picture(offset: number): Uint8Array {
  return new Uint8Array([0xff, 0xd8, 0xff, offset & 0xff, offset >> 8, 0xff, 0xd9]);
}

/** A frame of a camera with 25 frames/s. */
export function frame(partition: number, offset: number): Frame {
  return {
    topic: "VideoStreaming",
    partition,
    offset,
    timestamp: 1_700_000_000_000 + offset * 40,
    key: null,
    headers: { label: `label ${offset % 3}` },
    value: picture(offset),
    result: { scores: { motion: offset % 10 / 10 } },
  };
}

/** The finding on a window of four frames. */
export function finding(partition: number, firstOffset: number): Finding {
  return {
    topic: "VideoStreaming",
    partition,
    key: `CAMERA-${partition + 1}`,
    firstOffset,
    lastOffset: firstOffset + 3,
    timestamp: 1_700_000_000_000 + (firstOffset + 3) * 40,
    result: { scores: { fall: 0.25 } },
    picture: frame(partition, firstOffset + 3),
  };
}
