// The rules for consecutive batches, common to all logs.
import { type BatchRange, type Checkpoint, saysFirst } from "./checkpoint.ts";
import { LogError } from "./log_error.ts";

/**
 * Checks whether a batch may be planned.
 *
 * @param action the attempted action, as the beginning of a sentence
 * @param last the last committed batch; −1 if there is none
 * @throws {LogError} `INVALID` if its offsets are not a range; `CHECKPOINT_GAP` if it is not the next batch,
 * or another one is planned
 */
export function checkPlan(
  action: string,
  batch: BatchRange,
  last: number,
  planned: BatchRange | undefined,
): void {
  const { batchId, start, end } = batch;
  if (!isOffset(start) || !isOffset(end) || start > end) {
    throw new LogError("INVALID", `${action}: offsets ${start} to ${end} are not a range`);
  }
  if (batchId !== last + 1) {
    throw new LogError("CHECKPOINT_GAP", `${action}: expected batch ${last + 1}`);
  }
  if (planned !== undefined && !saysFirst(planned)) checkPlanned(action, batch, planned);
}

/**
 * Checks whether a batch may be committed.
 *
 * @throws {LogError} `CHECKPOINT_GAP` if it was not planned; `INVALID` if `end` or `restart` is not an offset
 */
export function checkCommit(
  action: string,
  batch: BatchRange,
  planned: BatchRange | undefined,
  { end, restart }: Pick<Checkpoint, "end" | "restart">,
): void {
  checkPlanned(action, batch, planned);
  if (!isOffset(end) || !isOffset(restart) || restart > end) {
    throw new LogError("INVALID", `${action}: restart ${restart} is not in 0 to ${end}`);
  }
}

function checkPlanned(action: string, batch: BatchRange, planned: BatchRange | undefined): void {
  if (planned === undefined) throw new LogError("CHECKPOINT_GAP", `${action}: it was not planned`);
  const range = ({ batchId, start, end }: BatchRange) => `batch ${batchId} from ${start} to ${end}`;
  if (range(planned) === range(batch)) return;
  throw new LogError(
    "CHECKPOINT_GAP",
    `${action}: given ${range(batch)}, planned is ${range(planned)}`,
  );
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
