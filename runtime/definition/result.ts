// Validates and completes the results of outputs.
import { brief, shown } from "../base/options.ts";
import { cameraIdentity } from "../lanes.ts";
import {
  firstOffsetOf,
  type Frame,
  type FrameResult,
  isFinding,
  lastOffsetOf,
  type Output,
  type Result,
} from "./frame.ts";

/**
 * Whether it is a frame or a finding with a result, which the engine records: other items are the
 * query's own, whatever they hold.
 */
export function hasResult(output: unknown): output is Output & { readonly result: Result } {
  return isObject(output) && "result" in output && isObject(output.result) &&
    "topic" in output && "partition" in output && "timestamp" in output &&
    ("offset" in output || "firstOffset" in output);
}

/**
 * Checks that an output is a frame or a finding, since plain JavaScript functions are not
 * type-checked.
 *
 * @throws {TypeError} naming the invalid field.
 */
export function checkOutput(output: Output): void {
  if (typeof output !== "object" || output === null) {
    throw new TypeError(`Cannot pass ${shown(output)} on: expected a frame or a finding`);
  }
  const { result, part, topic } = output;
  if (typeof topic !== "string") fault("topic", "text", topic);
  checkPlace(output, fault);
  if (isFinding(output)) {
    const { firstOffset, lastOffset, number } = output;
    checkOffset("firstOffset", firstOffset);
    checkOffset("lastOffset", lastOffset, firstOffset);
    if (number !== undefined) checkOffset("number", number);
  } else checkOffset("offset", output.offset);
  if (part !== undefined) checkOffset("part", part);
  if (result !== undefined) checkResult(result);
  const frame = isFinding(output) ? output.picture : output;
  if (frame !== undefined) checkContent(frame, fault);
}

/** Throws for a field that no log can store. */
type Refuse = (field: string, expected: string, given: unknown) => never;

export function checkPlace(
  { partition, timestamp, key }: Pick<Frame, "partition" | "timestamp" | "key">,
  refuse: Refuse,
): void {
  if (!isWhole(partition)) refuse("partition", "a whole number from 0 up", partition);
  if (typeof timestamp !== "number" || !(Math.abs(timestamp) <= Number.MAX_SAFE_INTEGER)) {
    refuse("timestamp", "epoch milliseconds", timestamp);
  }
  if (key !== null && typeof key !== "string") refuse("key", "text or null", key);
}

export function checkContent(
  { value, headers }: Pick<Frame, "value" | "headers">,
  refuse: Refuse,
): void {
  if (!hasBytes(value)) refuse("value", "an unshared Uint8Array", value);
  if (typeof headers !== "object" || headers === null) refuse("headers", "an object", headers);
  for (const name in headers) {
    if (typeof headers[name] !== "string") refuse(`header ${name}`, "text", headers[name]);
  }
}

function isWhole(value: unknown, least = 0): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least;
}

/** Offsets and numbers identify an output: files and records are named by them. */
function checkOffset(field: string, given: unknown, least = 0): void {
  if (!isWhole(given, least)) fault(field, `a whole number from ${least} up`, given);
}

const ALERT_STATES: readonly unknown[] = ["start", "update", "end"];

/** What the engine and the sinks read of a result; the rest is passed on as it is. */
function checkResult(result: Result): void {
  if (!isObject(result)) fault("result", "an object", result);
  const { scores, frames = [], zones, counts, alert } = plainResult(result);
  checkEach("result.scores", scores, isNumber, "a number");
  checkEach("result.zones", zones, isNumber, "a number");
  checkEach("result.counts", counts, isObject, "an object with in and out");
  if (!Array.isArray(frames) || !frames.every(isObject)) {
    fault("result.frames", "a list of objects", frames);
  }
  for (const [i, { scores, objects }] of (frames as readonly FrameResult[]).entries()) {
    checkEach(`result.frames[${i}].scores`, scores, isNumber, "a number");
    checkEach(`result.frames[${i}].objects`, objects, isDetected, "an object with score and box");
  }
  if (alert === undefined) return;
  if (!isObject(alert)) fault("result.alert", "an object", alert);
  const { id, state, label, peak } = alert;
  if (typeof id !== "string") fault("result.alert.id", "text", id);
  if (!ALERT_STATES.includes(state)) fault("result.alert.state", "start, update or end", state);
  if (typeof label !== "string") fault("result.alert.label", "text", label);
  if (!Number.isFinite(peak)) fault("result.alert.peak", "a number", peak);
}

