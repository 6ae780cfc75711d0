// The operator of `.align`: the lane's reader makes the pairs, which this validates.
import { optionFaults } from "../base/fields.ts";
import { FROM_ZERO, shown } from "../base/options.ts";
import type { AlignOptions, OtherPartition, Pair } from "../definition/align.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import type { Operator } from "../definition/operator.ts";

/** @throws {RangeError} naming every fault: given, accepted. */
export function alignOperator(other: OtherPartition, options: AlignOptions): Operator<Frame, Pair> {
  const faults = optionFaults(options, { toleranceMs: FROM_ZERO }, ["toleranceMs"]);
  if (!isOther(other)) {
    faults.push(
      `the other camera: expected its partition, or partitions such as { 0: 1 }, given ${
        shown(other)
      }`,
    );
  }
  if (faults.length > 0) throw new RangeError(`Cannot align two cameras: ${faults.join("; ")}`);
  const { toleranceMs } = options;
  return {
    name: "align",
    settings: `other=${JSON.stringify(other)} toleranceMs=${toleranceMs}`,
    aligns: { other, toleranceMs },
    open: () => ({ process: (frame) => isPair(frame) ? [checked(frame)] : [] }),
  };
}

function isOther(other: unknown): boolean {
  const isPartition = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
  if (typeof other !== "object" || other === null) return isPartition(other);
  const entries = Object.entries(other);
  return entries.length > 0 &&
    entries.every(([partition, beside]) =>
      isPartition(Number(partition)) && isPartition(beside) && Number(partition) !== beside
    );
}

function isPair(frame: Frame): frame is Pair {
  return "other" in frame;
}

/** @throws {BadFrameError} if the other frame cannot be processed; it dead-letters the pair. */
function checked(pair: Pair): Pair {
  const { other: { fault, partition, offset } } = pair;
  if (fault === undefined) return pair;
  throw new BadFrameError(
    fault.reason,
    `Cannot use the other frame of the pair, partition ${partition} offset ${offset}: ${fault.message}`,
    { cause: fault },
  );
}
