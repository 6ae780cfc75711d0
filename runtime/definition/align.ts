// Two cameras in one query: pairs of frames of two partitions, by capture time.
import type { Frame } from "./frame.ts";

/**
 * A frame of the query's own camera with the frame of the other camera that was captured nearest to it.
 * It is a frame itself: whatever takes frames takes it, and sees the picture of the query's own camera.
 */
export interface Pair extends Frame {
  /** The frame of the other camera, with a partition and an offset of its own. */
  readonly other: Frame;
}

/**
 * The partition of the other camera: one for all lanes, or one for each lane by its partition. On
 * partitions that have none, and on the one that is beside all, nothing runs.
 */
export type OtherPartition = number | Readonly<Record<number, number>>;

/** How frames are aligned. */
export interface AlignOptions {
  /** How far apart two frames of a pair may be captured, milliseconds. */
  readonly toleranceMs: number;
}

/** What a plan says of two cameras; plain data. */
export interface Alignment extends AlignOptions {
  readonly other: OtherPartition;
}

/** The partition that a lane reads beside its own; undefined where none is. */
export function besideOf({ other }: Alignment, partition: number): number | undefined {
  if (typeof other !== "number") return other[partition];
  return other === partition ? undefined : other;
}

/** A pair; result and headers say where its other frame is. */
export function pairOf(frame: Frame, other: Frame): Pair {
  const { partition, offset, timestamp } = other;
  return {
    ...frame,
    other,
    headers: {
      ...frame.headers,
      "other-partition": String(partition),
      "other-offset": String(offset),
    },
    result: { data: { other: { partition, offset, timestamp } } },
  };
}
