// Checks what operators and sinks return besides outputs: code of users may return anything.
import { shown, TOPIC } from "../base/options.ts";
import type { OperatorTask } from "../definition/operator.ts";
import { checkContent, checkPlace } from "../definition/result.ts";
import type { OutputRecord } from "../log/log.ts";

type Task = OperatorTask<unknown, unknown>;

/** A wrong answer, which a restart would not change. */
class AnswerError extends TypeError {
  override readonly name = "AnswerError";
  readonly code = "OPERATOR_FAILED";
}

/** @throws {AnswerError} if it is not an object, or lacks a function that it must have */
export function taskOf<T>(opened: T, needed?: keyof T & string): T {
  const task: unknown = opened;
  const isTask = typeof task === "object" && task !== null &&
    (needed === undefined || typeof opened[needed] === "function");
  if (isTask) return opened;
  const accepted = needed === undefined ? "functions such as write" : `a function ${needed}`;
  throw new AnswerError(`Cannot use what open returned, ${shown(task)}: expected ${accepted}`);
}

/** @throws {AnswerError} naming the field that no log can store */
export function recordsOf(records: readonly OutputRecord[], read: string): readonly OutputRecord[] {
  if (!Array.isArray(records)) {
    throw new AnswerError(`Cannot write ${shown(records)} as records: expected a list`);
  }
  for (const record of records as readonly OutputRecord[]) {
    const topic: unknown = record?.topic;
    if (!TOPIC.takes(topic) || topic === read) {
      refuse("topic", `${TOPIC.accepted}, other than ${read}, which is read`, topic);
    }
    checkPlace(record, refuse);
    checkContent(record, refuse);
  }
  return records;
}

function refuse(field: string, accepted: string, given: unknown): never {
  const what = ArrayBuffer.isView(given) ? "bytes" : shown(given);
  throw new AnswerError(`Cannot write a record whose ${field} is ${what}: expected ${accepted}`);
}

/** @throws {AnswerError} if it is not a valid offset */
export function restartOffsetOf(task: Pick<Task, "restartOffset">): number | undefined {
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
