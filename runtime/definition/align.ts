// Pairs the frames of two cameras (partitions) by capture time.
import type { Frame } from "./frame.ts";

/**
 * A frame of the query's own camera, paired with the frame of the other camera captured nearest to
 * it. A pair is itself a frame: operators on frames accept it, and see the own camera's picture.
 */
export interface Pair extends Frame {
  /** The frame of the other camera, with its own partition and offset. */
  readonly other: Frame;
}

/**
 * The partition of the other camera: one for all lanes, or one per lane, by the lane's partition.
 * Lanes without one do not run, nor does the partition that all others read.
 */
export type OtherPartition = number | Readonly<Record<number, number>>;

/** How frames are aligned. */
export interface AlignOptions {
  /** The longest time between the captures of a pair, milliseconds. */
  readonly toleranceMs: number;
}

/** The alignment of two cameras in a plan; plain data. */
export interface Alignment extends AlignOptions {
  readonly other: OtherPartition;
}

/** The second partition that a lane reads; undefined if none. */
export function besideOf({ other }: Alignment, partition: number): number | undefined {
  if (typeof other !== "number") return other[partition];
  return other === partition ? undefined : other;
}

/** Makes a pair; its result and headers name the other frame. */
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
