/**
 * Opening the second partition of a lane of two cameras.
 *
 * @module
 */
import { besideOf } from "../definition/align.ts";
import { alignmentOf } from "../definition/plan.ts";
import { startPoint } from "../definition/source_options.ts";
import { AlignedReader } from "./aligned_reader.ts";
import type { ResumePoint } from "./checkpointing.ts";
import { Intake } from "./intake.ts";
import type { IntakeOptions } from "./intake_options.ts";
import type { ExecutionOptions } from "./options.ts";

/**
 * Opens it as the checkpoint says; undefined for a lane of one camera.
 *
 * @param left how the lane's own partition is taken in.
 * @param decided frames of it below this offset were given to an earlier run.
 * @throws {RangeError} when the query names no partition to align this one with.
 */
export async function openAligned(
  options: ExecutionOptions,
  left: IntakeOptions,
  { aligned, readFrom }: ResumePoint,
  decided: number,
  onClose: (close: () => Promise<void>) => void,
): Promise<AlignedReader | undefined> {
  const { plan, log, reader, topic, onProblem } = options;
  const alignment = alignmentOf(plan);
  if (alignment === undefined) return undefined;
  const partition = besideOf(alignment, options.partition);
  if (partition === undefined) {
    throw new RangeError(
      `Cannot align partition ${options.partition} of ${topic}: query ${plan.name} names none beside it`,
    );
  }
  const { toleranceMs } = alignment;
  const known = aligned?.partition === partition ? aligned : undefined;
  const at = known?.at ?? await startOf(options, partition, readFrom, toleranceMs);
  const saved = known ?? { partition, at, left: null, right: null };
  const { keyframe = at } = saved;
  const source = await reader.open(topic, partition, keyframe, onProblem);
  onClose(() => source.close());
  const groups = options.groups?.();
  if (groups !== undefined) onClose(() => groups.close());
  const right = new Intake({
    ...left,
    source,
    partition,
    overload: { kind: "wait" },
    ...(groups === undefined ? {} : { groups }),
  });
  if (keyframe < at) await right.readGroup(keyframe, at);
  return new AlignedReader({
    ...options,
    left: left.source,
    right,
    rightGroups: groups,
    saved,
    isNew: known === undefined,
    decided,
    toleranceMs,
    offsets: (side) => log.offsets(topic, side === "left" ? options.partition : partition),
    description: `${log.url}/${topic}/${partition}`,
  });
}

/** Where the other partition begins: with the first frame that could be a partner of the lane's first one. */
async function startOf(
  { plan, log, reader, topic, partition }: ExecutionOptions,
  other: number,
  readFrom: number,
  toleranceMs: number,
): Promise<number> {
  const { earliest, latest } = await log.offsets(topic, partition);
  if (latest > earliest) {
    const source = await reader.open(
      topic,
      partition,
      Math.max(earliest, Math.min(readFrom, latest - 1)),
    );
    try {
      const [frame] = await source.read(1, undefined, latest);
      if (frame !== undefined) {
        const from = Math.max(0, Math.floor(frame.timestamp - toleranceMs));
        return await log.offsetForTime(topic, other, from);
      }
    } finally {
      await source.close();
    }
  }
  const range = await log.offsets(topic, other);
  return startPoint(plan.source, topic, partition).kind === "latest"
    ? range.latest
    : range.earliest;
}