/** Checks all values of an object or a list. */
function checkEach(
  field: string,
  values: unknown,
  accepts: (value: unknown) => boolean,
  expected: string,
): void {
  if (values === undefined) return;
  if (typeof values !== "object" || values === null) fault(field, "an object", values);
  for (const [name, value] of Object.entries(values)) {
    if (!accepts(value)) fault(`${field}.${name}`, expected, value);
  }
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

function isDetected(value: unknown): boolean {
  const { score, box } = Object(value);
  return isNumber(score) && Array.isArray(box) && box.length === 4 && box.every(isNumber);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fault(field: string, expected: string, given: unknown): never {
  const what = typeof given === "object" && given !== null ? "an object" : shown(given);
  throw new TypeError(`Cannot pass this output on: ${field} is ${what}, expected ${expected}`);
}

/** True for a byte array that can be stored: neither shared with other threads nor detached. */
export function hasBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer &&
    !value.buffer.detached;
}

/**
 * The result of an output as written to a record, a line or a request: what operators found and
 * added, plus query, camera and window. A frame without findings also has a result, which shows
 * that it was processed.
 *
 * @throws {TypeError} if an operator added something that is not JSON, such as a function, or a score that
 * is not finite.
 *
 * @example
 * ```ts
 * import { completeResult } from "./result.ts";
 *
 * const frame = {
 *   topic: "VideoStreaming", partition: 0, offset: 7, timestamp: 1000, key: null, headers: {},
 *   value: new Uint8Array(), result: { scores: { motion: 0.5 }, data: { lux: 120 } },
 * };
 * const { window, data } = completeResult(frame, "motion");
 * console.log(window?.firstOffset, data); // 7 { lux: 120 }
 * ```
 */
export function completeResult(output: Output, query: string): Result {
  const { topic, partition, result = {} } = output;
  const { window = windowOf(output), ...found } = plainResult(result);
  const number = isFinding(output) ? output.number ?? 0 : 0;
  return {
    query,
    topic,
    partition,
    ...cameraIdentity({ ...output, headers: pictureOf(output)?.headers ?? {} }),
    window: number === 0 ? window : { ...window, number },
    ...found,
  };
}

function pictureOf(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

/**
 * Converts a result to JSON values: maps become objects, sets and typed arrays become lists, dates
 * ISO 8601, big integers numbers, or text if too large. NaN and infinities become null below `data`.
 *
 * @throws {TypeError} naming the field with any other kind of value, or with such a number elsewhere: a
 * score, a side of a box.
 */
export function plainResult(result: Result): Result {
  return isPlain(result) ? result : plain(result, "result") as Result;
}

/** Most levels of a result: far more than anyone reads, far fewer than fill the call stack. */
const DEEPEST = 100;

/** True if the value is JSON already, as usual: checking is faster than converting. */
function isPlain(value: unknown, levels = DEEPEST): boolean {
  if (typeof value !== "object") {
    return typeof value === "number"
      ? Number.isFinite(value)
      : typeof value === "string" || typeof value === "boolean";
  }
  if (value === null) return true;
  if (levels === 0) return false;
  const items = Array.isArray(value)
    ? value
    : Object.getPrototypeOf(value) === Object.prototype && Object.values(value);
  return items && items.every((item) => isPlain(item, levels - 1));
}

/** The places where operators add values of their own. */
const DATA = /^result(\.frames\[\d+\](\.objects\[\d+\])?)?\.data\b/;

function plain(value: unknown, path: string, levels = DEEPEST): unknown {
  const inner = (item: unknown, place = "") => plain(item, path + place, levels - 1);
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      if (DATA.test(path)) return null;
      throw notJson(path, "a finite number", value);
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case "object":
      if (value === null) return null;
      if (levels === 0) throw notJson(path, `at most ${DEEPEST} levels`, "more");
      if (Array.isArray(value)) return value.map((item, i) => inner(item, `[${i}]`));
      if (value instanceof Date) return inner(value.toJSON());
      if (value instanceof Set) return inner([...value]);
      if (value instanceof Map) {
        const odd = value.keys().find((key) => /object|function|symbol/.test(typeof key));
        if (odd === undefined) return inner(Object.fromEntries(value));
        throw notJson(`the keys of ${path}`, "text or numbers", kindOf(odd));
      }
      if (ArrayBuffer.isView(value) && Symbol.iterator in value) {
        return inner(Array.from(value as Iterable<unknown> & ArrayBufferView));
      }
      // Not a promise, nor another object without fields that it shows.
      if (classOf(value) !== "Object") break;
      return Object.fromEntries(
        Object.entries(value).flatMap(([name, item]) =>
          item === undefined ? [] : [[name, inner(item, `.${name}`)]]
        ),
      );
  }
  throw notJson(path, "a JSON value", kindOf(value));
}

function kindOf(value: unknown): string {
  return typeof value === "object" ? `an object of class ${classOf(value)}` : `a ${typeof value}`;
}

function classOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function notJson(path: string, expected: string, given: string | number): TypeError {
  return new TypeError(
    `Cannot put ${brief(path)} into a result: expected ${expected}, given ${given}`,
  );
}

/** The window of an output that names none: operators on windows do. */
function windowOf(output: Output): NonNullable<Result["window"]> {
  const { timestamp } = output;
  const [firstOffset, lastOffset] = [firstOffsetOf(output), lastOffsetOf(output)];
  return {
    firstOffset,
    lastOffset,
    firstTimestamp: timestamp,
    lastTimestamp: timestamp,
    frames: lastOffset - firstOffset + 1,
    gaps: 0,
  };
}
