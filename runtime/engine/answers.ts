// Checks what an operator's task returns between inputs: code of users may return anything.
import { shown } from "../base/options.ts";
import type { OperatorTask } from "../definition/operator.ts";

type Task = OperatorTask<unknown, unknown>;

/** A wrong answer, which a restart would not change. */
class AnswerError extends TypeError {
  override readonly name = "AnswerError";
  readonly code = "OPERATOR_FAILED";
}

/** @throws {AnswerError} if it is not a valid offset */
export function restartOffsetOf(task: Task): number | undefined {
  const offset = task.restartOffset?.();
  if (offset === undefined || Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw new AnswerError(`Cannot restart at ${shown(offset)}: expected an offset`);
}

/** @throws {AnswerError} if it is not a byte array */
export function snapshotOf(task: Task): Uint8Array | undefined {
  const state = task.snapshot?.();
  if (state === undefined || state instanceof Uint8Array) return state;
  throw new AnswerError(`Cannot save ${shown(state)} as state: expected bytes`);
}

/** The minimum; undefined if there are no numbers. */
export function least(numbers: readonly (number | undefined)[]): number | undefined {
  const given = numbers.filter((number) => number !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

/** `Infinity` for none. @throws {AnswerError} when it is not a time. */
export function timerOf(task: Task): number {
  const time = task.nextTimer?.();
  if (time === undefined) return Infinity;
  if (typeof time === "number" && !Number.isNaN(time)) return time;
  throw new AnswerError(`Cannot set a timer at ${shown(time)}: expected epoch milliseconds`);
}
