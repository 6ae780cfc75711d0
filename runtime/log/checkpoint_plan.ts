// What every log refuses in checkpoints: batches that do not follow, entries that cannot be trusted.
import { type BatchRange, type Checkpoint, saysFirst } from "./checkpoint.ts";
import { LogError, type LogErrorCode } from "./log_error.ts";

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

const OVER = "start over with another --checkpoint or --group";

/** @param name of the checkpoint or entry, as the object of a sentence */
export function corrupt(name: string, why: string, cause?: unknown): LogError {
  return untrusted("CHECKPOINT_CORRUPT", name, why, cause);
}

/** A batch is missing. */
export function gap(name: string, why: string): LogError {
  return untrusted("CHECKPOINT_GAP", name, why);
}

function untrusted(code: LogErrorCode, name: string, why: string, cause?: unknown): LogError {
  const message = `Cannot trust ${name}: ${why}; restore the log from a backup, or ${OVER}`;
  return new LogError(code, message, { cause });
}

/** @param known the newest version that this Framelane reads */
export function newer(name: string, version: number, known: number): LogError {
  return new LogError(
    "CHECKPOINT_NEWER",
    `Cannot read ${name}: its format is version ${version}, this Framelane reads up to ${known}; ` +
      `update Framelane, or ${OVER}`,
  );
}
