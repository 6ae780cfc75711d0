// Identity of outputs: findings get the number of their window, and multiple outputs of one frame or window
// are numbered, independent of batches.
import { type Frame, isFinding } from "../definition/frame.ts";
import { checkOutput } from "../definition/result.ts";

/** The fields that identify an output; those of hand-made operators may lack some. */
interface Named {
  readonly partition?: number;
  readonly offset?: number;
  readonly firstOffset?: number;
  readonly lastOffset?: number;
  readonly number?: number;
  readonly part?: number;
  readonly frames?: readonly Frame[];
}

/** The last output, as saved in a checkpoint: first and last offset, number, part. */
export type LastOutput = readonly [first: number, last: number, number: number, part: number];

function isNamed(item: unknown): item is Named {
  return typeof item === "object" && item !== null;
}

/**
 * The offset of an input, which may be below that of the frame that caused it; of a window, its first. Of a frame
 * from another partition (`.align`), that of its cause.
 */
export function offsetOf(input: unknown, cause: Frame): number {
  if (!isNamed(input)) return cause.offset;
  const { partition = cause.partition } = input;
  const named = partition === cause.partition ? input.offset ?? input.firstOffset : undefined;
  return Number.isSafeInteger(named) ? named! : cause.offset;
}

/** The number of a window, or of what was found in it, among those that begin at its frame; of a frame, undefined. */
export function numberOf(input: unknown): number | undefined {
  return isNamed(input) && input.offset === undefined && input.firstOffset !== undefined
    ? input.number ?? 0
    : undefined;
}

/** The frame to dead-letter for an input: itself, the first of its window, or the one that caused it. */
export function frameOf(input: unknown, cause: Frame): Frame {
  const frame = (isNamed(input) ? input.frames?.[0] ?? input : cause) as Frame;
  // The cause is as it was read.
  if (frame.offset === cause.offset) return cause;
  try {
    checkOutput(frame);
  } catch {
    return cause;
  }
  const { topic, partition } = cause;
  return !isFinding(frame) && frame.topic === topic && frame.partition === partition
    ? frame
    : cause;
}

/** Gives the outputs of a window its number. */
export function numbered(outputs: readonly unknown[], input: unknown): readonly unknown[] {
  if (!isNamed(input) || input.number === undefined) return outputs;
  const { firstOffset, number } = input;
  return outputs.map((output) =>
    isNamed(output) && output.firstOffset === firstOffset && output.number === undefined
      ? { ...output, number }
      : output
  );
}

/** Numbers multiple outputs of one frame or window. */
export class OutputNumbers {
  last: LastOutput | undefined;

  /** The output, with its part unless it is the first of its frame or window. */
  number(output: unknown): unknown {
    if (!isNamed(output)) return output;
    const first = output.firstOffset ?? output.offset;
    if (first === undefined) return output;
    const end = output.lastOffset ?? first;
    const { number = 0 } = output;
    const [lastFirst, lastEnd, lastNumber, lastPart = 0] = this.last ?? [];
    const same = lastFirst === first && lastEnd === end && lastNumber === number;
    const part = same ? lastPart + 1 : 0;
    this.last = [first, end, number, part];
    return part === 0 ? output : { ...output, part };
  }
}
